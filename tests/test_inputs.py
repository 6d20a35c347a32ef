"""Files as people have them: read as viewers show them, or refused with one error message."""
import json
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import SafetensorError
from pix2pixhd_nb.commands import training
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.core import LabelSpace, from_pil
from pix2pixhd_nb.data.arrays import png_bytes
from pix2pixhd_nb.data.doctor import examine
from pix2pixhd_nb.data.layouts import open_dataset, save_scenes
from pix2pixhd_nb.data.pictures import DatasetError, header_of, read_ids, read_image
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.editing.editor import SceneEditor
from pix2pixhd_nb.engine import files
from pix2pixhd_nb.engine.files import locked
from pix2pixhd_nb.models.generators import GlobalGenerator
from pix2pixhd_nb.models.synthesizer import Synthesizer
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.synthesis.styles import StyleBook
from pix2pixhd_nb.training import monitor

IDS = np.zeros((32, 64), np.uint8)
IDS[:12] = 1
COLOURS = np.array([[90, 90, 60], [120, 180, 240]], np.uint8)

def folder(d, photos=3, meta=True, split='train', save=lambda path, i: Image.fromarray(COLOURS[IDS]).save(path.with_suffix('.png'))):
    for kind in ('label', 'image'): (d / split / kind).mkdir(parents=True)
    for i in range(photos):
        Image.fromarray(IDS).save(d / split / f'label/{i}.png')
        save(d / split / f'image/{i}', i)
    if meta: (d / 'meta.json').write_text(json.dumps(dict(classes=[dict(id=0, name='ground'), dict(id=1, name='sky')])))
    return d

@pytest.mark.parametrize('tag,turn', [(3, lambda p: p[::-1, ::-1]), (6, lambda p: np.rot90(p, 1)), (2, lambda p: p[:, ::-1])])
@pytest.mark.parametrize('end', ['jpg', 'png', 'webp', 'tif'])
def test_orientation(tmp_path, tag, turn, end):
    exif = Image.Exif()
    exif[0x0112] = tag
    save = lambda path, i: Image.fromarray(np.ascontiguousarray(turn(COLOURS[IDS]))).save(path.with_suffix(f'.{end}'), exif=exif)
    d = folder(tmp_path / 'd', save=save)
    image = read_image(d / f'train/image/0.{end}')
    assert image.shape == (3, 32, 64)
    assert abs((image[2, :8].mean() + 1) * 127.5 - 240) < 12
    assert examine(d).verdict.startswith('Fit to train on')

@pytest.mark.parametrize('which,end', [('image', 'jpg'), ('image', 'png'), ('image', 'webp'), ('image', 'tif'), ('label', 'png')])
def test_a_tag_that_exchanges_width_and_height_is_named(tmp_path, which, end):
    "The photo of a telephone beside a label map that was drawn on its stored pixels, and the other way round."
    d, exif = folder(tmp_path / 'd'), Image.Exif()
    exif[0x0112] = 6
    sides = dict(image=d / f'train/image/0.{end}', label=d / 'train/label/0.png')
    stored = Image.open(d / f'train/{which}/0.png').copy()
    (d / f'train/{which}/0.png').unlink()
    stored.save(sides[which], exif=exif)
    with pytest.raises(DatasetError) as e: open_dataset(d)[0]
    other = sides['label' if which == 'image' else 'image']
    assert f'{sides[which]} has an orientation tag (6), by which it is turned by a quarter' in str(e.value) and f'turn {other} alike, or take the tag off' in str(e.value)
    assert [p.message for p in examine(d).problems] == [str(e.value)]
    stored.save(sides[which]) # the tag is off
    assert examine(d).verdict.startswith('Fit to train on')

def test_sizes_that_no_tag_explains(tmp_path):
    d, exif = folder(tmp_path / 'd'), Image.Exif()
    photo = Image.open(d / 'train/image/0.png').copy()
    photo.rotate(90, expand=True).save(d / 'train/image/0.png')
    assert 'no orientation tag says so, so one of them lies on its side: turn it by a quarter' in examine(d).verdict
    exif[0x0112] = 3 # upside down
    photo.rotate(90, expand=True).save(d / 'train/image/0.png', exif=exif)
    assert 'no orientation tag says so' in examine(d).verdict
    exif[0x0112] = 6 # turned, it is of another size still
    photo.resize((16, 8)).save(d / 'train/image/0.png', exif=exif)
    assert 'export both at one size' in examine(d).verdict and 'orientation' not in examine(d).verdict

@pytest.mark.parametrize('kind', ['RGB of 16 bits', 'five bands'])
def test_a_tag_of_deep_pictures_is_named(tmp_path, kind):
    for part in 'AB': (tmp_path / f'train_{part}').mkdir()
    Image.fromarray(IDS).save(tmp_path / 'train_A/0.png')
    if kind == 'five bands':
        tifffile, photo = pytest.importorskip('tifffile'), tmp_path / 'train_B/0.tif'
        tifffile.imwrite(photo, np.zeros((*IDS.shape, 5), np.uint16), photometric='minisblack', planarconfig='contig', extratags=[(274, 'H', 1, 6, True)])
    else:
        photo = tmp_path / 'train_B/0.png'
        data = png_bytes(np.zeros((*IDS.shape, 3), np.uint16), 'a test')
        tag = b'eXIf' + b'MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
        photo.write_bytes(data[:33] + struct.pack('>I', len(tag) - 4) + tag + struct.pack('>I', zlib.crc32(tag)) + data[33:])
    assert f'{photo} has an orientation tag (6)' in next(p.message for p in examine(tmp_path).problems if p.kind == 'size')

@pytest.mark.parametrize('top,dtype', [(1, np.float32), (255, np.float32), (65535, np.float32), (255, np.int32), (65535, np.int32)])
def test_deep_photos(tmp_path, top, dtype):
    ramp = np.linspace(0, 1, 256).reshape(8, 32)
    Image.fromarray((ramp * top).astype(dtype)).save(tmp_path / 'a.tif')
    assert np.abs(read_image(tmp_path / 'a.tif').numpy() - (ramp * 2 - 1)).max() < 0.02

@pytest.mark.parametrize('dtype', ['<u2', '>u2'])
@pytest.mark.parametrize('top', [200, 60000])
def test_the_order_of_the_bytes_and_the_brightest_pixel_do_not_matter(tmp_path, dtype, top):
    ramp = np.linspace(0, top, 256).reshape(8, 32).astype(dtype)
    Image.fromarray(ramp).save(tmp_path / 'a.tif')
    (tmp_path / 'a.pgm').write_bytes(b'P5 32 8 65535\n' + ramp.astype('>u2').tobytes())
    np.save(tmp_path / 'a.npy', ramp)
    for end in ('tif', 'pgm', 'npy'):
        assert np.abs(read_image(tmp_path / f'a.{end}', 'L').numpy() - (ramp / 65535 * 2 - 1)).max() < 1e-5
    assert (read_ids(tmp_path / 'a.tif') == ramp).all() and read_ids(tmp_path / 'a.tif').dtype == np.uint16

def test_a_dark_pgm_is_mentioned_and_has_no_white_of_its_own(tmp_path):
    save = lambda path, i: path.with_suffix('.pgm').write_bytes(b'P5 64 32 65535\n' + np.full((32, 64), 200 + 3000 * i, '>u2').tobytes())
    report = examine(folder(tmp_path / 'd', save=save))
    assert any('values up to 6200 only' in n for n in report.notes) and not any('smallest of' in n for n in report.notes)

@pytest.mark.parametrize('most', [1, 3, 34, 100, 254, 256, 4095, 30000, 65534, 65535])
@pytest.mark.parametrize('plain', [False, True])
def test_ids_of_a_pgm_are_what_it_stores(tmp_path, most, plain):
    ids = np.unique(np.r_[np.arange(min(most, 4095) + 1), most]).astype('>u2' if most > 255 else 'u1')[None]
    body = ' '.join(map(str, ids[0])).encode() if plain else ids.tobytes()
    (tmp_path / 'a.pgm').write_bytes(f'P{2 if plain else 5} {ids.size} 1 {most}\n'.encode() + body)
    assert (read_ids(tmp_path / 'a.pgm') == ids).all() and (read_ids(tmp_path / 'a.pgm', LabelSpace.cityscapes()) == ids).all()

@pytest.mark.parametrize('most,refused', [(34, False), (255, False), (4095, True)])
def test_ids_of_a_ppm(tmp_path, most, refused):
    ids = np.arange(30, dtype='>u2' if most > 255 else 'u1').repeat(3)
    (tmp_path / 'a.ppm').write_bytes(f'P6 30 1 {most}\n'.encode() + ids.tobytes())
    if refused:
        with pytest.raises(DatasetError, match='16 bits in several channels'): read_ids(tmp_path / 'a.ppm')
    else: assert (read_ids(tmp_path / 'a.ppm') == range(30)).all()

def test_ids_of_a_tiff_of_few_bits(tmp_path):
    head = lambda bits: [(256, 'H', 1, 4), (257, 'H', 1, 1), (258, 'H', 1, bits), (262, 'H', 1, 1), (277, 'H', 1, 1), (278, 'H', 1, 1)]
    for bits, data, ids in ((4, b'\x05\xaf', [0, 5, 10, 15]), (2, b'\x1b', [0, 1, 2, 3])):
        tags = head(bits) + [(273, 'I', 1, 8), (279, 'I', 1, len(data))]
        entries = b''.join(struct.pack('<HHI', t, dict(H=3, I=4)[k], n) + struct.pack(f'<{k}', v).ljust(4, b'\0') for t, k, n, v in sorted(tags))
        (tmp_path / 'a.tif').write_bytes(b'II*\0' + struct.pack('<I', 12) + data.ljust(4, b'\0') + struct.pack('<H', len(tags)) + entries + b'\0' * 4)
        assert (read_ids(tmp_path / 'a.tif') == ids).all()

RGB = LabelSpace(['red', 'green', 'blue'], [(255, 0, 0), (0, 255, 0), (0, 0, 255)])

@pytest.mark.parametrize('palette,ids', [
    ([0, 0, 255, 255, 0, 0, 0, 255, 0], [2, 0, 1]), # colours of other classes
    ([9, 9, 9, 8, 8, 8, 7, 7, 7], [0, 1, 2]), # decoration
    ([255, 0, 0, 0, 255, 0, 7, 7, 7], [0, 1, 2]), # of the same classes, as far as they go
    ([0, 0, 255, 255, 0, 0, 1, 255, 0], None)])
def test_a_palette_is_ids_or_colours_or_refused(tmp_path, palette, ids):
    picture = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert('P')
    picture.putpalette(palette)
    picture.save(tmp_path / 'a.png')
    if ids: assert read_ids(tmp_path / 'a.png', RGB).tolist() == [ids]
    else:
        with pytest.raises(DatasetError, match=r"a.png has a palette in which 0 has the color \(0, 0, 255\) of class 'blue'.*2 the color \(1, 255, 0\)"): read_ids(tmp_path / 'a.png', RGB)

def test_a_mask_of_one_listed_grey_is_a_mask(tmp_path):
    space = LabelSpace(['wall', 'background'], [(255, 0, 0), (0, 0, 0)])
    for mode, there in (('RGB', 1), ('RGBA', 1), ('L', 0)):
        Image.new(mode, (4, 2)).save(tmp_path / 'a.png')
        assert (read_ids(tmp_path / 'a.png', space) == there).all()

@pytest.mark.parametrize('value', [np.nan, np.inf, -5, 1e6])
def test_values_that_cannot_be_read(tmp_path, value):
    def save(path, i):
        grey = np.full((32, 64), 9, np.float32)
        if i == 1: grey[0, 0] = value
        Image.fromarray(grey).save(path.with_suffix('.tif'))
    d = folder(tmp_path / 'd', save=save)
    with pytest.raises(DatasetError, match='1.tif holds'): read_image(d / 'train/image/1.tif')
    assert 'Not fit' in examine(d).verdict and '1.tif holds' in examine(d).verdict

def test_lossy_or_cut_ids(tmp_path):
    Image.fromarray(IDS).convert('RGB').save(tmp_path / 'a.webp', quality=50)
    Image.fromarray(IDS).save(tmp_path / 'b.tif', compression='jpeg')
    for name in ('a.webp', 'b.tif'):
        with pytest.raises(DatasetError, match='changes the ids'): read_ids(tmp_path / name)
    Image.fromarray(IDS).convert('RGB').save(tmp_path / 'c.webp', lossless=True)
    assert (read_ids(tmp_path / 'c.webp') == IDS).all()

@pytest.mark.parametrize('fault', [dict(photos=1), dict(meta=False), dict(split='val')])
def test_what_train_refuses_is_not_fit(tmp_path, fault):
    assert 'Not fit' in examine(folder(tmp_path / 'd', **fault)).verdict

def test_a_worker_hands_over_the_message():
    assert str(DatasetError('Caught DatasetError in DataLoader worker process 0.\nTraceback\npix2pixhd_nb.data.pictures.DatasetError: a.png is bad')) == 'a.png is bad'

@pytest.mark.parametrize('c', [[dict(id=0), dict(id=0)], [dict(id=0, thing='no')], [dict(id=0, color=[1, 2])], [dict(id=10**9)], [dict(id='0')], [dict(id=-1)]])
def test_label_spaces_are_checked(c):
    with pytest.raises(ValueError, match='expected|give each'): LabelSpace.from_dict(dict(classes=c))

def test_a_label_space_of_many_ids_is_linear():
    assert LabelSpace.from_dict(dict(classes=[dict(id=20_000, name='far')])).n_classes == 20_001

# classes that are told apart, books and models of other classes

def other_space(): return LabelSpace(['sea', *LABEL_SPACE.names[1:]], LABEL_SPACE.colors, LABEL_SPACE.things)

def other_book():
    return StyleBook({0: torch.zeros(2, 3)}, {0: torch.ones(2, dtype=torch.long)}, other_space())

def tiny_pipeline(space=LABEL_SPACE):
    n = space.n_classes
    return Pix2PixHD(Synthesizer(GlobalGenerator(n + 1 + 3, width=4, n_downsample=2, n_blocks=1), n, feature_channels=3, ignore_id=space.ignore_id), space)

def test_class_names_are_told_apart():
    with pytest.raises(ValueError, match="Two classes have the name 'car'"): LabelSpace.from_dict(dict(classes=[dict(id=0, name='car'), dict(id=1, name='car')]))
    with pytest.raises(ValueError, match="Two classes have the name 'car'"): LabelSpace(['car', 'car', 'road'])
    gaps = LabelSpace.from_dict(dict(classes=[dict(id=0, name='unlabeled'), dict(id=1, name='unused 3'), dict(id=4, name='car')], ignore_id=2))
    assert gaps.names == ('unlabeled', 'unused 3', 'unlabeled (id 2)', 'unused 3 (id 3)', 'car') and gaps.unscored == (2,)

@pytest.mark.parametrize('odd', [2.7, 2., True, np.bool_(True), float('nan'), float('inf'), None, [1], {1: 1}, -1, 10**30])
def test_what_is_neither_a_name_nor_an_id_of_a_class_is_refused(odd):
    with pytest.raises(ValueError, match='There is no class .*; the ids are the whole numbers from 0 to 8'): LABEL_SPACE.id(odd)
    assert [LABEL_SPACE.id(c) for c in (6, 'car', np.uint8(6), torch.tensor(6), np.array(6))] == [6] * 5

def test_a_label_map_on_another_device_is_checked():
    class Elsewhere(torch.Tensor):
        def __array__(self, *_): raise TypeError("can't convert cuda:0 device type tensor to numpy")
        def cpu(self): return self.as_subclass(torch.Tensor)
    LABEL_SPACE.check(torch.zeros(2, 2, dtype=torch.long).as_subclass(Elsewhere))
    with pytest.raises(ValueError, match='has id 9'): LABEL_SPACE.check(torch.full((2, 2), 9).as_subclass(Elsewhere))

def test_a_style_book_of_other_classes_is_refused():
    pipe = tiny_pipeline()
    with pytest.raises(ValueError, match='belongs to another model'): pipe.style_book = other_book()
    with pytest.raises(ValueError, match='expected a StyleBook'): pipe.style_book = any
    with pytest.raises(ValueError, match='belongs to another model'): Pix2PixHD(pipe.synthesizer, LABEL_SPACE, other_book())
    with pytest.raises(ValueError, match='belongs to another model'): SceneEditor(np.zeros((8, 8), int), label_space=LABEL_SPACE, style_book=other_book())
    pipe.style_book = None

def test_the_scene_editor_refuses_fractions():
    with pytest.raises(ValueError, match='expected whole ids'): SceneEditor(np.full((8, 8), 1.7), label_space=LABEL_SPACE)
    with pytest.raises(ValueError, match='expected whole ids'): SceneEditor(np.zeros((8, 8), int), np.full((8, 8), 0.5), LABEL_SPACE)

def test_a_model_is_not_asked_for_other_classes(tmp_path, capsys):
    other = SyntheticScenes(2, size=(32, 64))
    save_scenes(other, tmp_path / 'other', other_space(), 'test')
    save_scenes(other, tmp_path / 'same', LABEL_SPACE, 'test')
    pipe = tiny_pipeline()
    pipe.style_book = StyleBook({0: torch.zeros(2, 3)}, {0: torch.ones(2, dtype=torch.long)}, LABEL_SPACE)
    pipe.save(tmp_path / 'm')
    assert main(['synthesize', str(tmp_path / 'm'), str(tmp_path / 'other'), str(tmp_path / 'out')]) == 2
    assert "id 0 is 'sea' there" in capsys.readouterr().err and not (tmp_path / 'out').exists()
    assert main(['synthesize', str(tmp_path / 'm'), str(tmp_path / 'same'), str(tmp_path / 'out')]) == 0

def tiny_street(d, space=LABEL_SPACE):
    pipe = tiny_pipeline(space)
    pipe.style_book = StyleBook({0: torch.zeros(2, 3)}, {0: torch.ones(2, dtype=torch.long)}, pipe.label_space)
    return pipe.save(d)

def test_masks_are_read_by_the_colours_of_their_own_dataset(tmp_path, capsys):
    tiny_street(tmp_path / 'm')
    scenes, colors = SyntheticScenes(2, size=(32, 64)), LABEL_SPACE.colors
    turned = replace(LABEL_SPACE, colors=colors[1:] + colors[:1])
    for name, space in (('ids', LABEL_SPACE), ('masks', turned), ('unnamed', LABEL_SPACE)):
        save_scenes(scenes, tmp_path / name, space, 'test')
        if name == 'ids': continue
        for s in scenes: Image.fromarray(np.array(space.colors, np.uint8)[s.label_map[0]]).save(tmp_path / name / f'test/label/{s.name}.png')
    meta = json.loads((tmp_path / 'unnamed/meta.json').read_text())
    for c in meta['classes']: del c['color'] # the model's are all there is
    (tmp_path / 'unnamed/meta.json').write_text(json.dumps(meta))
    for name in ('ids', 'masks', 'unnamed'):
        assert main(['synthesize', str(tmp_path / 'm'), str(tmp_path / name), str(tmp_path / f'of_{name}')]) == 0
    for s in scenes:
        of = [np.asarray(Image.open(tmp_path / f'of_{name}/{s.name}.png')) for name in ('ids', 'masks', 'unnamed')]
        assert (of[0] == of[1]).all() and (of[0] == of[2]).all()

@pytest.mark.parametrize('ignore_id,says', [(None, 'knows no such pixels'), (65535, 'was trained with id 65535')])
def test_pixels_that_a_model_does_not_know_are_no_fault_of_the_dataset(tmp_path, capsys, ignore_id, says):
    tiny_street(tmp_path / 'm', space=replace(LABEL_SPACE, ignore_id=ignore_id))
    scenes = list(SyntheticScenes(2, size=(32, 64)))
    save_scenes(scenes, tmp_path / 'd', replace(LABEL_SPACE, ignore_id=255), 'test')
    assert main(['synthesize', str(tmp_path / 'm'), str(tmp_path / 'd'), str(tmp_path / 'out')]) == 0 # none has any
    scenes[1].label_map[:, 0] = 255
    save_scenes(scenes, tmp_path / 'd', replace(LABEL_SPACE, ignore_id=255), 'test')
    capsys.readouterr()
    assert main(['synthesize', str(tmp_path / 'm'), str(tmp_path / 'd'), str(tmp_path / 'out')]) == 2
    said = capsys.readouterr().err
    assert f'{scenes[1].name}.png has pixels of id 255' in said and says in said and 'meta.json' not in said

TINY = '--batch 2 --width 4 --n-downsample 2 --n-blocks 1 --feature-channels 0 --n-scales 1 --discriminator-width 4 --no-keep-best'.split()

def streets(d, space=LABEL_SPACE, n=3):
    save_scenes(SyntheticScenes(n, size=(32, 64)), d, space, 'train')
    return str(d)

def test_a_training_goes_on_with_its_own_classes(tmp_path, capsys):
    train = lambda d, *more: main(['train', d, str(tmp_path / 'm'), *TINY, '--epochs', '1', '--decay', '0', *more])
    assert train(streets(tmp_path / 'd')) == 0
    assert train(streets(tmp_path / 'other', other_space()), '--resume') == 2
    assert 'go on with the dataset that it began with' in capsys.readouterr().err

def test_twelve_bits_in_sixteen_are_mentioned(tmp_path):
    save = lambda top: lambda path, i: Image.fromarray(np.linspace(0, top, 32 * 64).reshape(32, 64).astype(np.uint16)).save(path.with_suffix('.png'))
    dark, full = examine(folder(tmp_path / 'a', save=save(4095))), examine(folder(tmp_path / 'b', save=save(65535)))
    assert any('up to 4095 only, which 12 bits hold' in n for n in dark.notes), dark.notes
    assert not any('bits hold' in n for n in full.notes)

# nothing of others is written over

def test_a_training_spares_saved_models_and_files_of_yours(tmp_path, capsys):
    d, m = streets(tmp_path / 'd'), tmp_path / 'm'
    train = lambda *more: main(['train', d, str(m), *TINY, '--epochs', '1', '--decay', '0', *more])
    tiny_pipeline().save(m)
    (m / 'weights-vgg19.safetensors').write_bytes(b'mine')
    before = sorted(p.name for p in m.iterdir())
    assert train() == 2 and 'holds a saved model' in capsys.readouterr().err
    assert sorted(p.name for p in m.iterdir()) == before
    assert train('--overwrite') == 0
    assert (m / 'weights-vgg19.safetensors').read_bytes() == b'mine' and len([*m.glob('weights-*')]) == 2
    assert Pix2PixHD.load(m).synthesizer.feature_channels == 0
    assert train() == 2 and 'has checkpoints of an earlier run' in capsys.readouterr().err
    (other := tmp_path / 'other').mkdir()
    (other / 'thesis.txt').write_text('mine')
    assert main(['train', d, str(other), *TINY]) == 2 and 'thesis.txt' in capsys.readouterr().err
    assert main(['train', d, str(other / 'thesis.txt'), *TINY]) == 2 and 'is a file' in capsys.readouterr().err
    assert [p.name for p in other.iterdir()] == ['thesis.txt']

def test_two_trainings_do_not_share_a_folder(tmp_path, capsys):
    with locked(tmp_path / 'm'):
        assert main(['train', streets(tmp_path / 'd'), str(tmp_path / 'm'), *TINY, '--epochs', '1']) == 2
    assert 'Another training' in capsys.readouterr().err and not (tmp_path / 'm').exists() # made for the lock alone

def test_a_full_disk_at_the_end_and_under_previews(tmp_path, monkeypatch, capsys):
    full, real, left = OSError(28, 'No space left on device'), files.save_file, [2]
    def save(*a):
        if left[0]: left[0] -= 1; raise SafetensorError('no space')
        return real(*a)
    def no_pictures(*a): raise full
    monkeypatch.setattr(files, 'save_file', save)
    monkeypatch.setattr(monitor, '_write', no_pictures)
    monkeypatch.setattr(training, 'WAITS', (0, 0, 0))
    assert main(['train', streets(tmp_path / 'd'), str(tmp_path / 'm'), *TINY, '--epochs', '3', '--decay', '0']) == 0
    said = capsys.readouterr().out
    assert said.count('No pictures were written') == 1 and 'was not written' in said and '2 older checkpoints were removed' in said and 'after 3 attempts' in said
    assert Pix2PixHD.load(tmp_path / 'm') and not [*(tmp_path / 'm').glob('.*.part')]

def test_parts_of_killed_programs_go(tmp_path):
    dead = subprocess.run([sys.executable, '-c', 'import os; print(os.getpid())'], capture_output=True, text=True).stdout.strip()
    (tmp_path / f'.weights.{dead}.part').touch()
    (tmp_path / '.mine.part').touch()
    tiny_pipeline().save(tmp_path)
    assert [p.name for p in tmp_path.glob('.*.part')] == ['.mine.part']

# settings, and what nobody foresaw

WRONG = [('--epochs', '0', '--decay', '0'), ('--epochs', '-1'), ('--decay', '-2'), ('--enhancers', '-1'), ('--enhancers', '1', '--frozen', '0'), ('--lr', '-0.001'), ('--lr', 'nan'), ('--lr', '0'),
         ('--batch', '-1'), ('--width', '0'), ('--width', '1000000000'), ('--enhancers', '3', '--width', '4'), ('--n-downsample', '-1'), ('--n-blocks', '-1'), ('--n-scales', '0'), ('--discriminator-width', '0'),
         ('--workers', '-2'), ('--seed', '-1'), ('--seed', '4294967296'), ('--keep', '0'), ('--ema', '1'), ('--gan-weight', 'inf'), ('--save-every', '-1'), ('--steps', '-5')]

@pytest.mark.parametrize('options', WRONG)
def test_numbers_are_checked_before_anything_is_made(tmp_path, capsys, options):
    d = tmp_path / 'd'
    if not d.is_dir(): streets(d)
    assert main(['train', str(d), str(tmp_path / 'm'), *TINY, *options]) == 2
    said = capsys.readouterr().err
    assert said.count('\n') == 1 and (options[0] in said or options[-2] in said), said
    assert 'expected' in said and not (tmp_path / 'm').exists()

@pytest.mark.parametrize('options', [(), ('--n-downsample', '0', '--n-blocks', '0'), ('--n-layers', '1', '--feature-channels', '2', '--encoder-width', '1', '--width', '1')])
def test_what_the_limits_allow_trains(tmp_path, options):
    assert main(['train', streets(tmp_path / 'd'), str(tmp_path / 'm'), *TINY, *options, '--steps', '2']) == 0

@pytest.mark.parametrize('line', ['plan --batch -1', 'plan --classes 0', 'plan --width -3', 'evaluate m d out --steps 0', 'styles m out.png --scenes 0', 'synthesize m d out --seed -1'])
def test_numbers_of_other_commands(line, capsys):
    assert main(line.split()) == 2 and 'expected' in capsys.readouterr().err

def test_options_of_an_earlier_run_are_checked(tmp_path, capsys):
    for text, said in ((dict(width='wide'), "has width: 'wide', expected a value like 64"), (dict(breadth=3), "no option 'breadth'"),
                       (dict(recipe=[1]), 'has recipe: [1], expected a text'), (dict(segmenter=5), 'has segmenter: 5'), (dict(valid=[1, 2]), 'has valid: [1, 2]'),
                       (dict(start=5), 'has start: 5'), (dict(seed=None), 'has seed: None, expected a value like 0'), (dict(keep=None), 'has keep: None'), (dict(lr='much'), "has lr: 'much', expected a number")):
        (tmp_path / 'train.json').write_text(json.dumps(text))
        assert main(['train', streets(tmp_path / 'd'), str(tmp_path / 'm'), '--config', str(tmp_path / 'train.json')]) == 2
        assert said in capsys.readouterr().err and not (tmp_path / 'm').exists()

def test_a_folder_that_cannot_be_made_is_told_first(tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    for line in (['train', streets(tmp_path / 'd'), 'OUT'], ['synthesize', 'm', 'd', 'OUT'], ['evaluate', 'm', 'd', 'OUT'], ['styles', 'm', 'OUT/s.png']):
        assert main([a.replace('OUT', str(tmp_path / 'file')) for a in line]) == 2
        assert 'is a file, expected a folder' in capsys.readouterr().err

@pytest.mark.parametrize('error,status,said', [(KeyError('never mind'), 3, 'holds the details'), (RuntimeError('[enforce fail] DefaultCPUAllocator: not enough memory: you tried'), 2, 'pix2pixhd plan'),
                                               (ValueError(), 2, 'ValueError'), (PermissionError(13, 'Permission denied', 'a.png'), 2, 'a.png')])
def test_an_error_that_was_not_foreseen_is_kept_in_a_file(monkeypatch, capsys, error, status, said):
    def fail(*a, **k): raise error
    monkeypatch.setattr(training, 'examine', fail)
    assert main(['doctor', 'somewhere']) == status
    err = capsys.readouterr().err
    assert said in err and err.count('\n') == 1
    if status == 3: assert 'KeyError' in open(err.split('): ')[1].split(' holds')[0]).read()

# masks, unknown pixels, plain object numbers

def test_masks_of_two_values(tmp_path, capsys):
    d = folder(tmp_path / 'd', meta=False)
    for p in (d / 'train/label').iterdir(): Image.fromarray(IDS * 255).save(p)
    assert main(['doctor', str(d)]) == 1 and 'masks of two classes' in capsys.readouterr().out
    assert main(['doctor', str(d), '--write-meta']) == 0 and 'Fit to train on' in capsys.readouterr().out
    scene = open_dataset(d)[0]
    assert (scene.label_map[0].numpy() == IDS).all()
    assert main(['doctor', str(d), '--write-meta']) == 2 and 'is there already' in capsys.readouterr().err
    assert main(['train', str(d), str(tmp_path / 'm'), *TINY, '--steps', '2']) == 0

def test_write_meta_of_ids(tmp_path):
    d = folder(tmp_path / 'd', meta=False)
    assert main(['doctor', str(d), '--write-meta']) == 0 and open_dataset(d).label_space.n_classes == 2

@pytest.mark.parametrize('meta', [dict(ignore_ids=[0]), dict(ignore_id=0)])
def test_unknown_pixels_may_be_zero(tmp_path, meta):
    d = folder(tmp_path / 'd', meta=False)
    (d / 'meta.json').write_text(json.dumps(meta | dict(classes=[dict(id=1, name='sky'), dict(id=2, name='sea')])))
    space = open_dataset(d).label_space
    assert space.names == ('unlabeled', 'sky', 'sea') and space.unscored == (0,) and LabelSpace.from_dict(space.to_dict()) == space
    assert examine(d).verdict.startswith('Fit to train on')

def test_plain_object_numbers(tmp_path):
    d = folder(tmp_path / 'd')
    (d / 'train/inst').mkdir()
    for i in range(3): Image.fromarray(IDS * 7 + 3).save(d / f'train/inst/{i}.png')
    assert 'write "instance_ids": "any" into meta.json' in examine(d).verdict
    described = json.loads((d / 'meta.json').read_text())
    (d / 'meta.json').write_text(json.dumps(described | dict(instance_ids='any')))
    assert examine(d).verdict.startswith('Fit to train on')
    assert main(['train', str(d), str(tmp_path / 'm'), *TINY, '--steps', '2']) == 0
    (d / 'meta.json').write_text(json.dumps(described | dict(instance_ids='some')))
    assert 'expected coded, any or components' in examine(d).verdict

@pytest.mark.parametrize('stuff', ['numbered', 'nought'])
def test_object_numbers_of_16_bits_are_doubted(tmp_path, stuff):
    "A training tells them apart; but the editor takes the class of an object from its id."
    scenes = SyntheticScenes(2, size=(32, 64), seed=1)
    d = save_scenes(scenes, tmp_path / 'd', scenes.label_space)
    assert not examine(d).problems
    for s in scenes:
        ids = s.instance_map[0].numpy()
        plain = np.unique(ids, return_inverse=True)[1].reshape(ids.shape) + 1
        if stuff == 'nought': plain[ids < 1000] = 0
        Image.fromarray(plain.astype(np.uint16)).save(d / f'train/inst/{s.name}.png')
    report = examine(d)
    assert [p.kind for p in report.problems] == ['numbers'] * 2 and report.verdict.startswith('Fit to train on')
    assert 'with a doubt about 2 of them' in report.verdict and 'in another way than class * 1000 + k' in report.verdict and '"instance_ids": "any"' in report.verdict
    data = open_dataset(d)
    with pytest.warns(UserWarning, match='in another way than class') as said: scene, _ = data
    assert len(said) == 1 and (scene.instance_map[0].numpy() > 0).any()
    with pytest.raises(ValueError, match='ids must be class'): SceneEditor(scene.label_map, scene.instance_map, data.label_space)
    meta = json.loads((d / 'meta.json').read_text())
    (d / 'meta.json').write_text(json.dumps(meta | dict(instance_ids='any')))
    assert not examine(d).problems

def test_numbers_that_stand_for_an_object_and_a_class_are_doubted(tmp_path):
    scenes = SyntheticScenes(1, size=(32, 64), seed=1)
    d = save_scenes(scenes, tmp_path / 'd', scenes.label_space)
    ids = scenes[0].instance_map[0].numpy()
    number = {i: n + 1 for n, i in enumerate(np.unique(ids[ids >= 1000]).tolist())}
    Image.fromarray(np.vectorize(lambda i: number.get(i, i))(ids).astype(np.uint16)).save(d / f'train/inst/{scenes[0].name}.png')
    assert [p.kind for p in examine(d).problems if p.kind != 'split'] == ['disagreement'] and 'no number stands for an object and for a class' in examine(d).table()

def test_coded_ids_are_read_alike_where_any_is_said(tmp_path):
    scenes = SyntheticScenes(2, size=(32, 64), seed=1)
    d = save_scenes(scenes, tmp_path / 'd', scenes.label_space)
    (d / 'meta.json').write_text(json.dumps(json.loads((d / 'meta.json').read_text()) | dict(instance_ids='any')))
    scene = open_dataset(d)[0]
    assert (scene.instance_map == scenes[0].instance_map).all() and not examine(d).problems
    assert (SceneEditor(scene.label_map, scene.instance_map, LABEL_SPACE).instance_map == scene.instance_map[0].numpy()).all()


@pytest.mark.parametrize('tag', range(1, 9))
@pytest.mark.parametrize('end', ['png', 'tif'])
def test_orientation_of_16_bits_in_several_channels(tmp_path, tag, end):
    "Photos of 16 bits are turned as those of 8 are, and their headers say so."
    deep = np.random.default_rng(tag).integers(0, 256, (20, 30, 3)).astype(np.uint16) * 257
    path, shallow, exif = tmp_path / f'deep.{end}', tmp_path / f'shallow.{end}', Image.Exif()
    exif[0x0112] = tag
    Image.fromarray((deep // 257).astype(np.uint8)).save(shallow, exif=exif)
    if end == 'tif': pytest.importorskip('tifffile').imwrite(path, deep, photometric='rgb', extratags=[(0x0112, 'H', 1, tag, True)])
    else:
        data = exif.tobytes().removeprefix(b'Exif\0\0')
        chunk = struct.pack('>I', len(data)) + b'eXIf' + data + struct.pack('>I', zlib.crc32(b'eXIf' + data))
        path.write_bytes(png_bytes(deep, 'a test')[:33] + chunk + png_bytes(deep, 'a test')[33:])
    image = read_image(path)
    assert torch.equal(image, read_image(shallow))
    assert header_of(path).size == tuple(image.shape[1:])


def test_a_picture_of_another_colour_space_is_read_as_colours(tmp_path):
    photo = Image.fromarray(np.kron(COLOURS[IDS[::8, ::8]], np.ones((8, 8, 1), np.uint8)))
    for mode in ('CMYK', 'YCbCr', 'HSV', 'LAB'):
        assert (from_pil(photo.convert(mode)) - from_pil(photo)).abs().max() < 0.1, mode
