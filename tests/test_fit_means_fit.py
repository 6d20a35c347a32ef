"Random small datasets with random faults: the doctor calls one fit if, and only if, two steps of training pass."
import json
from collections import Counter
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from PIL import Image
from pix2pixhd_nb.commands.main import main

TINY = '--batch 1 --steps 2 --width 4 --n-downsample 2 --n-blocks 1 --feature-channels 0 --n-scales 1 --discriminator-width 4 --no-keep-best'.split()
TALLY = Counter()


def make(d, rng, n, size):
    "A sound dataset in the plain layout."
    for kind in ('label', 'image'): (d / 'train' / kind).mkdir(parents=True)
    for i in range(n):
        Image.fromarray(rng.integers(0, 3, size, np.uint8)).save(d / f'train/label/{i}.png')
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(d / f'train/image/{i}.png')
    (d / 'meta.json').write_text(json.dumps(dict(classes=[dict(id=i, name=f'class {i}', thing=i == 2) for i in range(3)])))

def label(d): return d / 'train/label/0.png'
def photo(d): return d / 'train/image/0.png'
def ids(d): return np.array(Image.open(label(d)))
def put(path, array, end=None, **how):
    path.unlink(missing_ok=True)
    Image.fromarray(array).save(path.with_suffix(end or path.suffix), **how)
def meta(d, **more):
    if (d / 'meta.json').is_file(): (d / 'meta.json').write_text(json.dumps(json.loads((d / 'meta.json').read_text()) | more))
def cut(path): path.write_bytes(path.read_bytes()[:-40])
def grey(d, value, dtype=np.float32):
    array = np.full(ids(d).shape, 9, dtype)
    array[0, 0] = value
    return array
def instances(d, plus, dtype):
    (d / 'train/inst').mkdir(exist_ok=True)
    for p in (d / 'train/label').iterdir(): put(d / f'train/inst/{p.stem}.png', (np.array(Image.open(p).convert('L')).astype(int) * plus).astype(dtype))
def photos_turned(d, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    put(photo(d), np.zeros((*ids(d).shape, 3), np.uint8), '.jpg', exif=exif)

FAULTS = dict(
    no_meta=lambda d: (d / 'meta.json').unlink(missing_ok=True), broken_meta=lambda d: (d / 'meta.json').write_text('{'), twice=lambda d: meta(d, classes=[dict(id=i, name='a') for i in range(3)]),
    few_classes=lambda d: meta(d, classes=[dict(id=0, name='a')]), ignored=lambda d: meta(d, ignore_ids=[0]), odd_instances=lambda d: meta(d, instance_ids='some'),
    other_split=lambda d: (d / 'train').rename(d / 'val'), no_photo=lambda d: photo(d).unlink(missing_ok=True), no_label=lambda d: label(d).unlink(missing_ok=True), cut_photo=lambda d: cut(photo(d)), cut_label=lambda d: cut(label(d)),
    empty_photo=lambda d: photo(d).write_bytes(b''), text_label=lambda d: label(d).write_text('no picture'), wide_photo=lambda d: put(photo(d), np.zeros((8, 99, 3), np.uint8)),
    other_id=lambda d: put(label(d), ids(d) + 7), white=lambda d: put(label(d), np.full(ids(d).shape, 255, np.uint8)), jpeg_label=lambda d: put(label(d), ids(d), '.jpg'), deep_label=lambda d: put(label(d), ids(d).astype(np.uint16)),
    float_label=lambda d: put(label(d), ids(d).astype(np.float32), '.tif'), colour_label=lambda d: put(label(d), np.stack([ids(d), ids(d) + 1, ids(d)], -1)), grey_as_colour=lambda d: put(label(d), np.stack([ids(d)] * 3, -1)),
    nan_photo=lambda d: put(photo(d), grey(d, np.nan), '.tif'), huge_photo=lambda d: put(photo(d), grey(d, 1e9), '.tif'), negative_photo=lambda d: put(photo(d), grey(d, -3), '.tif'), float_photo=lambda d: put(photo(d), grey(d, 200), '.tif'),
    deep_photo=lambda d: put(photo(d), grey(d, 4095, np.uint16)), grey_photo=lambda d: put(photo(d), ids(d)), clear_photo=lambda d: put(photo(d), np.zeros((*ids(d).shape, 4), np.uint8)), turned=lambda d: photos_turned(d, 3), turned_quarter=lambda d: photos_turned(d, 6),
    cut_instances=lambda d: instances(d, 100, np.uint8), numbered=lambda d: instances(d, 1000, np.uint16), two_files=lambda d: put(d / 'train/image/0.bmp', np.zeros((8, 8, 3), np.uint8)), notes=lambda d: (d / 'train/image/notes.txt').write_text('mine'))

@settings(max_examples=24, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**31), st.integers(1, 4), st.sampled_from([(16, 32), (32, 32), (4, 4), (17, 23)]), st.lists(st.sampled_from(sorted(FAULTS)), max_size=2, unique=True))
def check(folder, seed, n, size, faults):
    d = folder / f'{sum(TALLY.values())}'
    make(d, np.random.default_rng(seed), n, size)
    for name in faults:
        try: FAULTS[name](d)
        except (OSError, ValueError): pass # the fault before left nothing to spoil
    fit, trained = main(['doctor', str(d)]), main(['train', str(d), str(d / 'model'), *TINY])
    TALLY['fit' if not fit else 'not fit'] += 1
    assert trained in (0, 2) and (fit == 0) == (trained == 0), f'{n} scenes of {size} with {faults}: the doctor returned {fit}, train {trained}'

def test_fit_means_fit(tmp_path):
    check(tmp_path)
    print(TALLY)
    assert TALLY['fit'] >= 5 and TALLY['not fit'] >= 10
