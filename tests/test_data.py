"Datasets and doctor where a notebook cannot hold the check: real folders, odd pictures, processes."
import dataclasses
import json
import pickle
import re
import shutil
import struct
import subprocess
import sys
import unicodedata
import warnings
import zlib
from collections import Counter
from pathlib import Path
import numpy as np
import pytest
import torch
from PIL import Image
from pix2pixhd_nb.commands.training import scenes_of
from pix2pixhd_nb.core import LabelSpace, Scene
from pix2pixhd_nb.data.converters import convert_dataset, two_folders
from pix2pixhd_nb.data.layouts import (
    ADE20K, CamVid, Cityscapes, NYUv2, Pix2PixHDFolder, PlainFolder, open_dataset, save_scenes, unpack_nyuv2,
)
from pix2pixhd_nb.data.loaders import SceneItems, scene_dataloaders
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.data.pictures import DatasetError, connected_components, read_ids, read_image
from pix2pixhd_nb.data.doctor import examine, write_meta
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.editing.editor import SceneEditor

SPACE = LabelSpace(['sky', 'road', 'car'], things=[False, False, True])
REAL = ['camvid_256', 'facades_256', 'cityscapes_sample_512', 'cityscapes_sample_1024', 'cityscapes_sample_2048']


def scene(i, h=24, w=40):
    "A random scene of blocks."
    rng = np.random.default_rng(i)
    label = torch.from_numpy(rng.integers(0, 3, (h // 8, w // 8))).repeat_interleave(8, 0).repeat_interleave(8, 1)[None]
    image = torch.from_numpy(rng.integers(0, 256, (3, h, w)) / 127.5 - 1).float()
    return Scene(label, connected_components(label, SPACE), image, f'scene_{i}')


@pytest.fixture
def plain(tmp_path):
    return save_scenes([scene(i) for i in range(5)], tmp_path / 'plain', SPACE)


def save(path, array, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **kwargs)
    return path


# real folders

@pytest.fixture(params=REAL)
def real(request, shared_data):
    folder = shared_data / request.param
    if not folder.is_dir(): pytest.skip(f'{folder} is not there')
    return folder


def test_real_folders_read_whole(real):
    meta = json.loads((real / 'meta.json').read_text())
    for split, n in meta['counts'].items():
        data = open_dataset(real, split)
        assert type(data) is PlainFolder and len(data) == n
        assert data.names == sorted(meta['splits'][split])
        for s in data[:12]:
            assert s.size == tuple(meta['size_wh'][::-1]) and s.label_map.dtype == s.instance_map.dtype == torch.int64
            assert s.label_map.max() < data.label_space.n_classes == meta['label_nc']
            assert (s.image is None) == (split == 'test' and 'cityscapes' in real.name)
            if s.image is not None: assert -1 <= s.image.min() < s.image.max() <= 1
            coded = torch.where(s.instance_map >= 1000, s.instance_map // 1000, s.instance_map)
            assert (coded == s.label_map).float().mean() > 0.98


def test_doctor_on_real_folders(real):
    report = examine(real)
    assert not report.problems and report.verdict.startswith('Fit to train on') and report.seconds < 60
    shown, sheet = str(report), report.contact_sheet(4)
    assert report.label_space.names[1] in shown and sheet.width > 400 and len(sheet.getcolors(10**6)) > 100
    (split, counts), *_ = report.splits.items()
    assert split == 'train' and counts['label'] == counts['image']


def test_doctor_proposes_for_a_real_folder_without_meta(shared_data, tmp_path):
    if not (shared_data / 'facades_256').is_dir(): pytest.skip('facades_256 is not there')
    shutil.copytree(shared_data / 'facades_256/val', tmp_path / 'val')
    report, truth = examine(tmp_path), open_dataset(shared_data / 'facades_256', 'val').label_space
    assert report.label_space.n_classes == truth.n_classes and report.label_space.things == truth.things
    assert len(open_dataset(tmp_path, 'val', report.label_space)[0].instance_map.unique()) > 10


def test_real_cityscapes_in_its_own_and_in_the_2018_layout(shared_data, tmp_path):
    source = shared_data / 'cityscapes_sample_512'
    if not source.is_dir(): pytest.skip(f'{source} is not there')
    plain = open_dataset(source, 'train')
    for name in plain.names:
        city, ends = name.split('_')[0], dict(label='gtFine_labelIds', inst='gtFine_instanceIds', image='leftImg8bit')
        for kind, end in ends.items():
            path = plain.files[kind][name]
            part = 'leftImg8bit' if kind == 'image' else 'gtFine'
            for to in (tmp_path / f'own/{part}/train/{city}', tmp_path / '2018' / f'train_{dict(image="img").get(kind, kind)}'):
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to / f'{name}_{end}{path.suffix}')
    for folder, layout in (('own', Cityscapes), ('2018', Pix2PixHDFolder)):
        data = open_dataset(tmp_path / folder)
        assert type(data) is layout and data.names == plain.names
        assert torch.equal(data[3].instance_map, plain[3].instance_map) and torch.equal(data[3].image, plain[3].image)
        assert not examine(tmp_path / folder).problems


def test_real_camvid_in_the_segnet_layout(shared_data, tmp_path):
    source = shared_data / 'camvid_256'
    if not source.is_dir(): pytest.skip(f'{source} is not there')
    shutil.copytree(source / 'val/label', tmp_path / 'valannot')
    shutil.copytree(source / 'val/image', tmp_path / 'val')
    with pytest.warns(UserWarning, match='connected components of its thing classes'): data = open_dataset(tmp_path, 'val')
    assert type(data) is CamVid and data.label_space.names == open_dataset(source, 'val').label_space.names
    s = data[0]
    assert (torch.where(s.instance_map >= 1000, s.instance_map // 1000, s.instance_map) == s.label_map).all()


# pictures of every mode

@pytest.mark.parametrize('dtype, top', [(np.uint8, 255), (np.uint16, 65535)])
def test_grey_png_is_read_as_stored(tmp_path, dtype, top):
    ids = np.linspace(0, top, 60).astype(dtype).reshape(6, 10)
    assert (read_ids(save(tmp_path / 'a.png', ids)) == ids).all() and read_ids(tmp_path / 'a.png').dtype == dtype


@pytest.mark.parametrize('bits', [1, 2, 4])
def test_few_bits_are_not_stretched(tmp_path, bits):
    ids = (np.arange(64) % 2**bits).astype(np.uint8).reshape(8, 8)
    picture = Image.fromarray(ids * 255).convert('1') if bits == 1 else Image.fromarray(ids)
    picture.save(tmp_path / 'a.png', bits=bits)
    assert (read_ids(tmp_path / 'a.png') == ids).all()


def test_large_ids_stay_positive_through_a_dataset(tmp_path):
    label = np.array([[0, 1, 2, 2]], np.uint8)
    for stem, ids, ending in (('a', np.array([[0, 1, 32768, 65535]], np.uint16), 'png'), ('b', np.array([[0, 1, 70000, 2**31 - 1]], np.int32), 'tif')):
        save(tmp_path / f'train/label/{stem}.png', label)
        save(tmp_path / f'train/image/{stem}.png', np.zeros((1, 4, 3), np.uint8))
        save(tmp_path / f'train/inst/{stem}.{ending}', ids)
    data = PlainFolder(tmp_path, 'train', SPACE)
    assert data[0].instance_map.tolist() == [[[0, 1, 32768, 65535]]]
    assert data[1].instance_map.tolist() == [[[0, 1, 70000, 2**31 - 1]]]


def test_images_of_every_mode_become_rgb(tmp_path):
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    for mode, ending in (('L', 'png'), ('RGBA', 'png'), ('P', 'png'), ('CMYK', 'jpg'), ('LA', 'png'), ('1', 'png')):
        rgb.convert(mode).save(tmp_path / f'{mode}.{ending}')
        assert read_image(tmp_path / f'{mode}.{ending}').shape == (3, 8, 8)
    deep = save(tmp_path / 'deep.png', rng.integers(0, 65536, (8, 8)).astype(np.uint16))
    assert read_image(deep).shape == (3, 8, 8) and read_image(deep).std() > 0.3
    assert read_image(tmp_path / 'RGBA.png', mode=None).shape == (4, 8, 8)


@pytest.mark.parametrize('name, make, says', [
    ('a.jpg', lambda p: Image.new('L', (8, 8)).save(p), 'is a JPEG'),
    ('c.png', lambda p: Image.merge('RGB', [Image.new('L', (8, 8), v) for v in (1, 2, 3)]).save(p), 'holds colours'),
    ('d.tif', lambda p: Image.new('F', (8, 8), 0.5).save(p), 'stores fractions'),
    ('e.png', lambda p: p.write_bytes(b''), 'cannot be decoded (no known picture format)'),
    ('f.png', lambda p: p.write_bytes(b'\x89PNG\r\n\x1a\n\0\0'), 'cannot be decoded'),
])
def test_odd_maps_are_refused_in_an_error_message(tmp_path, name, make, says):
    make(tmp_path / name)
    with pytest.raises(DatasetError) as e: read_ids(tmp_path / name)
    assert says in str(e.value) and str(tmp_path / name) in str(e.value) and '\n' not in str(e.value)


def test_truncation_at_any_byte_is_told(tmp_path):
    whole = save(tmp_path / 'a.png', np.random.default_rng(0).integers(0, 9, (40, 40), dtype=np.uint8)).read_bytes()
    for n in range(0, len(whole) - 40, 23):
        (tmp_path / 'b.png').write_bytes(whole[:n])
        with pytest.raises(DatasetError, match='b.png cannot be decoded'): read_ids(tmp_path / 'b.png')


@pytest.mark.parametrize('side', [9_000, 12_000, 100_000])
def test_bombs_are_refused_by_their_header(tmp_path, side):
    def chunk(kind, data): return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    (tmp_path / 'a.png').write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)) + chunk(b'IDAT', b'') + chunk(b'IEND', b''))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(DatasetError, match='claims more than'): read_ids(tmp_path / 'a.png')


# folders

def test_a_dataset_travels_to_another_process(plain):
    data = pickle.loads(pickle.dumps(open_dataset(plain)))
    assert torch.equal(data[-1].label_map, scene(4).label_map) and [s.name for s in data] == data.names


def test_ending_and_case_do_not_matter_but_doubles_do(plain):
    picture = plain / 'train/image/scene_1.png'
    picture.rename(picture.with_suffix('.PNG'))
    (plain / 'train/image/.hidden.png').write_bytes(b'')
    (plain / 'train/image/notes.txt').write_text('not a picture')
    assert open_dataset(plain)[1].image is not None
    shutil.copy(plain / 'train/image/scene_2.png', plain / 'train/image/scene_2.jpg')
    with pytest.raises(DatasetError, match='both scene_2.jpg and scene_2.png'): open_dataset(plain)
    assert 'both scene_2.jpg and scene_2.png' in examine(plain).verdict


@pytest.mark.parametrize('split', ['../plain', '/etc', '..', 'train/label', '', 'a\\b'])
def test_a_split_leads_nowhere_else(plain, split):
    with pytest.raises(DatasetError, match='is no name of a split'): PlainFolder(plain, split)
    if split: assert examine(plain, split).problems[0].kind == 'split'


def test_splits_in_meta_json_are_never_followed(plain, tmp_path):
    meta = json.loads((plain / 'meta.json').read_text()) | dict(splits=dict(train=['../../secret', '/etc/passwd']))
    (plain / 'meta.json').write_text(json.dumps(meta))
    assert open_dataset(plain).names == [f'scene_{i}' for i in range(5)]


@pytest.mark.parametrize('text', ['', '[]', '{', '{"classes": []}', '{"classes": [{"name": "sky"}]}', '{"classes": [{"id": 1e9}]}', '{"classes": 3}'])
def test_a_broken_meta_json_is_told(plain, text):
    (plain / 'meta.json').write_text(text)
    with pytest.raises(DatasetError, match='meta.json does not describe a label space'): open_dataset(plain)
    report = examine(plain)
    assert report.problems[0].kind == 'meta' and report.label_space.n_classes == 3


def test_no_meta_json_points_to_the_doctor(plain):
    (plain / 'meta.json').unlink()
    with pytest.raises(FileNotFoundError, match='--write-meta proposes it'): open_dataset(plain)
    assert examine(plain).label_space.things == SPACE.things


def test_without_instance_maps_components_stand_in_and_are_announced_once(plain):
    shutil.rmtree(plain / 'train/inst')
    with pytest.warns(UserWarning, match='has no instance maps') as said:
        data = open_dataset(plain)
        for s in data: assert torch.equal(s.instance_map, connected_components(s.label_map, SPACE))
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        open_dataset(plain, instances='components')


def test_components_of_many_specks_keep_their_class():
    label = torch.zeros(1, 100, 100, dtype=torch.int64)
    label[:, ::2, ::2] = 2
    instances = connected_components(label, SPACE)
    assert set((instances[label == 2] // 1000).tolist()) == {2} and len(instances.unique()) == 1001


def test_components_of_a_thing_with_id_zero_do_not_collide_with_classes():
    space = LabelSpace(['car', 'road'], things=[True, False])
    assert connected_components(torch.tensor([[[0, 1, 0, 1, 0]]]), space).tolist() == [[[2, 1, 3, 1, 4]]]


FAULTS = dict(
    ids=lambda f: save(f / 'train/label/scene_0.png', np.full((24, 40), 9, np.uint8)),
    cut=lambda f: save(f / 'train/inst/scene_0.png', np.full((24, 40), 9, np.uint8)),
    size=lambda f: save(f / 'train/inst/scene_0.png', np.zeros((12, 40), np.uint16)),
    undecodable=lambda f: (f / 'train/image/scene_0.png').write_bytes((f / 'train/image/scene_0.png').read_bytes()[:200]),
    colors=lambda f: save(f / 'train/label/scene_0.png', np.random.default_rng(0).integers(0, 3, (24, 40, 3), dtype=np.uint8)),
    pairing=lambda f: (f / 'train/image/scene_0.png').unlink(),
    empty=lambda f: [p.unlink() for p in (f / 'train/label').iterdir()])


@pytest.mark.parametrize('kind', FAULTS)
def test_dataset_and_doctor_say_the_same(plain, kind):
    FAULTS[kind](plain)
    with pytest.raises(DatasetError) as e: open_dataset(plain)[0]
    assert [p.message for p in examine(plain, 'train').problems] == [str(e.value)] and e.value.problem.kind == kind
    report = examine(plain)
    assert report.verdict.startswith('Not fit to train on') and report.contact_sheet(2).size[0] > 0 and str(e.value) in report.table()


def test_a_foreign_instance_map_is_warned_of(plain):
    shutil.copy(plain / 'train/inst/scene_1.png', plain / 'train/inst/scene_0.png')
    data = open_dataset(plain)
    with pytest.warns(UserWarning, match='disagrees with its label map'): data[0]
    report = examine(plain)
    assert [p.kind for p in report.problems] == ['disagreement'] and 'with a doubt about 1' in report.verdict


@pytest.mark.parametrize('how, doubt', [(Image.BILINEAR, True), (Image.BICUBIC, True), (Image.NEAREST, False)])
@pytest.mark.parametrize('scale', [0.5, 0.75, 2])
def test_blended_label_maps_are_doubted(how, doubt, scale, tmp_path):
    "Every id in them is one of the classes, so nothing else can tell."
    scenes = SyntheticScenes(6, size=(64, 128))
    save_scenes(scenes, tmp_path/'own', scenes.label_space)
    for path in (tmp_path/'own/train').glob('*/*.png'):
        picture = Image.open(path)
        size = round(128 * scale), round(64 * scale)
        picture.resize(size, how if path.parent.name == 'label' else Image.NEAREST).save(path)
    report = examine(tmp_path/'own')
    blended = [p for p in report.problems if p.kind == 'blended']
    assert len(blended) == 6 * doubt and bool(re.search('with a doubt about 6 of them.*scaled like a photo|And a doubt: .*scaled like a photo', report.verdict)) == doubt, report.verdict


def test_doctor_counts_every_pixel(plain):
    report = examine(plain)
    assert report.ids == sum((Counter(scene(i).label_map.flatten().tolist()) for i in range(5)), Counter())
    assert report.ids.total() == 5 * 24 * 40


def test_doctor_on_image_to_image(tmp_path):
    for i in range(3):
        save(tmp_path / f'train_A/{i}.png', np.zeros((8, 8), np.uint8))
        save(tmp_path / f'train_B/{i}.jpg', np.zeros((8, 8 + i // 2, 3), np.uint8))
    report = examine(tmp_path)
    assert report.label_space is None and [p.kind for p in report.problems] == ['size'] and 'train_B/2.jpg' in report.verdict
    assert open_dataset(tmp_path)[0].label_map.shape == (1, 8, 8) # grey, as the files are
    report.contact_sheet()


def test_doctor_of_a_missing_and_of_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='is not a folder'): examine(tmp_path / 'nowhere')
    report = examine(tmp_path)
    assert 'has none of the known layouts' in report.verdict and str(report) and report.contact_sheet()


@pytest.mark.parametrize('top', [1000, 26003, 2**31 - 1])
def test_doctor_takes_large_ids_for_objects_and_proposes_nothing(tmp_path, top):
    (tmp_path / 'test/label').mkdir(parents=True)
    Image.fromarray(np.array([[0, 7, top]], np.int32)).save(tmp_path / 'test/label/a.tif')
    report = examine(tmp_path)
    assert report.label_space is None and f'ids up to {top}' in report.verdict and str(report) and report.contact_sheet()


def test_doctor_is_quick(tmp_path):
    save_scenes((scene(i, 128, 256) for i in range(60)), tmp_path, SPACE)
    assert examine(tmp_path).seconds < 10


def test_nyu_v2_unpacks_from_hdf5(tmp_path):
    h5py = pytest.importorskip('h5py', reason='h5py is not installed')
    with h5py.File(tmp_path / 'nyu_depth_v2_labeled.mat', 'w') as f:
        f['labels'] = np.array([[[0, 1], [2, 2], [2, 2]]], np.uint16)
        f['instances'] = np.array([[[0, 1], [1, 1], [2, 2]]], np.uint8)
        f['images'] = np.arange(18, dtype=np.uint8).reshape(1, 3, 3, 2)
        for i, name in enumerate(['wall', 'chair']): f[f'n{i}'] = np.array([[ord(c)] for c in name], np.uint16)
        f['names'] = np.array([[f['n0'].ref, f['n1'].ref]], dtype=h5py.ref_dtype)
    with pytest.raises(DatasetError, match='unpack_nyuv2'): NYUv2(tmp_path)
    data = open_dataset(unpack_nyuv2(tmp_path / 'nyu_depth_v2_labeled.mat', tmp_path / 'rooms'))
    assert data.label_space.names == ('unlabeled', 'wall', 'chair') and data[0].size == (2, 3)
    assert data.label_space.things == (False, False, True) and data.label_space.unscored == (0,)
    assert data[0].label_map.tolist() == [[[0, 2, 2], [1, 2, 2]]]
    assert data[0].instance_map.tolist() == [[[0, 2001, 2002], [1, 2001, 2002]]]
    editor = SceneEditor(data[0].label_map, data[0].instance_map, data.label_space)
    assert (editor.instance_map == data[0].instance_map).all()


def test_nyu_v2_without_h5py_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'h5py', None)
    with pytest.raises(ImportError, match='pip install h5py'): unpack_nyuv2(tmp_path / 'a.mat', tmp_path)


def test_importing_the_datasets_stays_light():
    code = 'import sys, pix2pixhd_nb.data.layouts, pix2pixhd_nb.data.doctor; print([m for m in ("fastai", "torchvision", "matplotlib", "scipy", "IPython") if m in sys.modules])'
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout.strip() == '[]'


def test_synthetic_data_sets_of_different_seeds_share_no_scene():
    train, held_out = SyntheticScenes(200, size=(32, 64)), SyntheticScenes(40, size=(32, 64), seed=1)
    assert not set(train.names) & set(held_out.names)
    layouts = {scene.instance_map.numpy().tobytes() for scene in train}
    assert not any(scene.instance_map.numpy().tobytes() in layouts for scene in held_out)


@pytest.mark.parametrize('names,says', [(['', ''], "A scene is called ''"), (['a', 'a'], "Two scenes are called 'a'"), (['a', '../../esc'], "called '../../esc'"),
                                        (['.a', 'b'], "called '.a'"), (['a', 'b/c'], "called 'b/c'"), (['a', 'b\\c'], 'expected a plain name')])
def test_scenes_are_saved_under_names_of_their_own(tmp_path, names, says):
    scenes = [dataclasses.replace(scene(i), name=name) for i, name in enumerate(names)]
    with pytest.raises(ValueError, match=re.escape(says)): save_scenes(scenes, tmp_path / 'deep' / 'd', SPACE)
    assert not list(tmp_path.iterdir()) # nothing was written before
    with pytest.raises(ValueError, match=re.escape(says)): save_scenes(iter(scenes), tmp_path / 'deep' / 'd', SPACE)
    assert not list(tmp_path.glob('*.png'))


def test_an_object_of_the_number_of_ignored_pixels_stays_itself(tmp_path):
    label, inst = torch.zeros(1, 2, 4, dtype=torch.long), torch.tensor([[[7, 7, 8, 8], [255, 255, 8, 8]]])
    label[0, 0, 3] = 7 # ignored
    for ignore_id, inst in ((7, inst), (-1, torch.where(label == 7, -1, inst))):
        scene = Scene(torch.where(label == 7, ignore_id, label), inst, torch.zeros(3, 2, 4), 'a')
        save_scenes([scene], tmp_path / 'd', LabelSpace(['a', 'b'], ignore_id=ignore_id))
        read = open_dataset(tmp_path / 'd', instances='any')[0]
        assert torch.equal(read.instance_map, torch.where(inst < 0, 255, inst)) and torch.equal(read.label_map == 255, label == 7)


def test_one_name_in_two_cities_is_refused(tmp_path):
    for kind, end in (('gtFine', '_gtFine_labelIds'), ('leftImg8bit', '_leftImg8bit')):
        for city in 'ab':
            (tmp_path / kind / 'train' / city).mkdir(parents=True)
            Image.new('L', (4, 4), 7).save(tmp_path / kind / 'train' / city / f'0001{end}.png')
    with pytest.raises(DatasetError, match=r'a/0001_gtFine_labelIds.png and .*b/0001_gtFine_labelIds.png are both for scene 0001'): open_dataset(tmp_path)
    assert 'both for scene 0001' in examine(tmp_path).verdict


def test_a_list_of_classes_may_begin_with_a_byte_order_mark(tmp_path):
    for kind, end in (('labels', '_P'), ('images', '')):
        (tmp_path / kind).mkdir()
        Image.new('RGB' if end == '' else 'L', (4, 4)).save(tmp_path / kind / f'x{end}.png')
    (tmp_path / 'codes.txt').write_bytes('\ufeffSky\nVoid\n'.encode())
    assert open_dataset(tmp_path).label_space.names == ('Sky', 'Void')


def test_names_that_only_look_alike_are_told_so(plain):
    stem = next((plain / 'train/label').iterdir()).stem
    for kind, form in (('label', 'NFC'), ('inst', 'NFC'), ('image', 'NFD')):
        path = plain / f'train/{kind}/{stem}.png'
        path.rename(path.with_stem(unicodedata.normalize(form, 'stra\u00dfe_\u00e9')))
    with pytest.raises(DatasetError, match=r'spelled in two ways that look alike.*\(NFC and NFD\)'): open_dataset(plain)


def test_things_of_class_0_are_mentioned(tmp_path):
    zero = dataclasses.replace(SPACE, things=[True, False, False])
    d = save_scenes([dataclasses.replace(scene(i), instance_map=None) for i in range(2)], tmp_path / 'd', zero)
    with pytest.warns(UserWarning, match=r'has things as class 0 \(sky\)'): open_dataset(d)
    report = examine(d)
    assert report.verdict.startswith('Fit to train on') and sum('has things as class 0 (sky)' in n for n in report.notes) == 1
    save_scenes([scene(0)], tmp_path / 'e', SPACE)
    assert not any('class 0' in n for n in examine(tmp_path / 'e').notes)


def test_a_stray_file_is_no_split(tmp_path, monkeypatch):
    own = Path.glob
    monkeypatch.setattr(Path, 'glob', lambda self, pattern: own(self, pattern.rstrip('/'))) # as Python 3.10 does
    for parts in ('ade/annotations/training', 'segnet/trainannot', 'ab/A/train', 'ab/B/train', 'cycle/trainA', 'cycle/trainB'):
        (tmp_path / parts).mkdir(parents=True)
        Image.new('L', (4, 4)).save(tmp_path / parts / 'a.png')
    for stray in ('ade/annotations/readme.txt', 'segnet/readmeannot', 'other/readmeannot', 'ab/A/readme.txt', 'cycle/readmeA'):
        (tmp_path / stray).parent.mkdir(exist_ok=True)
        (tmp_path / stray).write_text('')
    assert ADE20K.splits(tmp_path / 'ade') == ['training'] and CamVid.splits(tmp_path / 'segnet') == ['train']
    assert not CamVid.recognises(tmp_path / 'other')
    for name in ('ab', 'cycle'): assert [s[:2] for s in two_folders(tmp_path / name, None, 'train')[1]] == [('train', 'a')]


def test_one_scene_trains_where_another_validates(tmp_path):
    save_scenes([scene(0)], tmp_path, SPACE)
    assert 'one scene' in examine(tmp_path).verdict
    with pytest.raises(ValueError, match='none can be held out'): scenes_of(tmp_path, 'train')
    save_scenes([scene(1)], tmp_path, SPACE, 'val')
    for split in (None, 'train'): assert examine(tmp_path, split).verdict.startswith('Fit to train on')
    assert [len(s) for s in scenes_of(tmp_path, 'train')[:2]] == [1, 1]


@pytest.mark.parametrize('more', [dict(ignore_ids=[255, 254]), dict(ignore_id=255, ignore_ids=[254]), dict(ignore_ids=[-1, 1, 255])])
def test_two_ids_of_no_class_are_refused(more):
    classes = [dict(id=0, name='sky'), dict(id=2, name='car')]
    with pytest.raises(ValueError, match='expected one such id: write (255|-1) for (254|255) in the label maps'): LabelSpace.from_dict(dict(classes=classes, **more))
    space = LabelSpace.from_dict(dict(classes=classes, ignore_ids=[1, 255, 'sky', 255])) # 1 lies amid the classes
    assert space.ignore_id == 255 and space.unscored == (0, 1)


def test_photos_of_their_own_channels_are_brought_to_the_richest(plain):
    photo = plain / 'train/image/scene_3.png'
    Image.open(photo).convert('L').save(photo)
    data = open_dataset(plain, image_mode=None)
    assert data.image_mode == 'RGB' and {s.image.shape[0] for s in data} == {3}
    assert examine(plain).verdict.startswith('Fit to train on')
    for p in (plain / 'train/image').iterdir(): Image.open(p).convert('L').save(p)
    assert {s.image.shape[0] for s in open_dataset(plain, image_mode=None)} == {1}


def test_doctor_proposes_classes_beyond_255(tmp_path):
    "A label map of more than 256 classes: 255 is one of them, and no mark of pixels without a class."
    for kind in ('label', 'image'): (tmp_path / 'train' / kind).mkdir(parents=True)
    for i in range(2):
        Image.fromarray((np.arange(64 * 64).reshape(64, 64) % 301).astype(np.uint16)).save(tmp_path / f'train/label/{i}.png')
        Image.new('RGB', (64, 64)).save(tmp_path / f'train/image/{i}.png')
    space = examine(tmp_path).label_space
    assert (space.n_classes, space.ignore_id) == (301, None)
    write_meta(examine(tmp_path))
    assert examine(tmp_path).verdict.startswith('Fit to train on')


def test_the_contact_sheet_shows_a_file_that_is_gone(plain):
    "A link to nowhere is one of the problems, and a dark tile."
    first = next((plain / 'train' / 'label').iterdir())
    first.unlink()
    first.symlink_to(plain / 'nowhere.png')
    report = examine(plain)
    assert 'missing' in [p.kind for p in report.problems] and report.contact_sheet().width > 0


def test_flips_exchange_left_and_right(tmp_path):
    "A left eye is a right one in a mirror: training and the segmenter see the ids that the classes have there."
    space = LabelSpace(['skin', 'left eye', 'right_eye', 'left ear', 'nose'], ignore_id=255)
    assert space.mirror(torch.tensor([0, 1, 2, 3, 4, 255])).tolist() == [0, 1, 2, 3, 4, 255] # 'left eye' and 'right_eye' are no pair
    space = LabelSpace(['skin', 'left eye', 'right eye', 'left ear', 'nose'], ignore_id=255)
    label = torch.zeros(1, 8, 16, dtype=torch.long)
    label[:, 2:4, 2:6], label[:, 2:4, 10:14], label[:, 5:7, 0:3], label[:, 7:, 8:] = 1, 2, 3, 255
    scenes = ScenesInMemory([Scene(label, None, torch.rand(3, 8, 16), str(i)) for i in range(12)], space)
    flipped = 0
    for i in range(12):
        seen, ids, _ = SceneItems(scenes, seed=0)[i]
        flipped += (f := bool(seen[0, 5, 15] == 3))
        assert (seen[0, 2:4, 2:6] == 1).all() and (seen[0, 2:4, 10:14] == 2).all()
        assert torch.equal(ids, label.flip(-1) if f else label) # objects keep their numbers
        assert (seen == 255).sum() == 8
    assert 0 < flipped < 12
    assert torch.equal(SceneItems(scenes, flip=False)[0][0], label)


@pytest.mark.parametrize('how, message', [
    (dict(size=(-8, 8), policy='resize'), r'size is \(-8, 8\), expected \(height, width\)'), (dict(size='64', policy='resize'), "size is '64'"),
    (dict(size=(8, 8, 8), policy='crop'), r'size is \(8, 8, 8\)'), (dict(size=(8, 8), load_size=(16, 0), policy='resize_and_crop'), r'size is \(16, 0\)'),
    (dict(bs=0), 'bs is 0, expected a whole number from 1 on')])
def test_sizes_that_are_none(how, message):
    with pytest.raises(ValueError, match=message): scene_dataloaders([scene(i) for i in range(4)], device='cpu', **how)


def maps_and_photos(folder, maps, **kwargs):
    "A plain folder of label maps as they are given and grey photos, without a meta.json."
    for i, m in enumerate(maps):
        m = m if isinstance(m, Image.Image) else Image.fromarray(m)
        for kind in ('label', 'image'): (folder / 'train' / kind).mkdir(parents=True, exist_ok=True)
        m.save(folder / f'train/label/{i}.{kwargs.get("end", "png")}')
        Image.new('RGB', m.size, (99, 99, 99)).save(folder / f'train/image/{i}.png')
    return folder


def in_colours(ids, colours): return Image.fromarray(np.array(colours, np.uint8)[ids])

COLOURS = [(200, 30, 30), (20, 180, 40), (30, 60, 220), (240, 240, 20)]


def test_palettes_that_differ_are_no_ids(tmp_path):
    "Palettes made for each file (PIL's quantize): the same number is another colour in each."
    ids = [np.arange(32 * 64).reshape(32, 64) // 300 % n for n in (2, 3, 4)]
    differ = maps_and_photos(tmp_path / 'differ', [in_colours((i + k) % 4, COLOURS).quantize(8) for k, i in enumerate(ids)])
    assert Image.open(differ / 'train/label/0.png').mode == 'P'
    report = examine(differ)
    said = next(p for p in report.problems if p.kind == 'palette')
    assert report.verdict.startswith('Not fit') and f'convert colors {differ} OUT' in said.message and said.message in report.verdict
    assert all(str(differ / f'train/label/{i}.png') in said.message for i in (0, 1)) and 'another colour' in said.message
    with pytest.raises(ValueError, match='another colour'): write_meta(report)
    assert not (differ / 'meta.json').exists()
    assert len(open_dataset(convert_dataset('colors', differ, tmp_path / 'out'))) == 3 # as it was told
    for name, palette in (('one', sum(COLOURS, ())), ('ramp', None)): # one palette for all, or none to speak of, is as before
        maps = [Image.fromarray(i.astype(np.uint8)).convert('P') for i in ids]
        for m in maps[:2] if palette is None else maps: m.putpalette(palette or sum(((i, i, i) for i in range(256)), ()))
        same = maps_and_photos(tmp_path / name, maps)
        write_meta(examine(same))
        assert examine(same).verdict.startswith('Fit to train on')
    space = LabelSpace(list('abcd'), COLOURS)
    for k, i in enumerate(ids): in_colours((i + k) % 4, COLOURS).quantize(8).save(same / f'train/label/{k}.png')
    (same / 'meta.json').write_text(json.dumps(space.to_dict())) # colours that are listed are read by them
    assert examine(same).verdict.startswith('Fit to train on')


def pictures(*paths, size=(40, 24)):
    for p in paths:
        for name in ('a', 'b'):
            p.mkdir(parents=True, exist_ok=True)
            Image.new('L', size).save(p / f'{name}.png')


def test_folders_of_label_maps_are_not_taken_for_pairs_side_by_side(tmp_path):
    said = lambda d: examine(d).verdict
    for labels, photos in (('labels', 'images'), ('masks', 'photos'), ('label', 'image'), ('Mask', 'Image')):
        d = tmp_path / f'{labels}_{photos}'
        pictures(d / labels, d / photos)
        assert 'side-by-side' not in said(d) and f'in {d}, move {labels} to train/label and {photos} to train/image' in said(d)
    for labels, photos, told in (('train/labels', 'train/images', 'in {0}, rename train/labels to train/label and train/images to train/image'),
                                 ('train/masks', 'train/image', 'in {0}, rename train/masks to train/label'),
                                 ('labels/train', 'images/train', 'in {0}, move labels/train to train/label and images/train to train/image')):
        d = tmp_path / labels.replace('/', '_')
        pictures(d / labels, d / photos)
        assert 'side-by-side' not in said(d) and told.format(d) in said(d)
    for name, size, parts in (('flat', (40, 24), ['']), ('parts', (40, 24), ['train', 'val'])):
        pictures(*(tmp_path / name / p for p in parts), size=size)
        assert f'side-by-side {tmp_path / name} OUT' in said(tmp_path / name)
    pictures(tmp_path / 'odd', size=(41, 24))
    pictures(tmp_path / 'two/first', tmp_path / 'two/second')
    pictures(tmp_path / 'coco/images')
    (tmp_path / 'coco/instances.json').write_text('{}')
    for name in ('odd', 'two', 'coco'): assert 'side-by-side' not in said(tmp_path / name)
    assert 'convert (--help' in said(tmp_path / 'coco')
    pictures(tmp_path / 'sizes')
    Image.new('L', (60, 24)).save(tmp_path / 'sizes/c.png')
    assert 'side-by-side' not in said(tmp_path / 'sizes')


def test_a_split_is_told_from_a_dataset(plain, monkeypatch):
    assert 'train is a split of a dataset: give the folder above it' in examine(plain / 'train').verdict
    for part in ('train', 'train/label'):
        with pytest.raises(DatasetError, match=f'give the folder above it, {plain}'): open_dataset(plain / part)
    monkeypatch.chdir(plain / 'train')
    assert f'give the folder above it, {plain}' in examine('.').verdict


def test_why_no_classes_are_proposed(tmp_path):
    "RGB and JPEG label maps without a meta.json: no circle from the doctor to --write-meta and back."
    ids = [np.arange(32 * 64).reshape(32, 64) // 300 % 4] * 2
    rgb = maps_and_photos(tmp_path / 'rgb', [in_colours(i, COLOURS) for i in ids])
    jpeg = maps_and_photos(tmp_path / 'jpeg', [i.astype(np.uint8) for i in ids], end='jpg')
    for d, says in ((rgb, f'pix2pixhd convert colors {re.escape(str(rgb))} OUT'), (jpeg, 'saving the JPEG as PNG does not bring them back')):
        assert '--write-meta' not in examine(d).verdict
        with pytest.raises(ValueError, match=says) as refused: write_meta(examine(d))
        assert 'train/label/0.' in str(refused.value)
    assert 'export' in str(refused.value) and 'labelling program' in str(refused.value)


def test_greys_that_were_spread_are_no_ids(tmp_path):
    greys = [(np.arange(32 * 64).reshape(32, 64) // 200 % 9 * 28).astype(np.uint8)] * 2
    d = maps_and_photos(tmp_path / 'spread', greys)
    report = examine(d)
    assert report.verdict.startswith('Not fit') and '9 ids from 0 to 224 (0, 28, 56, 84, 112 and 4 more)' in report.verdict
    assert f'pix2pixhd convert colors {d} OUT' in report.verdict and '--write-meta' not in report.verdict
    with pytest.raises(ValueError, match='9 ids from 0 to 224'): write_meta(report)
    assert not (d / 'meta.json').exists()
    out = open_dataset(convert_dataset('colors', d, tmp_path / 'out'))
    assert out[0].label_map.unique().tolist() == [*range(9)] == [*range(out.label_space.n_classes)]
    for k, ids in enumerate(([*range(30)], [0, 1, 2, 9, 18], [0, 255], [*range(0, 40, 3), 1, 255])): # real ids, or nearly
        fine = maps_and_photos(tmp_path / f'fine{k}', [np.resize(np.uint8(ids), (32, 64))] * 2)
        write_meta(examine(fine))
        assert examine(fine).verdict.startswith('Fit to train on')
    (d / 'meta.json').write_text(json.dumps(LabelSpace([f'c{i}' for i in range(225)]).to_dict())) # a list of classes is believed
    assert examine(d).verdict.startswith('Fit to train on')


def test_unknown_keys_of_meta_json_are_noted(plain):
    meta = json.loads((plain / 'meta.json').read_text())
    assert not any('meta.json' in n for n in examine(plain).notes)
    for c in meta['classes']: c.pop('thing', None)
    meta['classes'][2]['isthing'] = meta['classes'][1]['isthing'] = meta['ignore_idx'] = meta['licence'] = 1
    (plain / 'meta.json').write_text(json.dumps(meta))
    report = examine(plain)
    told = '\n'.join(n for n in report.notes if 'meta.json' in n)
    assert report.verdict.startswith('Fit') and "'isthing' (did you mean 'thing'?)" in told and "'ignore_idx' (did you mean 'ignore_id'?)" in told
    assert told.count('isthing') == 1 and 'licence' not in told


def test_one_doubled_file_is_one_problem(plain):
    shutil.copy(plain / 'train/image/scene_2.png', plain / 'train/image/scene_2.jpg')
    report = examine(plain)
    assert [p.kind for p in report.problems] == ['pairing'] and 'both scene_2.jpg and scene_2.png' in report.verdict
    assert len(report.findings) == 5 and report.splits['train'] == dict(label=5, inst=5, image=5)
    with pytest.raises(DatasetError, match='both scene_2.jpg and scene_2.png'): open_dataset(plain)


def test_photos_of_a_kind_that_is_not_read_are_seen(plain):
    for i in (1, 3): (plain / f'train/image/scene_{i}.png').rename(plain / f'train/image/scene_{i}.heic')
    said = examine(plain).verdict
    assert 'label maps without a photo: 2 (scene_1, scene_3)' in said and 'train/image holds scene_1.heic and 1 more file of a kind that is not read' in said
    with pytest.raises(DatasetError, match='scene_1.heic'): open_dataset(plain)


def test_a_suffix_of_all_label_maps_is_told(plain):
    for p in (plain / 'train/label').iterdir(): p.rename(p.with_stem(p.stem + '_mask'))
    said = examine(plain).verdict
    assert "all label maps end in '_mask'" in said and 'rename scene_0_mask to scene_0' in said
    (plain / 'train/label/scene_1_mask.png').rename(plain / 'train/label/scene_1.png')
    assert '_mask\'' not in examine(plain).verdict


def test_a_split_that_is_not_there_is_told(plain, tmp_path):
    report = examine(plain, 'foo')
    assert 'there is no split foo' in report.verdict and 'there is train' in report.verdict
    save_scenes([scene(9)], plain, SPACE, 'val')
    assert 'there is no split foo; there are train and val' in examine(plain, 'foo').verdict


def test_a_sheet_goes_where_there_is_a_folder(plain, tmp_path, capsys):
    from pix2pixhd_nb.commands.main import main
    assert main(['doctor', str(plain), '--sheet', str(tmp_path / 'no/where/x.png')]) == 2
    assert not (tmp_path / 'no').exists() and 'no/where' in capsys.readouterr().err
    assert main(['doctor', str(plain), '--sheet', str(tmp_path / 'x.png')]) == 0
    assert f"wrote {tmp_path / 'x.png'}" in capsys.readouterr().out


def test_components_are_not_spoken_of_where_no_class_is_a_thing(plain):
    shutil.rmtree(plain / 'train/inst')
    assert any('connected components' in n for n in examine(plain).notes)
    space = LabelSpace(['sky', 'road', 'lake'])
    assert not any('connected components' in n for n in examine(plain, label_space=space).notes)
