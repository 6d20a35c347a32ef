"Pictures from pictures, with no labels, by the commands."
import re
import sys
from importlib.util import find_spec
import numpy as np
import pytest
import torch
from PIL import Image
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.core import Scene
from pix2pixhd_nb.data.arrays import array_header, channels_first, to_image, to_numbers, write_picture
from pix2pixhd_nb.data.layouts import open_dataset
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.pictures import read_image
from pix2pixhd_nb.models.saved import street_folder
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.learner import pix2pixhd_learner

TINY = '--width 8 --n-downsample 2 --n-blocks 1 --discriminator-width 8 --n-scales 2 --epochs 1 --decay 1 --batch 1'.split()


def pairs(folder, modes):
    rng = np.random.default_rng(0)
    for split, n in (('train', 3), ('test', 1)):
        for side, mode in zip('AB', modes):
            (folder/f'{split}_{side}').mkdir(parents=True)
            for i in range(n): Image.fromarray(rng.integers(0, 256, (32, 64, 4), dtype=np.uint8)).convert(mode).save(folder/f'{split}_{side}'/f'{i}.png')
    return folder


@pytest.mark.parametrize('modes, asked', [(('RGB', 'RGB'), 'RGB'), (('L', 'RGB'), 'own'), (('L', 'L'), 'L'), (('RGBA', 'RGBA'), 'RGBA')])
def test_trained_and_generated_by_the_commands(modes, asked, tmp_path):
    data, model = pairs(tmp_path/'data', modes), tmp_path/'model'
    assert main(['train', str(data), str(model), '--image-mode', asked, '--recipe', 'small' if asked == 'RGB' else 'paper', *TINY]) == 0
    assert main(['synthesize', str(model), str(data), str(tmp_path/'out')]) == 0
    assert Image.open(tmp_path/'out'/'0.png').mode == modes[1]
    pipe = Pix2PixHD.load(model)
    assert pipe.synthesizer.encoder is None and pipe.synthesizer.feature_channels == 0 # a recipe with features, but no labels
    for source in (data/'test_A'/'0.png', Image.open(data/'test_A'/'0.png')): # what it was trained on, and by either way
        assert (np.asarray(pipe.predict(source)) == np.asarray(Image.open(tmp_path/'out'/'0.png'))).all()


def test_graded_by_the_command(tmp_path, capsys):
    data, model = pairs(tmp_path/'data', ('L', 'RGB')), tmp_path/'model'
    assert main(['train', str(data), str(model), '--image-mode', 'own', *TINY]) == 0
    assert main(['evaluate', str(model), str(data), str(tmp_path/'graded'), '--split', 'train']) == 0
    assert "another scene's target" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path/'graded').iterdir()) == ['evaluation.json', 'grid.png', 'table.txt']


def test_what_needs_label_maps_says_so_of_pairs(tmp_path, capsys):
    from test_inputs import tiny_street
    data, model = pairs(tmp_path/'data', ('L', 'RGB')), tiny_street(tmp_path/'model')
    for who, line in (('to-colors', 'convert to-colors'), ('to-labelme', 'convert to-labelme'), ('to-coco-panoptic', 'convert to-coco-panoptic'),
                      ('the model in', f'evaluate {model}'), ('the model in', f'synthesize {model}')):
        more = [] if who != 'the model in' else ['--split', 'train']
        assert main([*line.split(), str(data), str(tmp_path/'out'), *more]) == 2
        said = capsys.readouterr().err
        assert f'is a dataset of pairs of pictures, which have no classes, and {who}' in said and 'needs label maps' in said
        assert said.count('\n') == 1 and not (tmp_path/'out').exists()


@pytest.mark.parametrize('more, said', [(['--start', str(street_folder())], 'start from a model without styles'), (['--feature-channels', '3'], 'leave feature_channels out')])
def test_pairs_have_no_styles_to_go_on_with(more, said, tmp_path, capsys):
    data = pairs(tmp_path/'data', ('RGB', 'RGB'))
    assert main(['train', str(data), str(tmp_path/'model'), '--anyway', '--steps', '2', '--valid', '0', *more]) == 2
    assert said in capsys.readouterr().err and not (tmp_path/'model'/'train.json').exists()
    scenes = open_dataset(data, 'train')
    options = dict(start=street_folder()) if 'start' in more[0] else dict(feature_channels=3)
    with pytest.raises(ValueError, match=said): pix2pixhd_learner(scene_dataloaders(scenes, scenes, bs=1), **options)


# channels and depth: what a photo of 8 bits cannot hold

def numbers(kind, rng, h=32, w=64):
    "A picture of a kind, as the array that its file holds."
    return {'L': lambda: rng.integers(0, 256, (h, w), np.uint8), 'RGB': lambda: rng.integers(0, 256, (h, w, 3), np.uint8),
            'L16': lambda: rng.integers(0, 65536, (h, w), np.uint16), 'RGB16': lambda: rng.integers(0, 65536, (h, w, 3), np.uint16),
            'RGBA16': lambda: rng.integers(0, 65536, (h, w, 4), np.uint16), 'bands13': lambda: rng.integers(0, 65536, (13, h, w), np.uint16),
            'bands6': lambda: rng.integers(0, 65536, (h, w, 6), np.uint16), 'float2': lambda: rng.random((h, w, 2), np.float32), 'floats': lambda: rng.random((h, w), np.float64)}[kind]()

def deep_pairs(folder, sides, n=(('train', 3), ('test', 1))):
    "A dataset of pairs; each side is a kind and an ending."
    rng = np.random.default_rng(0)
    for split, count in n:
        for side, (kind, end) in zip('AB', sides):
            for i in range(count):
                path = folder/f'{split}_{side}'/f'{i}.{end}'
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, numbers(kind, rng)) if end == 'npy' else write_picture(path, numbers(kind, rng))
    return folder

def read_numbers(path):
    header = array_header(path)
    return header.numbers() if header else channels_first(np.asarray(Image.open(path)))

def tiff(*values): return pytest.param(*values, marks=pytest.mark.skipif(find_spec('tifffile') is None, reason='the extra tiff is not installed'))

KINDS = [(('RGB', 'png'), ('L16', 'png'), ('RGB', 'L'), 'png', 16), (('L16', 'png'), ('RGB16', 'png'), ('L', 'RGB'), 'png', 16), (('bands13', 'npy'), ('RGBA16', 'png'), (13, 'RGBA'), 'png', 16),
         (('float2', 'npy'), ('bands13', 'npy'), (2, 13), 'npy', 16), (('RGB16', 'png'), ('floats', 'npy'), ('RGB', 'L'), 'npy', 32), tiff(('bands6', 'tif'), ('RGB16', 'tif'), (6, 'RGB'), 'tiff', 16),
         tiff(('L', 'tif'), ('bands6', 'tif'), ('L', 6), 'tiff', 8)]

@pytest.mark.parametrize('source, target, read, format, bits', KINDS)
def test_channels_and_depth_through_the_commands(source, target, read, format, bits, tmp_path, capsys):
    data, model, out = deep_pairs(tmp_path/'data', (source, target)), tmp_path/'model', tmp_path/'out'
    assert main(['doctor', str(data), '--sheet', str(tmp_path/'sheet.png')]) == 0
    said = capsys.readouterr().out
    for what, mode in zip(('Inputs', 'Targets'), read): assert re.search(rf"{what} are .*: they are read as {mode}{' channels' if isinstance(mode, int) else ''}\.", said), said
    assert main(['train', str(data), str(model), '--valid', '0', *TINY]) == 0
    pipe = Pix2PixHD.load(model)
    assert pipe.channels == read
    assert main(['synthesize', str(model), str(data), str(out), '--format', format, '--bits', str(bits)]) == 0
    path = next((data/'test_A').iterdir())
    exact, made = pipe.predict(path, bits=32), read_numbers(out/f'0.{format}')
    count = {'L': 1, 'RGB': 3, 'RGBA': 4}.get(read[1], read[1])
    assert made.shape == (count, 32, 64) and made.dtype == {8: np.uint8, 16: np.uint16, 32: np.float32}[bits]
    top = 1 if bits == 32 else 2**bits - 1
    assert np.abs(made / top - channels_first(exact)).max() <= (0.5 / top if bits < 32 else 0) + 1e-6
    assert exact.std() > 1e-3 and len(np.unique(made)) > (100 if bits == 8 else 1000) # no step of 8 bits in it
    assert main(['synthesize', str(model), str(data), str(out), '--format', format, '--bits', str(bits)]) == (2 if format == 'npy' else 0) # its own files may be replaced; npy has no place to say whose it is
    assert main(['evaluate', str(model), str(data), str(tmp_path/'graded'), '--split', 'train']) == 0


def test_what_is_read_is_what_was_written(tmp_path):
    "The numbers of 16 bits reach the networks, and the targets, whole."
    data = deep_pairs(tmp_path/'data', (('RGB16', 'png'), ('bands13', 'npy')))
    scene = open_dataset(data)[0]
    for image, path in ((scene.label_map, data/'train_A/0.png'), (scene.image, data/'train_B/0.npy')):
        assert (to_numbers(image, 16) == np.moveaxis(read_numbers(path), 0, -1)).all()


def test_pictures_in_an_array_and_in_a_file_are_the_same(tmp_path):
    data, model = deep_pairs(tmp_path/'data', (('bands13', 'npy'), ('L', 'png'))), tmp_path/'model'
    assert main(['train', str(data), str(model), '--valid', '0', *TINY]) == 0
    pipe, path = Pix2PixHD.load(model), data/'test_A'/'0.npy'
    expected = np.asarray(pipe.predict(path))
    for source in (np.load(path), np.load(path).transpose(1, 2, 0), to_image(np.load(path)), (np.load(path) / 65535).astype(np.float32)):
        assert np.abs(np.asarray(pipe.predict(source)).astype(int) - expected).max() <= (source.dtype == np.float32)


def broken(path, what):
    "Put a file that cannot be used in the place of a good one."
    path.unlink(missing_ok=True)
    good = np.random.default_rng(0).random((32, 64, 13)).astype(np.float32)
    if what == 'channels': np.save(path, good[..., :5])
    if what == 'nan': good[3, 4, 5] = np.nan; np.save(path, good)
    if what == 'range': np.save(path, good * 3)
    if what == 'type': np.save(path, (good * 100).astype(np.int64))
    if what == 'axes': np.save(path, good[None])
    if what == 'pickle': np.save(path, np.array([dict(a=print)]), allow_pickle=True)
    if what == 'cut': np.save(path, good); path.write_bytes(path.read_bytes()[:-100])
    if what == 'terabytes':
        with open(path, 'wb') as f: np.lib.format.write_array_header_1_0(f, dict(descr='<f4', fortran_order=False, shape=(13, 2**21, 2**20)))
    if what == 'sparse': # the file is as long as it says, on a disk that stores no zeros
        with open(path, 'wb') as f:
            np.lib.format.write_array_header_1_0(f, dict(descr='<f4', fortran_order=False, shape=(13, 2**15, 2**14)))
            f.truncate(f.tell() + 13 * 2**31)

@pytest.mark.parametrize('what, says', dict(channels='has 5 channels, and . of . files there have 13', nan='holds NaN', range='holds floats from .* expected 0 to 1', type='type int64, expected uint8', axes=r'the shape \(1, 32, 64, 13\)',
                                            pickle='Python objects', cut='cannot be decoded', terabytes='cannot be decoded', sparse='claims more than').items())
def test_a_wrong_file_is_named_in_one_message(what, says, tmp_path, capsys):
    data = deep_pairs(tmp_path/'data', (('bands13', 'npy'), ('L', 'png')))
    bad = data/'train_A'/'1.npy'
    broken(bad, what)
    assert main(['doctor', str(data)]) == 1
    assert re.search(rf'Not fit to train on.*{re.escape(str(bad))}.*{says}', capsys.readouterr().out)
    assert main(['train', str(data), str(tmp_path/'model'), '--valid', '0', *TINY]) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1 and re.search(rf'{re.escape(str(bad))}.*{says}', said), said
    assert not (tmp_path/'model'/'pipeline.json').exists()


def test_other_channels_are_refused_by_name(tmp_path, capsys):
    data, model = deep_pairs(tmp_path/'data', (('bands13', 'npy'), ('L', 'png'))), tmp_path/'model'
    assert main(['train', str(data), str(model), '--valid', '0', *TINY]) == 0
    other = deep_pairs(tmp_path/'other', (('RGB', 'png'), ('L', 'png')))
    for command in ('synthesize', 'evaluate'):
        assert main([command, str(model), str(other), str(tmp_path/'out'), '--split', 'test']) == 2
        assert '0.png has 3 channels, expected 13' in capsys.readouterr().err
    with pytest.raises(ValueError, match='has 3 channels, expected 13'): Pix2PixHD.load(model).predict(other/'test_A'/'0.png')
    with pytest.raises(ValueError, match='image of 3 channels but the model was built for 13'): Pix2PixHD.load(model).predict(np.zeros((32, 64, 3), np.uint8))
    for words, says in ((['--format', 'png', '--bits', '32'], 'expected 8 or 16 for png'), (['--format', 'gif'], 'expected one of png, tiff, npy'), (['--bits', '12'], 'expected 8 or 16')):
        assert main(['synthesize', str(model), str(data), str(tmp_path/'out'), *words]) == 2
        assert says in capsys.readouterr().err


def test_mixed_pictures_are_brought_to_the_richest(tmp_path):
    data = pairs(tmp_path/'data', ('L', 'RGB'))
    Image.new('RGBA', (64, 32), (10, 20, 30, 40)).save(data/'train_A'/'1.png')
    scenes = open_dataset(data)
    assert scenes.image_mode == ('RGBA', 'RGB') and {s.label_map.shape[0] for s in scenes} == {4}
    assert (scenes[0].label_map[3] == 1).all() # opaque


def test_doctor_tells_floats_of_different_ranges(tmp_path, capsys):
    data = pairs(tmp_path/'data', ('RGB', 'L'))
    for i, top in enumerate((1, 80, 80)):
        (data/'train_B'/f'{i}.png').unlink()
        Image.fromarray(np.linspace(0, top, 32 * 64, dtype=np.float32).reshape(32, 64)).save(data/'train_B'/f'{i}.tif')
    assert main(['doctor', str(data)]) == 0
    assert re.search(r'Targets of floats .* these differ: 0\.tif by 0 to 1, [12]\.tif by 0 to 255', capsys.readouterr().out)


def test_tiff_of_many_bands_says_what_is_missing(tmp_path, monkeypatch, capsys):
    pytest.importorskip('tifffile')
    data = deep_pairs(tmp_path/'data', (('bands6', 'tif'), ('L', 'png')))
    monkeypatch.setitem(sys.modules, 'tifffile', None)
    assert main(['train', str(data), str(tmp_path/'model'), '--valid', '0', *TINY]) == 2
    said = capsys.readouterr().err
    assert '0.tif' in said and "pip install 'pix2pixhd_nb[tiff]'" in said and len(said.strip().splitlines()) == 1


@pytest.mark.parametrize('stack', [False, True])
def test_bands_of_a_tiff_are_not_lost(stack, tmp_path):
    "8-bit bands beyond the third, which Pillow drops, and a stack of grey pages."
    tifffile = pytest.importorskip('tifffile')
    bands = np.random.default_rng(0).integers(0, 256, (5, 16, 24), np.uint8)
    if stack: tifffile.imwrite(tmp_path/'a.tif', bands)
    else: tifffile.imwrite(tmp_path/'a.tif', bands.transpose(1, 2, 0), photometric='rgb', planarconfig='contig')
    assert (to_numbers(read_image(tmp_path/'a.tif', 5), 8).transpose(2, 0, 1) == bands).all()


@pytest.mark.parametrize('read, boundary', [((13, 1), True), ((4, 13), False)])
def test_exported_graph_equals_torch(read, boundary, tmp_path):
    ort = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    import torch
    from pix2pixhd_nb.models.generators import GlobalGenerator
    from pix2pixhd_nb.models.synthesizer import Synthesizer
    import pix2pixhd_nb.synthesis.export # noqa: F401, gives the method
    torch.manual_seed(0)
    network = GlobalGenerator(read[0] + boundary, out_channels=read[1], width=4, n_downsample=2, n_blocks=1)
    for m in network.modules():
        if isinstance(m, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)): torch.nn.init.normal_(m.weight, 0, 0.1)
    pipe = Pix2PixHD(Synthesizer(network, read[0], boundary=boundary), training=dict(pictures=list(read)))
    image, = pipe.export(tmp_path/'out.onnx')
    session = ort.InferenceSession(image)
    assert [i.name for i in session.get_inputs()] == ['picture']
    for h, w in (32, 64), (48, 40):
        picture = torch.rand(1, read[0], h, w) * 2 - 1
        expected = pipe.predict(picture, bits=32)
        made = (session.run(None, dict(picture=picture.numpy()))[0][0] + 1) / 2
        assert expected.std() > 0.01 and np.abs(made - channels_first(expected)).max() < 1e-4


def test_pictures_of_pairs_are_called_input_and_target(monkeypatch):
    titles = []
    monkeypatch.setattr('pix2pixhd_nb.data.loaders.show_images', lambda pictures, names, **k: titles.append([n for n in names if n]))
    monkeypatch.setattr('pix2pixhd_nb.core.show_images', lambda pictures, names, **k: titles.append(list(names)))
    image = torch.rand(3, 32, 32) * 2 - 1
    pair = Scene(torch.rand(1, 32, 32), None, image, 'pair')
    pair.show()
    dls = scene_dataloaders([pair] * 2, [pair], bs=2, device='cpu')
    dls.show_batch()
    dls.valid.show_results(dls.valid.one_batch(), image[None])
    scene = Scene(torch.zeros(1, 32, 32, dtype=torch.long), None, image, 'scene')
    scene.show()
    dls = scene_dataloaders([scene] * 2, [scene], bs=2, device='cpu')
    dls.show_batch()
    assert titles == [['input', 'target']] * 2 + [['input', 'generated', 'target'], ['label map', 'image'], ['label map', 'instance map', 'image']]
