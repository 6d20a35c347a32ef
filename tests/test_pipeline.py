"A saved pipeline: it generates what it generated, takes every size and mode, and a damaged folder is told in an error message."
import hashlib
import json
import os
import pickle
from pathlib import Path
import numpy as np
import pytest
import torch
from PIL import Image
from pix2pixhd_nb.core import LabelSpace, Scene, to_pil
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.synthesis.weights_2018 import read_2018_encoder, read_2018_generator
from pix2pixhd_nb.models.encoder import FeatureEncoder
from pix2pixhd_nb.models.generators import CoarseToFineGenerator, GlobalGenerator
from pix2pixhd_nb.models.synthesizer import Synthesizer
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.synthesis.styles import StyleBook, measure_features
from pix2pixhd_nb.training.learner import pix2pixhd_learner

SIZE = 32, 64
GOLDEN = torch.load(Path(__file__).parent/'golden.pt', weights_only=True)


def small_pipeline(seed=0, width=4):
    "No encoder, no enhancer, random weights."
    torch.manual_seed(seed)
    n = LABEL_SPACE.n_classes
    return Pix2PixHD(Synthesizer(GlobalGenerator(n + 1, width=width, n_downsample=2, n_blocks=1), n), LABEL_SPACE)

def image_pipeline(given, made):
    "Image to image."
    torch.manual_seed(0)
    return Pix2PixHD(Synthesizer(GlobalGenerator(given, made, width=4, n_downsample=2, n_blocks=1), given, boundary=False))

@pytest.fixture(scope='module')
def trained():
    "With an encoder and an enhancer, trained for two batches."
    torch.manual_seed(0)
    dls = scene_dataloaders(SyntheticScenes(4, size=SIZE), SyntheticScenes(2, size=SIZE, seed=1), bs=2, device='cpu')
    learn = pix2pixhd_learner(dls, width=8, n_downsample=1, n_blocks=1, n_enhancers=1, n_enhancer_blocks=1, feature_channels=3,
                              encoder_width=4, discriminator_width=4, n_scales=2)
    with learn.no_bar(), learn.no_logging(): learn.fit(1)
    return Pix2PixHD.from_learner(learn)

@pytest.fixture(scope='module')
def scene(): return SyntheticScenes(1, size=SIZE, seed=5)[0]

def pixels(picture): return np.asarray(picture)


# save and load

def test_a_loaded_pipeline_generates_the_same(trained, scene, tmp_path):
    loaded = Pix2PixHD.load(trained.save(tmp_path/'model'))
    for styles in (dict(seed=3), dict(reference=to_pil(scene.image))):
        generated, again = (pixels(p.predict(scene.label_map, scene.instance_map, **styles)) for p in (trained, loaded))
        assert generated.shape == (*SIZE, 3) and (generated == again).all()
    assert loaded.label_space == trained.label_space and loaded.description() == trained.description()


def test_a_folder_holds_json_and_safetensors_alone(trained, scene, tmp_path, monkeypatch):
    folder = trained.save(tmp_path)
    for _ in range(2): small_pipeline().save(folder)
    assert sorted(f.suffix for f in folder.iterdir()) == ['.json', '.safetensors']
    def refuse(*args, **kwargs): raise AssertionError('a pickle was opened')
    for module, name in ((pickle, 'load'), (pickle, 'loads'), (pickle, 'Unpickler'), (torch, 'load')): monkeypatch.setattr(module, name, refuse)
    assert Pix2PixHD.load(folder).predict(scene.label_map).size == SIZE[::-1]


@pytest.mark.parametrize('survived', range(3))
def test_a_save_cut_short_leaves_a_whole_model(scene, tmp_path, monkeypatch, survived):
    "However many renames a save gets through, the folder loads, and is the old model or the new one."
    old, new = small_pipeline(0), small_pipeline(1)
    old.save(tmp_path)
    left, replace = [survived], os.replace
    def replace_until_the_power_goes(*args):
        if not left[0]: raise KeyboardInterrupt
        left[0] -= 1
        replace(*args)
    monkeypatch.setattr(os, 'replace', replace_until_the_power_goes)
    try: new.save(tmp_path)
    except KeyboardInterrupt: pass
    generated = pixels(Pix2PixHD.load(tmp_path).predict(scene.label_map))
    assert (generated == pixels((new if survived > 1 else old).predict(scene.label_map))).all()


def test_2018_weights_become_a_pipeline(tmp_path):
    "The three .pth files of the 2018 code, one folder, the golden picture (the reference is 8-bit, so a few levels off)."
    for name, key in (('latest_net_G.pth', 'one_enhancer'), ('latest_net_E.pth', 'encoder')): torch.save(GOLDEN['state'][key], tmp_path/name)
    generator, encoder = read_2018_generator(tmp_path/'latest_net_G.pth'), read_2018_encoder(tmp_path/'latest_net_E.pth')
    n, t = GOLDEN['config']['n_classes'], GOLDEN['tensors']
    synthesizer = Synthesizer(generator, n, encoder, encode_at='full')
    pipe = Pix2PixHD.load(Pix2PixHD(synthesizer, LabelSpace([f'class {i}' for i in range(n)])).save(tmp_path/'model'))
    assert pipe.synthesizer.encode_at == 'full'
    for label, instances, image, expected in zip(t['label'], t['inst'], t['image'], t['one_enhancer']):
        generated = pixels(pipe.predict(label, instances, reference=to_pil(image))).astype(int)
        assert abs(generated - pixels(to_pil(expected)).astype(int)).max() <= 3
        with torch.no_grad(): assert torch.allclose(pipe.synthesizer(label[None], instances[None], image[None])[0], expected, atol=1e-4 * expected.abs().max().item())


# damage

def edit(change):
    def damage(folder):
        d = json.loads((folder/'pipeline.json').read_text())
        change(d)
        (folder/'pipeline.json').write_text(json.dumps(d))
    return damage

def weights_file(folder): return next(folder.glob('*.safetensors'))

def cut(folder): weights_file(folder).write_bytes(weights_file(folder).read_bytes()[:-100])

def flip(folder):
    data = bytearray(weights_file(folder).read_bytes())
    data[-50] ^= 1
    weights_file(folder).write_bytes(data)

def other_weights(folder):
    "Whole weights of another architecture, checksum and all."
    other = small_pipeline(width=6).save(folder/'other')
    weights_file(other).replace(weights_file(folder))
    edit(lambda d: d.update(weights=dict(file=weights_file(folder).name, sha256=hashlib.sha256(weights_file(folder).read_bytes()).hexdigest())))(folder)

def not_safetensors(folder):
    weights_file(folder).write_bytes(b'\x80\x04\x95')
    edit(lambda d: d['weights'].update(sha256=hashlib.sha256(b'\x80\x04\x95').hexdigest()))(folder)

DAMAGE = {
    'weights cut': (cut, 'is damaged: its checksum'),
    'one bit flipped': (flip, 'is damaged: its checksum'),
    'weights missing': (lambda f: weights_file(f).unlink(), 'is not there, though pipeline.json names it'),
    'weights of another model': (other_weights, 'do not fit the architecture'),
    'not safetensors': (not_safetensors, 'cannot be read as safetensors'),
    'json missing': (lambda f: (f/'pipeline.json').unlink(), 'expected a folder written by Pix2PixHD.save'),
    'json cut': (lambda f: (f/'pipeline.json').write_text((f/'pipeline.json').read_text()[:-40]), 'is not JSON'),
    'json of something else': (lambda f: (f/'pipeline.json').write_text('[1, 2]'), 'expected .pix2pixhd_nb pipeline 2'),
    'another version': (edit(lambda d: d.update(format='pix2pixhd_nb pipeline 9')), "has format 'pix2pixhd_nb pipeline 9'"),
    'unknown generator': (edit(lambda d: d['generator'].update(kind='VGG')), "kind 'VGG'"),
    'wider generator': (edit(lambda d: d['generator'].update(width=5)), 'do not fit the architecture'),
    'a class too many': (edit(lambda d: d['label_space']['classes'].append(dict(id=9, name='x'))), '10 classes but the networks were built for 9'),
}

@pytest.mark.parametrize('what', DAMAGE)
def test_damage_is_told_in_an_error_message(what, tmp_path):
    damage, says = DAMAGE[what]
    damage(small_pipeline().save(tmp_path))
    with pytest.raises((ValueError, FileNotFoundError), match=says) as e: Pix2PixHD.load(tmp_path)
    assert '\n' not in str(e.value)


@pytest.mark.parametrize('part, key', [('generator', 'in_channels'), ('generator', 'kind'), ('input', 'n_classes'), (None, 'generator'),
                                       (None, 'encoder'), (None, 'input'), (None, 'label_space'), (None, 'weights'), ('weights', 'file'), ('weights', 'sha256')])
def test_a_missing_entry_is_told_in_an_error_message(part, key, tmp_path):
    small_pipeline().save(tmp_path)
    edit(lambda d: (d[part] if part else d).pop(key))(tmp_path)
    with pytest.raises(ValueError, match='pipeline.json'): Pix2PixHD.load(tmp_path)


# inputs of every size and mode

@pytest.mark.parametrize('size', [(1, 1), (5, 9), (33, 64), (37, 71), (64, 32)])
def test_any_size_is_padded_and_cropped_back(trained, size):
    label = torch.arange(size[0] * size[1]).view(1, *size) % 3
    assert pixels(trained.predict(label, seed=0)).shape == (*size, 3)
    assert pixels(small_pipeline().predict(label)).shape == (*size, 3)


def test_a_fitting_size_is_generated_as_it_is(scene):
    pipe = small_pipeline()
    with torch.no_grad(): plain = to_pil(pipe.synthesizer(scene.label_map[None], scene.instance_map[None]))
    assert (pixels(plain) == pixels(pipe.predict(scene.label_map, scene.instance_map))).all()


def test_label_maps_of_every_form_give_the_same(scene, tmp_path):
    pipe, ids = small_pipeline(), scene.label_map[0].numpy().astype(np.uint8)
    instances = scene.instance_map[0].numpy()
    deep = Image.fromarray(instances.astype(np.uint16))
    Image.fromarray(ids).save(tmp_path/'label.png')
    deep.save(tmp_path/'inst.png')
    expected = pixels(pipe.predict(scene.label_map, scene.instance_map))
    for label, inst in ((ids, instances), (Image.fromarray(ids), deep), (tmp_path/'label.png', tmp_path/'inst.png'), (scene.label_map[None], instances.astype(np.int64) + 2**31)):
        assert (pixels(pipe.predict(label, inst)) == expected).all()


@pytest.mark.parametrize('given, made, mode', [(1, 3, 'L'), (3, 1, 'RGB'), (4, 4, 'RGBA'), (4, 3, 'RGBA')])
def test_image_to_image_in_every_mode(given, made, mode, tmp_path):
    pipe = Pix2PixHD.load(image_pipeline(given, made).save(tmp_path/'model'))
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (19, 30, 4), dtype=np.uint8)).convert(mode)
    picture.save(tmp_path/'a.png')
    result = pipe.predict(picture)
    assert result.mode == {1: 'L', 3: 'RGB', 4: 'RGBA'}[made] and result.size == (30, 19)
    assert (pixels(result) == pixels(pipe.predict(tmp_path/'a.png'))).all()


def test_more_channels_go_in_and_more_come_out():
    six = torch.rand(6, 16, 16) * 2 - 1
    assert image_pipeline(6, 3).predict(six).mode == 'RGB'
    made = image_pipeline(6, 5).predict(six)
    assert made.shape == (16, 16, 5) and made.dtype == np.uint8


@pytest.mark.parametrize('make, says', [
    (lambda p, s: p.predict(to_pil(s.image)), 'colours that the label space does not list'),
    (lambda p, s: p.predict(to_pil(s.image).convert('CMYK')), 'mode CMYK'),
    (lambda p, s: p.predict(s.label_map.float()), 'expected .H, W. integer ids'),
    (lambda p, s: p.predict(torch.full((1, 4, 4), 99)), r'id 99 \(16 pixels\)'),
    (lambda p, s: p.predict(torch.full((1, 4, 4), 255)), r'id 255 .* pass ignore_id=255'),
    (lambda p, s: p.predict(s.label_map, s.instance_map[..., :9]), 'instance_map is 9x32 but label_map is 64x32'),
    (lambda p, s: p.predict(s.label_map, reference=to_pil(s.image).resize((32, 16))), 'reference is 32x16 but label_map is 64x32'),
    (lambda p, s: image_pipeline(4, 3).predict(s.image), 'image of 3 channels but the model was built for 4'),
    (lambda p, s: p.predict('no/such.png'), 'such.png'),
])
def test_wrong_input_is_refused_in_an_error_message(trained, scene, make, says):
    with pytest.raises((ValueError, FileNotFoundError), match=says) as e: make(trained, scene)
    assert '\n' not in str(e.value)


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='in_channels=10'): Synthesizer(GlobalGenerator(7, width=4), 9)
    with pytest.raises(ValueError, match='in_channels=13'): Synthesizer(CoarseToFineGenerator(10, width=2), 9, FeatureEncoder(width=4))


# synthesize

def test_synthesize_writes_every_scene_as_png(tmp_path):
    n, pipe = 60, small_pipeline()
    scenes = [Scene(torch.full((1, 8, 16), i % 9), name=f'city/scene_{i:02}') for i in range(n)]
    written = pipe.synthesize(scenes, tmp_path)
    files = [f for f in tmp_path.rglob('*') if f.is_file()]
    assert sorted(files) == sorted(written) and [f.stem for f in written] == [s.name.split('/')[1] for s in scenes]
    for f in files:
        with Image.open(f) as picture: assert picture.format == 'PNG' and picture.size == (16, 8)
    assert (pixels(Image.open(written[7])) == pixels(pipe.predict(scenes[7].label_map))).all()


BANDS = LabelSpace(['sky', 'road', 'car'], things=[False, False, True])

def styled_scenes(channels, n=3):
    "Scenes with two cars, and images of any number of channels and of 8 bits."
    label, rng = torch.zeros(1, 32, 48, dtype=torch.long), np.random.default_rng(0)
    label[:, 16:] = 1
    ids = label.clone()
    ids[:, 5:12, 5:12], ids[:, 20:25, 30:40] = 2000, 2001
    image = lambda: torch.from_numpy(rng.integers(0, 256, (channels, 32, 48))).float() / 127.5 - 1
    return [Scene(torch.where(ids >= 1000, 2, ids), ids, image(), f's{i}') for i in range(n)]

def styled_pipeline(channels):
    torch.manual_seed(0)
    encoder = FeatureEncoder(channels, 3, 4, 2)
    pipe = Pix2PixHD(Synthesizer(GlobalGenerator(3 + 1 + 3, channels, width=4, n_downsample=2, n_blocks=1), 3, encoder), BANDS)
    pipe.style_book = StyleBook.fit(measure_features(pipe.synthesizer, styled_scenes(channels)), BANDS, k=2)
    return pipe

@pytest.mark.parametrize('channels', [1, 2, 3, 4, 13])
def test_a_reference_has_the_channels_of_the_model(channels, tmp_path):
    "A scene's own image, an array, as `predict` gives it, a tensor: one style each, whatever the number of bands."
    pipe, scene = styled_pipeline(channels), styled_scenes(channels)[0]
    own, array = pipe.predict(scene, reference=True), ((scene.image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    for reference in (scene.image, array):
        assert np.abs(np.asarray(pipe.predict(scene, reference=reference)).astype(int) - np.asarray(own)).max() <= 1
    pipe.predict(scene, reference=pipe.predict(scene, seed=0))
    assert len(pipe.synthesize(styled_scenes(channels), tmp_path, use_reference=True)) == 3
    with pytest.raises(ValueError, match=f'reference is an image of {channels + 1} channels .* the encoder takes {channels}'):
        pipe.predict(scene, reference=torch.zeros(channels + 1, 32, 48))

def test_scenes_that_carry_styles_are_generated_by_a_model_without(tmp_path):
    pipe, scenes = styled_pipeline(3), styled_scenes(3)
    scenes = measure_features(pipe.synthesizer, scenes).with_styles(scenes)
    torch.manual_seed(0)
    bare = Pix2PixHD(Synthesizer(GlobalGenerator(4, width=4, n_downsample=2, n_blocks=1), 3), BANDS)
    assert len(bare.synthesize(scenes, tmp_path)) == 3

@pytest.mark.parametrize('kind', ['>u2', '<i4', 'u1', '>i8'])
def test_maps_of_any_byte_order(kind):
    pipe, scene = styled_pipeline(3), styled_scenes(3)[0]
    ids = scene.instance_map[0].numpy()
    whole = pipe.predict(scene, seed=0).tobytes()
    assert pipe.predict(scene.label_map[0].numpy().astype(kind), ids, seed=0).tobytes() == whole
    if kind == '>u2': # as Pillow opens a 16-bit TIFF of that order
        assert pipe.predict(scene.label_map, Image.frombytes('I;16B', (48, 32), ids.astype(kind).tobytes()), seed=0).tobytes() == whole

def test_what_cannot_be_used_is_refused_before_generating():
    pipe, scene = styled_pipeline(3), styled_scenes(3)[0]
    for wrong in (None, scene.label_map[0].numpy().astype(object), np.array(['a'])):
        with pytest.raises(ValueError, match='label_map is of type .*expected an array'): pipe.predict(wrong)
    with pytest.raises(ValueError, match="styles has the key '2000', expected the id of an object"):
        pipe.predict(scene, styles={'2000': [0., 0., 0.]})
    with pytest.raises(ValueError, match='no scenes to measure'): measure_features(pipe.synthesizer, [])
    for k in (True, 1.5, '1', 9):
        with pytest.raises(ValueError, match="Style .* of class 'car' was asked for"): pipe.style_book.style('car', k)
    assert pipe.style_book.nearest('car', pipe.style_book.style('car', np.int64(1)).tolist()) == 1
    with pytest.raises(ValueError, match='expected 3 numbers'): pipe.style_book.nearest('car', torch.zeros(4))

@pytest.mark.parametrize('parts', [dict(ignore_id=np.int64(255)), dict(ignore_id=torch.tensor(255)), dict(things=np.array([True, False])),
                                   dict(colors=np.full((2, 3), 7, np.uint8)), dict(unscored=np.array([1])), dict(colors=map(tuple, np.eye(2, 3, dtype=int)))])
def test_a_label_space_of_arrays_is_saved(parts, tmp_path):
    space = LabelSpace(['road', 'car'], **parts)
    torch.manual_seed(0)
    net = Synthesizer(GlobalGenerator(3, width=4, n_downsample=1, n_blocks=1), 2, ignore_id=space.ignore_id)
    assert Pix2PixHD.load(Pix2PixHD(net, space).save(tmp_path)).label_space == space

@pytest.mark.parametrize('parts, message', [
    (dict(colors=[(300, 0, 0), (0, 0, 0)]), 'Class 0 has the color'), (dict(colors=[(0, 0, 0), (0, 0)]), 'Class 1 has the color'),
    (dict(ignore_id=255.), 'ignore_id is 255.0: expected a whole number'), (dict(names=['road', 'a\ncar']), 'Class 1 has the name')])
def test_a_label_space_that_could_not_be_loaded_is_not_made(parts, message):
    "Else a model that is saved with it could not be opened again."
    with pytest.raises(ValueError, match=message): LabelSpace(**dict(names=['road', 'car']) | parts)

@pytest.mark.parametrize('training', [dict(size=np.array([32, 64])), dict(loss=np.float32(1)), dict(size=[32.5, 64]), dict(options=[1])])
def test_a_description_that_could_not_be_read_is_not_written(training, tmp_path):
    "And the model that lies in the folder stays as it is."
    pipe, before = small_pipeline(), sorted(small_pipeline(1).save(tmp_path).iterdir())
    pipe.training = training
    with pytest.raises(ValueError, match='was not written: the description of the model cannot be saved'): pipe.save(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    Pix2PixHD.load(tmp_path)
