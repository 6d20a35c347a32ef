"""Every format that the package loads, mutated: each mutant loads or is refused with one message, in bounded time and memory.

FUZZ_EXAMPLES=5000 pytest tests/test_fuzz.py styles further than the few hundred that are tried by default.
"""
import json
import os
import random
import resource
import shutil
import signal
import time
from collections import Counter
import numpy as np
import psutil
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image
from safetensors.torch import save as tensors_to_bytes
from pix2pixhd_nb.core import LabelSpace
from pix2pixhd_nb.data.pictures import DatasetError

EXAMPLES = int(os.environ.get('FUZZ_EXAMPLES', 150)) # mutants of each format
SECONDS, MEMORY = 4, 400 * 2**20 # that reading a file of some kilobytes may take
TALLY = {}


# mutations: each is made from two numbers, so that a failure shrinks to a short list of them

DEEP = [[[[0]]]]
for _ in range(60): DEEP = [DEEP]
NUMBERS = [-1, 0, 1, 2, 1000, 65535, 65536, 2**31, 2**63, 10**12, 10**30, -10**9, 0.5, -0.0, 1e-320, 1e308, float('nan'), float('inf'), float('-inf')]
VALUES = NUMBERS + [None, True, False, '', 'a', 'é\n\x00', '\ud800', '../../x', 'a' * 30_000, [], {}, [[]], {'a': 1}, DEEP, [0] * 5000, [-1, 10**12], list('abc')]

def places(tree, path=()):
    "What a list or dict holds directly, as keys."
    return list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, (list, tuple)) else []

def changed(tree, where, change):
    "A copy of a tree of lists, tuples and dicts in which `change` was made to one of its parts; `where` is any number."
    keys = places(tree)
    where, at = divmod(where, len(keys) + 1)
    if at == len(keys): return change(tree)
    if isinstance(tree, dict): return {k: changed(v, where, change) if k == keys[at] else v for k, v in tree.items()}
    return type(tree)(changed(v, where, change) if k == at else v for k, v in enumerate(tree))

def mutated(values):
    "A function that changes a part of a tree, by a number; `values` are those to put in its place."
    def change(part, n):
        n, kind = divmod(n, 8)
        rng, keys = random.Random(n), places(part)
        if kind < 4: return values[n % len(values)]
        if kind == 4 and isinstance(part, bool): return not part
        if kind == 4 and isinstance(part, (int, float)): return [-part, part + 1, part - 1, str(part), part * 10**6, float(part)][n % 6]
        if kind == 4 and isinstance(part, str): return [part[1:], part + part[-1:], part.upper(), [part], part + '\n', ' ' + part][n % 6]
        if kind == 5 and isinstance(part, dict) and keys: return {k: v for k, v in part.items() if k != rng.choice(keys)}
        if kind == 5 and keys: return type(part)(v for i, v in enumerate(part) if i != n % len(part))
        if kind == 6 and isinstance(part, dict) and keys: return {(str(rng.choice(VALUES))[:99] if k == keys[n % len(keys)] else k): v for k, v in part.items()}
        if kind == 6 and keys: return type(part)([*part, part[n % len(part)]]) if n % 3 else type(part)(list(part) * (1 + 300 // len(part)))
        return [part]
    return change

in_json = mutated(VALUES)

def text_of(tree, where, n):
    "A tree with one part changed, as JSON; now and then with a key twice, or nested deeper than can be read."
    found = json.dumps(changed(tree, where, lambda part: in_json(part, n)))
    if n % 41 == 0: found = found.replace('{', '{"' + next(iter(tree), 'a') + '": 1, ' if isinstance(tree, dict) else '{', 1)
    if n % 43 == 0: found = found.replace('[', '[' * 100_000, 1)
    return found.encode()

def spoiled(data, where, n):
    "Bytes that were cut, flipped, overwritten or repeated at a place."
    n, kind = divmod(n, 8)
    at, data = where % max(1, len(data)), bytearray(data)
    if kind == 0: return bytes(data[:at])
    if kind == 1: data[at:at + 1] = bytes([n % 256])
    elif kind == 2: data[at:at + 8] = b'\xff' * 8
    elif kind == 3: data[at:at + 4] = (n * 2654435761 % 2**32).to_bytes(4, 'big')
    elif kind == 4: data[at:at + n % 50] = b''
    elif kind == 5: data[at:at] = data[at:at + n % 50] * (1 + n % 3)
    elif kind == 6 and data: data[at] ^= 1 << n % 8
    else: data = data[:at] + bytes(n % 3000) + data[at:]
    return bytes(data)

def with_numbers(data, where, n):
    "A number or a word of a text replaced."
    import re
    found = list(re.finditer(rb'-?\d+(\.\d+)?|\w+', data))
    m = found[where % len(found)]
    return data[:m.start()] + str(VALUES[n % len(VALUES)]).encode(errors='replace')[:3000] + data[m.end():]

TENSORS = [torch.zeros(0), torch.zeros(3, dtype=torch.int64), torch.tensor(float('nan')), torch.full((2, 3), float('inf')), torch.zeros(2, 2, dtype=torch.bool), torch.zeros(1).expand(10**9),
           torch.zeros(1, 1, 1, 1, 1), torch.zeros(3, dtype=torch.complex64), torch.tensor([-1, 2**62]), torch.zeros(4, 8, dtype=torch.float64)]

def in_tensors(part, n):
    "A tensor with another type, shape or value; another part as in JSON."
    if not torch.is_tensor(part): return mutated(VALUES + TENSORS)(part, n)
    n, kind = divmod(n, 8)
    if kind == 0: return part[:-1] if part.ndim else part[None]
    if kind == 1: return part.long() if part.is_floating_point() and part.isfinite().all() else part.float()
    if kind == 2: return part.double() if n % 2 else part.half()
    if kind == 3: return part.reshape(-1)
    if kind == 4 and part.numel(): return torch.cat([part.reshape(-1)[:-1], part.reshape(-1)[:1] * 0 - [1, 10**6, 77, 3][n % 4]]).reshape(part.shape)
    if kind == 5 and part.is_floating_point(): return part * [float('nan'), float('inf'), 1e38, -1][n % 4]
    return TENSORS[n % len(TENSORS)] if kind < 7 else (VALUES + TENSORS)[n % (len(VALUES) + len(TENSORS))]


# bounds

class TooLong(BaseException): pass

def stop(*_): raise TooLong

def outcome(read, names):
    "'loaded' or 'refused': anything else fails. A refusal is one line that names a file."
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY, hard))
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    start = time.monotonic()
    try: read()
    except TooLong: raise AssertionError(f'reading took more than {SECONDS} seconds') from None
    except (ValueError, FileNotFoundError) as e:
        said = str(e)
        assert type(e) in (ValueError, DatasetError, FileNotFoundError), f'a {type(e).__name__} and no error of the package: {said[:300]}'
        assert len(said.splitlines()) == 1 and len(said) < 2000, f'a message of {len(said)} letters in {len(said.splitlines())} lines: {said[:300]}'
        assert any(name in said for name in names), f'the message names none of {names}: {said[:300]}'
        said.encode()
        return 'refused'
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert time.monotonic() - start < SECONDS
    return 'loaded'


# formats: each makes a good file, says what may be changed in it, and reads it as the package does

FORMATS = {}

def a_format(f):
    "Registers a format: a function of a folder that gives a dict of {name: mutation} and a function that reads."
    FORMATS[f.__name__] = f
    return f

def json_of(path, tree): return lambda where, n: path.write_bytes(text_of(tree, where, n))
def bytes_of(path): return (lambda good: lambda where, n: path.write_bytes(spoiled(good, where, n)))(path.read_bytes())
def words_of(path): return (lambda good: lambda where, n: path.write_bytes(with_numbers(good, where, n)))(path.read_bytes())

def picture(path, array, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **how)
    return path

RNG = np.random.default_rng(0)
PHOTO, IDS = RNG.integers(0, 256, (16, 24, 3), np.uint8), np.repeat(np.arange(3, dtype=np.uint8), 128).reshape(16, 24)
META = dict(classes=[dict(id=i, name=n, color=[9 * i, 0, 255 - i], thing=i == 2) for i, n in enumerate(('sky', 'road', 'car'))], ignore_id=255, unscored=[0])
SPACE = LabelSpace.from_dict(META)

@a_format
def meta(folder):
    "The classes of a dataset."
    from pix2pixhd_nb.data.layouts import open_dataset
    picture(folder/'train/label/a.png', IDS); picture(folder/'train/image/a.png', PHOTO)
    (path := folder/'meta.json').write_text(json.dumps(META))
    def read():
        scenes = open_dataset(folder)
        scenes[0].show
        assert 1 <= scenes.label_space.n_classes <= 2**16 and LabelSpace.from_dict(scenes.label_space.to_dict()) == scenes.label_space
        repr(scenes.label_space), json.dumps(scenes.label_space.to_dict())
    return dict(tree=json_of(path, META | dict(instance_ids='coded', ignore_ids=[7])), bytes=bytes_of(path)), read, [str(folder)]

def tensors_in(file, tensors, metadata=None):
    "Mutations of a safetensors file: of its header, of its tensors, of its bytes."
    file(good := tensors_to_bytes(tensors, metadata))
    n = int.from_bytes(good[:8], 'little')
    head, rest = json.loads(good[8:8 + n]), good[8 + n:]
    def header(where, k):
        text = text_of(head, where, k)
        return len(text).to_bytes(8, 'little') + text + rest
    def values(where, k):
        found = changed(dict(tensors), where, lambda part: in_tensors(part, k))
        found = {str(k): v.contiguous().clone() for k, v in found.items() if torch.is_tensor(v) and v.numel() < 10**6} if isinstance(found, dict) else {}
        return tensors_to_bytes(found, metadata)
    return {kind: lambda where, k, make=make: file(make(where, k)) for kind, make in dict(header=header, tensors=values, bytes=lambda where, k: spoiled(good, where, k)).items()}

@a_format
def pipeline(folder):
    "A saved model: its description and its weights."
    from pix2pixhd_nb.engine.files import checksum
    from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
    pipe = small_model()
    pipe.save(folder)
    path, weights = folder/'pipeline.json', next(folder.glob('*.safetensors'))
    d = json.loads(path.read_text())
    from safetensors.torch import load_file
    def signed(data):
        weights.write_bytes(data)
        path.write_text(json.dumps(d | dict(weights=dict(file=weights.name, sha256=checksum(weights, 64)))))
    def read():
        found = Pix2PixHD.load(folder)
        assert np.isfinite(np.asarray(found.predict(IDS, seed=0) if found.label_space and found.style_book else found.description() and 0)).all()
        json.dumps(found.description())
    mutations = {f'weights {k}': f for k, f in tensors_in(signed, load_file(weights)).items()}
    return dict(description=json_of(path, d), bytes=bytes_of(path), **mutations), read, [str(folder), 'pipeline.json']

def small_model():
    "An untrained model with a style book."
    from pix2pixhd_nb.models.encoder import FeatureEncoder
    from pix2pixhd_nb.models.generators import GlobalGenerator
    from pix2pixhd_nb.models.synthesizer import Synthesizer
    from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
    from pix2pixhd_nb.synthesis.styles import StyleBook
    torch.manual_seed(0)
    model = Synthesizer(GlobalGenerator(3 + 1 + 2, width=4, n_downsample=1, n_blocks=1), 3, FeatureEncoder(3, 2, width=4, n_downsample=1))
    book = StyleBook({c: torch.rand(2, 2) for c in range(3)}, {c: torch.tensor([3, 1]) for c in range(3)}, SPACE)
    return Pix2PixHD(model, SPACE, book, dict(size=[16, 24], steps=3, options=dict(width=4)))

@a_format
def feature_table(folder):
    "The styles measured in a dataset."
    from pix2pixhd_nb.synthesis.styles import FeatureTable, StyleBook
    table = FeatureTable(torch.tensor([0, 0, 1]), torch.tensor([1, 2000, 2000]), torch.tensor([1, 2, 2]), torch.tensor([9, 8, 7]), torch.rand(3), torch.rand(3, 2), 'abc')
    path = folder/'features.safetensors'
    def read():
        found = FeatureTable.load(path)
        repr(found), StyleBook.fit(found, SPACE, k=2)
    return tensors_in(path.write_bytes, {c: getattr(table, c) for c in table.columns()}, dict(model='abc')), read, [str(path), 'style book is empty']

@a_format
def style_book_2018(folder):
    "The style book of the 2018 code."
    from pix2pixhd_nb.synthesis.styles import read_2018_style_book
    path = folder/'features_clustered_010.npy'
    good = {0: np.float32([[1, 2]]), 1: np.float32([[1, 2], [3, 4]])}
    np.save(path, good, allow_pickle=True)
    values = VALUES[:-4] + [np.zeros(0), np.full((2, 2), np.nan), np.array(['a', 'b']), np.zeros((2, 2), complex), np.broadcast_to(np.float32(1), (10**4, 10)), np.zeros((2, 3))]
    def tree(where, n): np.save(path, changed(good, where, lambda part: mutated(values)(part, n)), allow_pickle=True)
    return dict(tree=tree, bytes=bytes_of(path)), lambda: repr(read_2018_style_book(path, SPACE)), [str(path)]

@a_format
def edit_file(folder):
    "A scene, its edits and its styles."
    from pix2pixhd_nb.commands.editing import read_edits
    from pix2pixhd_nb.editing.editor import SceneEditor
    editor, pipe = SceneEditor(IDS, None, SPACE, {2000: torch.rand(2)}), small_model()
    inside = np.zeros(IDS.shape, bool); inside[2:6, 3:9] = True
    editor.paint(inside, 1); editor.restyle(2000, style=torch.rand(2)); editor.undo()
    (path := folder/'scene.json').write_text(editor.to_json())
    def read():
        found = read_edits(path, pipe)
        while found.undo(): pass
        while found.redo(): pass
        found.generate(pipe), found.objects
        SceneEditor.from_json(found.to_json())
    return dict(tree=json_of(path, json.loads(editor.to_json())), bytes=bytes_of(path)), read, [str(path)]

@a_format
def segmenter(folder):
    "A segmenter, and the weights that its backbone may start from."
    from pix2pixhd_nb.evaluation.scores import Segmenter
    from pix2pixhd_nb.evaluation.segmenters import load_segmenter
    network, path = Segmenter(3, widths=(24, 48, 96, 128)), folder/'segmenter.safetensors'
    tensors, notes = {k: v.contiguous() for k, v in network.state_dict().items()}, dict(kind='Segmenter', names=json.dumps(SPACE.names))
    mutations = tensors_in(path.write_bytes, tensors, notes)
    def names(where, n): path.write_bytes(tensors_to_bytes(tensors, notes | dict(names=text_of(list(SPACE.names), where, n).decode())))
    def read():
        found = load_segmenter(path)
        assert found(torch.zeros(1, 3, 16, 32)).shape[1] == len(found.names)
    return mutations | dict(names=names), read, [str(path)]

def torch_bytes(tree):
    import io
    out = io.BytesIO()
    torch.save(tree, out)
    return out.getvalue()

@a_format
def checkpoint(folder):
    "A training's checkpoint, and going on from it."
    from pix2pixhd_nb.engine.files import checksum
    from pix2pixhd_nb.training.checkpoints import best_checkpoint, read_checkpoint, restore
    learn, state = a_training()
    def named(data):
        for p in folder.glob('stage*'): p.unlink()
        (path := folder/'part').write_bytes(data)
        path.rename(folder/f'stage0-epoch00001-batch0000000-{checksum(path)}.pth')
    def tree(where, n): named(torch_bytes(changed(state, where, lambda part: in_tensors(part, n))))
    def data(where, n): named(spoiled(good, where, n))
    def note(where, n): (folder/'best.json').write_bytes(text_of(dict(file=next(folder.glob('stage*'), folder/'x').name, metric='m', value=0.5), where, n))
    good = torch_bytes(state)
    named(good)
    def read():
        best_checkpoint(folder)
        found = read_checkpoint(next(folder.glob('stage*')))
        restore(learn, found)
        learn.gan_training.history[-1:]
    return dict(tree=tree, bytes=data, best=note), read, [str(folder), 'checkpoint']

def a_training():
    "A learner after one step, and its state."
    from pix2pixhd_nb.training.checkpoints import training_state
    from test_training import Scenes, fit, learner, loaders
    from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
    learn = fit(learner(loaders(Scenes(SyntheticScenes(2, size=(32, 64)), LABEL_SPACE)), width=2, n_downsample=1, feature_channels=0, discriminator_width=2, n_scales=1))
    return learn, training_state(learn, 0, 1, 0)

@a_format
def weights_2018(folder):
    "A generator of the 2018 code."
    from pix2pixhd_nb.synthesis.weights_2018 import read_2018_discriminator, read_2018_generator
    def conv(prefix, *shape): return {f'{prefix}.weight': torch.rand(shape), f'{prefix}.bias': torch.rand(shape[0])}
    state = conv('model.1', 2, 4, 7, 7) | conv('model.4', 4, 2, 3, 3) | conv('model.7.conv_block.1', 4, 4, 3, 3) | conv('model.7.conv_block.5', 4, 4, 3, 3)
    state |= {'model.8.weight': torch.rand(4, 2, 3, 3), 'model.8.bias': torch.rand(2)} | conv('model.12', 3, 2, 7, 7)
    path = folder/'latest_net_G.pth'
    path.write_bytes(good := torch_bytes(state))
    read_2018_generator(path)
    def tree(where, n): path.write_bytes(torch_bytes(changed(state, where, lambda part: in_tensors(part, n))))
    def names(where, n):
        old = list(state)[where % len(state)]
        path.write_bytes(torch_bytes({k.replace(old.split('.')[1], str(NUMBERS[n % 12])) if k == old else k: v for k, v in state.items()}))
    def read():
        try: read_2018_generator(path)
        except ValueError as e:
            if 'read it with read_2018_discriminator' not in str(e): raise
            read_2018_discriminator(path)
    return dict(tree=tree, names=names, bytes=lambda where, n: path.write_bytes(spoiled(good, where, n))), read, [path.name]

@a_format
def weights_of_others(folder):
    "VGG19, SqueezeNet and the small perceptual network."
    from pix2pixhd_nb.evaluation.segmenters import squeezenet_weights
    from pix2pixhd_nb.models.vgg19 import load_vgg_weights
    path = folder/'weights.pth'
    state = {'features.0.weight': torch.rand(4, 3, 3, 3), 'features.0.bias': torch.rand(4), 'features.2.weight': torch.rand(2, 4, 3, 3), 'features.2.bias': torch.rand(2)}
    path.write_bytes(good := torch_bytes(state))
    def tree(where, n): path.write_bytes(torch_bytes(changed(state, where, lambda part: in_tensors(part, n))))
    def read():
        found = squeezenet_weights(path, {k.removeprefix('features.'): v for k, v in state.items()})
        assert all(v.is_floating_point() for v in found.values())
        load_vgg_weights(path)
    return dict(tree=tree, bytes=lambda where, n: path.write_bytes(spoiled(good, where, n))), read, [str(path)]

@a_format
def train_json(folder):
    "What an earlier run was asked for."
    from pix2pixhd_nb.commands.training import checked_config, train
    from pix2pixhd_nb.training.recipes import check_numbers
    import inspect
    d = dict(size=[32, 64], epochs=3, decay=2, width=16, lr=2e-4, recipe='small', policy='resize', keep_best=False, valid='0.1', seed=3, workers=0, norm='batch', steps=0)
    (path := folder/'train.json').write_text(json.dumps(d))
    known = inspect.signature(train).parameters
    def read():
        found = checked_config(path, known)
        check_numbers(found, lambda k: '--' + k.replace('_', '-'))
        assert all(k in known for k in found) and found.get('size') is None or all(type(s) is int and s > 0 for s in found['size'])
    return dict(tree=json_of(path, d), bytes=bytes_of(path)), read, [str(path), '--']

@a_format
def answers(folder):
    "What raters of a preference study answered."
    from pix2pixhd_nb.apps.preference_study import read_results
    from pix2pixhd_nb.evaluation.preference import preferences
    row = lambda n, check=False: dict(rater='r', trial=n, scene=f's{n}', left='a', right='b', side='left', chosen='a', time=None, shown=1.5, reaction=0.4, interrupted=False, in_time=True, check=check, passed=True if check else None)
    lines = [dict(study='0123', rater='r', trials=3), row(0), row(1), row(2, True)]
    path = folder/'answers.jsonl'
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    def tree(where, n): path.write_bytes(b'\n'.join(text_of(line, where // 4, n) if i == where % 4 else json.dumps(line).encode() for i, line in enumerate(lines)) + b'\n')
    def read():
        found = read_results(path)
        preferences(found)
    return dict(tree=tree, bytes=bytes_of(path)), read, [str(path), 'none counts']

@a_format
def pictures(folder):
    "Photos and maps of ids, in the formats that people have."
    from pix2pixhd_nb.data.pictures import open_picture, read_ids, read_image
    files, kind = dict(png=IDS, jpg=PHOTO, webp=PHOTO, tif=IDS.astype(np.int32), bmp=PHOTO, ppm=PHOTO, pgm=IDS), []
    good = {end: picture(folder/f'a.{end}', array).read_bytes() for end, array in files.items()}
    good['palette.png'] = (lambda p: (p.putpalette(list(range(256)) * 3), p.save(folder/'a.palette.png')) and (folder/'a.palette.png').read_bytes())(Image.fromarray(IDS))
    Image.fromarray(IDS).save(folder/'b.tif', compression='tiff_deflate'); good['deflate.tif'] = (folder/'b.tif').read_bytes()
    good['deep.png'] = picture(folder/'c.png', IDS.astype(np.uint16) * 99).read_bytes()
    def write(where, n):
        kind[:] = [sorted(good)[where % len(good)]]
        (folder/f'x.{kind[0]}').write_bytes(spoiled(good[kind[0]], where // len(good), n))
    write(0, 7)
    def read():
        path, refused = folder/f'x.{kind[0]}', []
        for f in (lambda p: open_picture(p, 'skim'), read_image, read_ids, lambda p: read_ids(p, SPACE)):
            try: f(path)
            except ValueError as e: refused.append(e)
        if len(refused) == 4: raise refused[0]
    return dict(bytes=write), read, [str(folder)]

@a_format
def arrays(folder):
    "Pictures of many channels or 16 bits: npy, PNG and, where tifffile is installed, TIFF."
    from importlib.util import find_spec
    from pix2pixhd_nb.data.arrays import write_picture
    from pix2pixhd_nb.data.pictures import channels_in, header_of, read_image
    bands, kind = RNG.integers(0, 65536, (16, 24, 5), np.uint16), []
    files = {'npy': bands, 'float.npy': RNG.random((5, 16, 24), np.float32), 'colours.png': bands[..., :3], 'alpha.png': bands[..., :4]}
    if find_spec('tifffile'): files |= {'tif': bands, 'grey.tif': bands[..., 0], 'float.tif': (bands / 65535).astype(np.float32)}
    good = {end: write_picture(folder/f'a.{end}', array).read_bytes() for end, array in files.items()}
    def put(where, n, change):
        kind[:] = [sorted(good)[where % len(good)]]
        (folder/f'x.{kind[0]}').write_bytes(change(good[kind[0]], where // len(good), n))
    def header(data, where, n): return with_numbers(data[:128], where, n)[:10**5] + data[128:]
    put(0, 7, spoiled)
    def read():
        path = folder/f'x.{kind[0]}'
        header_of(path), channels_in(path)
        assert np.isfinite(read_image(path, None)).all()
    return dict(bytes=lambda where, n: put(where, n, spoiled), header=lambda where, n: put(where, n, header)), read, [str(folder)]

def converted(form, source, folder, mutations, name=None):
    "Mutations of another program's dataset, and how it is converted."
    from pix2pixhd_nb.data.converters import convert_dataset
    def read():
        try: convert_dataset(form, source, out := folder.with_name(folder.name + ' out'))
        finally:
            assert not list(folder.parent.glob('.*.part'))
            shutil.rmtree(out, ignore_errors=True)
    return mutations, read, [str(folder)]

SQUARE = [[4, 2], [14, 2], [14, 12], [4, 12]]

@a_format
def coco(folder):
    picture(folder/'a.png', PHOTO)
    rle = dict(size=[16, 24], counts=[10, 6, 368])
    d = dict(images=[dict(id=5, file_name='a.png', height=16, width=24)], categories=[dict(id=3, name='car'), dict(id=18, name='dog')],
             annotations=[dict(id=1, image_id=5, category_id=3, segmentation=[sum(SQUARE, [])], area=100, iscrowd=0), dict(id=2, image_id=5, category_id=18, segmentation=rle, area=6, iscrowd=1),
                          dict(id=3, image_id=5, category_id=18, segmentation=dict(size=[16, 24], counts=':6`;'), area=6, iscrowd=0)])
    (path := folder/'c.json').write_text(json.dumps(d))
    return converted('coco', path, folder, dict(tree=json_of(path, d), bytes=bytes_of(path)))

@a_format
def coco_panoptic(folder):
    picture(folder/'a.png', PHOTO); picture(folder/'pan/a.png', np.stack([IDS, IDS * 0, IDS * 0], -1))
    d = dict(images=[dict(id=1, file_name='a.png', height=16, width=24)], annotations=[dict(image_id=1, file_name='a.png', segments_info=[dict(id=1, category_id=3, iscrowd=0), dict(id=2, category_id=7, iscrowd=0)])],
             categories=[dict(id=3, name='car', isthing=1, color=[0, 0, 142]), dict(id=7, name='road', isthing=0, color=[128, 64, 128])])
    (path := folder/'pan.json').write_text(json.dumps(d))
    return converted('coco-panoptic', path, folder, dict(tree=json_of(path, d), bytes=bytes_of(path), picture=bytes_of(folder/'pan/a.png')))

@a_format
def labelme(folder):
    import base64
    picture(folder/'lm/a.png', PHOTO)
    mask = base64.b64encode(picture(folder/'m.png', IDS[:3, :5] * 0 + 1).read_bytes()).decode()
    shape = lambda label, points, kind='polygon', group=None, **k: dict(label=label, points=points, group_id=group, shape_type=kind, flags={}, **k)
    d = dict(version='5.5.0', flags={}, imagePath='a.png', imageData=None, imageHeight=16, imageWidth=24,
             shapes=[shape('car', SQUARE, group=1), shape('car', [[2, 2], [9, 8]], 'rectangle', 1), shape('ball', [[9, 9], [12, 9]], 'circle'), shape('car', [[2, 8], [6, 10]], 'mask', mask=mask)])
    (path := folder/'lm/a.json').write_text(json.dumps(d))
    return converted('labelme', folder/'lm', folder, dict(tree=json_of(path, d), bytes=bytes_of(path)))

@a_format
def cvat(folder):
    picture(folder/'a.png', PHOTO)
    (path := folder/'annotations.xml').write_text('''<annotations><version>1.1</version><meta><task><labels><label><name>car</name><color>#0000ff</color></label></labels></task></meta>
<image id="0" name="a.png" width="24" height="16"><polygon label="car" points="4.00,2.00;14.00,2.00;14.00,12.00" z_order="1"></polygon><box label="sky" xtl="0" ytl="0" xbr="20.0" ybr="6.0" z_order="0"></box>
<ellipse label="car" cx="9" cy="8" rx="3" ry="2" z_order="0" group_id="2"></ellipse><mask label="car" rle="1, 2, 3, 1, 1" left="2" top="10" width="4" height="2" z_order="2"></mask></image></annotations>''')
    return converted('cvat', path, folder, dict(words=words_of(path), bytes=bytes_of(path)))

@a_format
def label_studio(folder):
    from test_converters import brush
    picture(folder/'0a1b-a.png', PHOTO)
    results = [dict(type='polygonlabels', value=dict(points=SQUARE, polygonlabels=['car'])), dict(type='rectanglelabels', value=dict(x=50, y=0, width=25, height=25, rotation=9, rectanglelabels=['sign'])),
               dict(type='ellipselabels', value=dict(x=50, y=50, radiusX=25, radiusY=25, rotation=0, ellipselabels=['sign'])), dict(type='brushlabels', value=dict(format='rle', rle=brush(IDS == 1), brushlabels=['car']))]
    d = [dict(id=1, data=dict(image='/data/upload/1/0a1b-a.png'), annotations=[dict(result=results)])]
    (path := folder/'ls.json').write_text(json.dumps(d))
    return converted('label-studio', path, folder, dict(tree=json_of(path, d), bytes=bytes_of(path)))

@a_format
def voc(folder):
    for kind in ('SegmentationClass', 'SegmentationObject'): picture(folder/'VOC'/kind/'a.png', IDS)
    picture(folder/'VOC/JPEGImages/a.jpg', PHOTO)
    (listed := folder/'VOC/ImageSets/Segmentation/val.txt').parent.mkdir(parents=True)
    listed.write_text('a\n')
    return converted('voc', folder/'VOC', folder, {kind: bytes_of(folder/'VOC'/kind/'a.png') for kind in ('SegmentationClass', 'SegmentationObject')} | dict(listed=bytes_of(listed)))

@a_format
def color_masks(folder):
    picture(folder/'c/train/masks/a.png', np.uint8(SPACE.colors)[IDS]); picture(folder/'c/train/images/a.png', PHOTO)
    (path := folder/'c/meta.json').write_text(json.dumps(META))
    return converted('colors', folder/'c', folder, dict(tree=json_of(path, META), bytes=bytes_of(path), mask=bytes_of(folder/'c/train/masks/a.png')))


@pytest.mark.parametrize('name', FORMATS)
def test_a_mutant_loads_or_is_refused(name, tmp_path, monkeypatch):
    "A good file loads; a mutated one loads as well, or is refused with one message."
    monkeypatch.setattr('pix2pixhd_nb.data.pictures.MAX_PIXELS', 2**20)
    (folder := tmp_path/name).mkdir()
    mutations, read, names = FORMATS[name](folder)
    read() # the good file itself; imports what is needed
    assert outcome(read, names) == 'loaded'
    whole, tally = {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}, Counter()
    def restored():
        for p in [p for p in folder.rglob('*') if p.is_file() and p not in whole]: p.unlink()
        for p, data in whole.items(): p.write_bytes(data)
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.sampled_from(sorted(mutations)), st.integers(0, 2**40), st.integers(0, 2**16)), min_size=1, max_size=2))
    def check(changes):
        restored()
        for kind, where, n in changes: mutations[kind](where, n)
        tally[outcome(read, names)] += 1
    check()
    TALLY[name] = tally
    print(f'{name}: {sum(tally.values())} mutants, {tally["refused"]} refused, {tally["loaded"]} loaded')
    assert sum(tally.values()) >= EXAMPLES and tally['refused'] > EXAMPLES // 10


def test_the_tally():
    "All formats were mutated, and both outcomes met."
    total = sum(TALLY.values(), Counter())
    print(f'{len(TALLY)} formats, {sum(total.values())} mutants: {total["refused"]} refused, {total["loaded"]} loaded')
    if len(TALLY) == len(FORMATS): assert total['refused'] > total['loaded'] > 0
