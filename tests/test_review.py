"""Single items of TRIED.md that no other file of tests holds; and that the table names tests that there are."""
import ast
import json
import re
import shutil
import struct
import zlib
from functools import partial
from pathlib import Path
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from pix2pixhd_nb.commands import training
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.data import pictures
from pix2pixhd_nb.data.doctor import examine
from pix2pixhd_nb.data.layouts import open_dataset, save_scenes
from pix2pixhd_nb.data.pictures import DatasetError, read_ids, read_image
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.engine.files import checksum
from pix2pixhd_nb.evaluation.distances import squeezenet_features
from pix2pixhd_nb.evaluation.segmenters import load_segmenter, photo_segmenter
from pix2pixhd_nb.models.generators import GlobalGenerator
from pix2pixhd_nb.models.synthesizer import Synthesizer
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.synthesis.styles import FeatureTable, StyleBook
from pix2pixhd_nb.training.losses import PerceptualLoss

ROOT = Path(__file__).parents[1]
TINY = '--batch 2 --width 4 --n-downsample 2 --n-blocks 1 --feature-channels 0 --n-scales 1 --discriminator-width 4 --no-keep-best --steps 2'.split()

def streets(d, n=3, size=(32, 64), split='train'):
    save_scenes(SyntheticScenes(n, size=size), d, LABEL_SPACE, split)
    return d

# the table

def rows():
    "(item, tests) of every row."
    for line in (ROOT / 'TRIED.md').read_text(encoding='utf-8').splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        if line.startswith('| ') and len(cells) == 3 and re.match(r'[IRG]\d', cells[0]): yield cells[0], cells[1], re.findall(r'`(test_\w+)\.py::(test_\w+)`', cells[2]), cells[2]

def test_every_named_test_is_there():
    there = {p.stem: {n.name for n in ast.parse(p.read_text(encoding='utf-8')).body if isinstance(n, ast.FunctionDef)} for p in (ROOT / 'tests').glob('test_*.py')}
    missing = [(item, f'{file}.py::{name}') for item, _, tests, _ in rows() for file, name in tests if name not in there.get(file, ())]
    assert not missing

def test_every_item_has_a_test_or_says_why_not():
    items = list(rows())
    assert len({item for item, *_ in items}) == len(items) > 80
    assert not [item for item, _, tests, cell in items if not tests and not cell.startswith('not held: ')]
    held = sum(bool(tests) for _, _, tests, _ in items)
    assert f'{len(items)} items, {held} held by tests' in (ROOT / 'TRIED.md').read_text(encoding='utf-8')

# pictures

def png(path, array, color, size=None):
    "A PNG of 16 bits, which Pillow writes in one channel only; `size` is what its head claims."
    h, w = size or array.shape[:2]
    chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    data = zlib.compress(b''.join(b'\0' + row.astype('>u2').tobytes() for row in array))
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 16, color, 0, 0, 0)) + chunk(b'IDAT', data) + chunk(b'IEND', b''))
    return path

@pytest.mark.parametrize('channels,color', [(3, 2), (2, 4), (4, 6)])
def test_16_bit_ids_in_several_channels_are_refused(tmp_path, channels, color):
    path = png(tmp_path / 'a.png', np.full((8, 8, channels), 7), color)
    with pytest.raises(DatasetError, match='stores 16 bits in several channels'): read_ids(path)

@pytest.mark.parametrize('size', [(1, 1), (5, 7), (7, 64)])
def test_a_picture_below_8_pixels_is_no_division_by_zero(tmp_path, size):
    d = streets(tmp_path / 'd')
    for p in (d / 'train').rglob('*.png'): Image.open(p).resize(size[::-1], 0).save(p)
    for p in (d / 'train/image').glob('*.png'):
        Image.open(p).save(p.with_suffix('.jpg'))
        p.unlink()
    said = examine(d).verdict
    assert 'Not fit' in said and 'expected 8 pixels or more' in said
    assert main(['train', str(d), str(tmp_path / 'm'), *TINY]) == 2

def test_the_limit_that_is_met_is_named(tmp_path, monkeypatch):
    path = png(tmp_path / 'a.png', np.zeros((2, 2)), 0, (30_000, 30_000))
    with pytest.raises(DatasetError, match=rf'more than {2**26} pixels.*raise pix2pixhd_nb.data.pictures.MAX_PIXELS'): read_ids(path)
    monkeypatch.setattr(pictures, 'MAX_PIXELS', 2**40)
    with pytest.raises(DatasetError, match=rf'more than {2 * Image.MAX_IMAGE_PIXELS} pixels.*raise PIL.Image.MAX_IMAGE_PIXELS'): read_ids(path)

@pytest.mark.parametrize('cie', ['LAB', 'YCbCr'])
def test_other_colour_spaces_are_read_as_seen_or_refused(tmp_path, cie):
    rgb = Image.new('RGB', (8, 8), (200, 60, 30))
    if cie == 'LAB':
        from PIL import ImageCms
        rgb = ImageCms.applyTransform(rgb, ImageCms.buildTransformFromOpenProfiles(ImageCms.createProfile('sRGB'), ImageCms.createProfile('LAB'), 'RGB', 'LAB'))
    else: rgb = rgb.convert(cie)
    rgb.save(tmp_path / 'a.tif')
    try: image = read_image(tmp_path / 'a.tif')
    except DatasetError as e: assert 'a.tif' in str(e)
    else: assert (((image[:, 4, 4] + 1) * 127.5) - torch.tensor([200., 60, 30])).abs().max() < 6

# folders

def test_pictures_one_folder_deeper_are_named(tmp_path, capsys):
    d = streets(tmp_path / 'd')
    shutil.copytree(d / 'train', tmp_path / 'deep' / 'train' / 'label' / 'all')
    with pytest.raises(DatasetError, match='has no label maps.* there are pictures in .*label/all/'): open_dataset(tmp_path / 'deep')
    assert main(['doctor', str(tmp_path)]) == 1
    assert f'{d} has a known layout: give that folder' in capsys.readouterr().out

# training

def test_the_size_that_is_announced_is_the_size_that_is_trained(tmp_path, capsys):
    d, m = streets(tmp_path / 'd', size=(34, 71)), tmp_path / 'm'
    assert main(['train', str(d), str(m), *TINY, '--enhancers', '1', '--frozen', '1']) == 0
    said = capsys.readouterr().out
    assert '64x32' in said and 'stage 3 of 3: 64x32' in said and 'stage 1 of 3: 32x16' in said and '71x34,' not in said

    assert json.loads((m / 'pipeline.json').read_text())['training']['size'] == [32, 64]

@pytest.mark.parametrize('words,flips', [((), True), (('--no-flip',), False)])
def test_scenes_are_flipped_unless_told_not_to(tmp_path, monkeypatch, words, flips):
    real, given = training.scene_dataloaders, []
    monkeypatch.setattr(training, 'scene_dataloaders', lambda *a, **k: (given.append(k['flip']), real(*a, **k))[1])
    assert main(['train', str(streets(tmp_path / 'd')), str(tmp_path / 'm'), *TINY, *words]) == 0
    assert given == [flips]

def test_a_style_that_is_not_finite_costs_no_model(capsys):
    n, vectors = 6, torch.randn(6, 3)
    vectors[2, 1] = float('nan')
    table = FeatureTable(torch.zeros(n, dtype=torch.long), torch.arange(n), torch.tensor([0, 0, 0, 1, 1, 1]), torch.full((n,), 90), torch.full((n,), 0.1), vectors)
    book = StyleBook.fit(table, LABEL_SPACE)
    assert '1 of 6 styles are not finite' in capsys.readouterr().out
    assert set(book.centres) == {0, 1} and all(c.isfinite().all() for c in book.centres.values())
    table.vector[:] = float('nan')
    with pytest.raises(ValueError, match='None of the 6 styles is finite'): StyleBook.fit(table, LABEL_SPACE)

# files that claim what they are not

def altered(folder, change):
    "A saved pipeline whose weights and description were changed, checksums and all."
    n = LABEL_SPACE.n_classes
    net = Synthesizer(GlobalGenerator(n + 1 + 3, width=4, n_downsample=2, n_blocks=1), n, feature_channels=3)
    p = Pix2PixHD(net, LABEL_SPACE, StyleBook({0: torch.zeros(2, 3)}, {0: torch.ones(2, dtype=torch.long)}, LABEL_SPACE)).save(folder)
    old, = p.glob('weights-*.safetensors')
    tensors, d = load_file(old), json.loads((p / 'pipeline.json').read_text())
    old.unlink()
    change(tensors, d)
    save_file(tensors, p / 'new')
    new = (p / 'new').rename(p / f"weights-{checksum(p / 'new', 12)}.safetensors")
    d['weights'] = dict(file=new.name, sha256=checksum(new, 64))
    (p / 'pipeline.json').write_text(json.dumps(d))
    return p

def whole_weights(tensors, d): tensors['generator.head.1.weight'] = tensors['generator.head.1.weight'].int()
def whole_centres(tensors, d): tensors['styles.0.centres'] = tensors['styles.0.centres'].int()
def short_centres(tensors, d): tensors['styles.0.centres'] = tensors['styles.0.centres'][:, :2].contiguous()
def more_counts(tensors, d): tensors['styles.0.counts'] = torch.ones(3, dtype=torch.long)
def fewer_scenes(tensors, d): d['style_book']['scenes'] = 4; tensors['styles.0.together'] = torch.ones(3, 2, dtype=torch.uint8)
def scenes_of_text(tensors, d): d['style_book']['scenes'] = 'all'; tensors['styles.0.together'] = torch.ones(3, 2, dtype=torch.uint8)
def no_scenes(tensors, d): d['style_book']['scenes'] = 3
def a_wide_generator(tensors, d): d['generator']['width'] = 10**9

@pytest.mark.parametrize('change', [whole_weights, whole_centres, short_centres, more_counts, fewer_scenes, scenes_of_text, no_scenes, a_wide_generator])
def test_odd_weights_and_styles_are_refused_before_anything_is_made_of_them(tmp_path, capsys, change):
    p = altered(tmp_path / 'm', change)
    with pytest.raises(ValueError, match=str(p)): Pix2PixHD.load(p)
    assert main(['styles', str(p), str(tmp_path / 's.png')]) == 2
    assert capsys.readouterr().err.count('\n') == 1

@pytest.mark.parametrize('read', [PerceptualLoss, partial(photo_segmenter, 3), squeezenet_features])
def test_weights_that_hold_a_list_are_refused(tmp_path, read):
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(ValueError, match='list.pth'): read(tmp_path / 'list.pth')

def test_a_segmenter_without_names_is_refused(tmp_path):
    save_file(dict(a=torch.zeros(1)), tmp_path / 's.safetensors', dict(kind='Segmenter'))
    with pytest.raises(ValueError, match='s.safetensors'): load_segmenter(tmp_path / 's.safetensors')
