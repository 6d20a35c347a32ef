"""A training's settings are checked as a whole before anything is made: paths, room, memory, classes, sizes, what --resume finds."""
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
import psutil
import pytest
from PIL import Image
from pix2pixhd_nb.commands import training
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.commands.training import check_same_scenes
from pix2pixhd_nb.core import LabelSpace
from pix2pixhd_nb.data.layouts import open_dataset, save_scenes
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.engine import files
from pix2pixhd_nb.evaluation.scores import train_segmenter
from pix2pixhd_nb.evaluation.segmenters import save_segmenter
from pix2pixhd_nb.training import cost
from pix2pixhd_nb.training.checkpoints import checkpoints_in
from pix2pixhd_nb.training.cost import check_memory, saved_bytes

TINY = '--batch 2 --width 8 --n-downsample 2 --n-blocks 1 --feature-channels 3 --encoder-width 4 --n-scales 1 --discriminator-width 8 --no-keep-best'.split()
NET = dict(width=8, n_downsample=2, n_blocks=1, feature_channels=3, encoder_width=4, n_scales=1, discriminator_width=8)

@pytest.fixture(scope='module')
def data(tmp_path_factory):
    d = tmp_path_factory.mktemp('data')
    save_scenes(SyntheticScenes(4, size=(32, 64)), d, LABEL_SPACE, 'train')
    return d

def said(capsys, *words):
    status = main([str(w) for w in words])
    out = capsys.readouterr()
    return status, out.err.strip(), out.out

def refused(capsys, model, *words):
    "The one message; nothing was made."
    before = sorted(model.rglob('*')) if model.exists() else None
    status, message, _ = said(capsys, *words)
    assert status == 2 and len(message.splitlines()) == 1, message
    assert (sorted(model.rglob('*')) if model.exists() else None) == before
    return message

# room on the disk

Usage = namedtuple('Usage', 'total used free')

def test_room_is_counted_before_anything_is_made(data, tmp_path, capsys, monkeypatch):
    m = tmp_path / 'new' / 'm'
    monkeypatch.setattr(files.shutil, 'disk_usage', lambda path: Usage(10**9, 10**9 - 150_000, 150_000))
    message = refused(capsys, m, 'train', data, m, *TINY, '--steps', '2')
    assert '5 checkpoints of' in message and '--keep 3' in message and '0.1 MB free' in message and '--anyway' in message
    assert not m.parent.exists()
    assert said(capsys, 'train', data, m, *TINY, '--steps', '2', '--anyway')[0] == 0

@pytest.mark.parametrize('more', [(), ('--ema', '0.9', '--with-discriminators', '--enhancers', '1', '--frozen', '1')], ids=str)
def test_files_are_as_large_as_was_said(data, tmp_path, capsys, monkeypatch, more):
    m, asked = tmp_path / 'm', []
    monkeypatch.setattr(training, 'check_room', lambda folder, needed, what, remedy: asked.append((needed, what)))
    assert said(capsys, 'train', data, m, *TINY, '--steps', '2', *more)[0] == 0
    (needed, what), = asked
    largest = max(p.stat().st_size for p in checkpoints_in(m / 'checkpoints'))
    model = sum(p.stat().st_size for p in m.glob('*.safetensors'))
    counted = float(what.split(' of ')[1].split(' MB')[0]) * 1e6
    assert counted <= largest + 50_000 and largest < 1.1 * counted + 150_000, (counted, largest) # random states and the history are small
    assert 5 * counted + 1.9 * model < needed + 300_000 and needed < 5 * largest + 2.1 * model + 300_000

def test_what_is_there_already_counts(data, tmp_path, capsys, monkeypatch):
    m = tmp_path / 'm'
    asked = []
    monkeypatch.setattr(training, 'check_room', lambda folder, needed, what, remedy: asked.append(needed))
    assert said(capsys, 'train', data, m, *TINY, '--steps', '2')[0] == 0
    assert said(capsys, 'train', data, m, *TINY, '--steps', '4', '--resume')[0] == 0
    assert asked[1] < asked[0]

# memory

def test_memory_is_counted_by_the_plan(data, tmp_path, capsys, monkeypatch):
    m = tmp_path / 'm'
    monkeypatch.setattr(cost, 'free_bytes', lambda device: 10**6 - psutil.Process().memory_info().rss)
    message = refused(capsys, m, 'train', data, m, *TINY, '--steps', '2')
    assert '64x32 with 2 scenes a batch needs about' in message and 'GB of memory, and 0.0 GB can be had' in message and '--anyway' in message, message
    assert said(capsys, 'train', data, m, *TINY, '--steps', '2', '--anyway')[0] == 0

def test_what_the_system_lent_out_is_counted(monkeypatch):
    "A process forked from one that has imported everything, or whose pages were reclaimed, shows fewer bytes than it will take."
    small = cost.rehearse((64, 128), n_classes=9, **NET)
    resident = lambda n: monkeypatch.setattr(cost.psutil.Process, 'memory_info', lambda process: SimpleNamespace(rss=n))
    resident(10**6)
    few = cost.bytes_needed(small)
    assert few > small.peak + 8e8
    resident(5 * 10**9)
    assert cost.bytes_needed(small) > few + 4e9

def test_what_would_fit_is_said(monkeypatch):
    monkeypatch.setattr(cost, 'sixteen_bits', lambda device: 'bf16')
    networks = dict(n_classes=9, n_blocks=9, width=16, n_downsample=2, discriminator_width=8, n_scales=1)
    counted = {}
    rehearse = cost.rehearse
    def once(*args, **kwargs):
        key = str((args, kwargs))
        if key not in counted: counted[key] = rehearse(*args, **kwargs)
        return counted[key]
    monkeypatch.setattr(cost, 'rehearse', once)
    asked = dict(size=(512, 1024), device='cuda', precision='bf16', **networks)
    plain, less = (cost.bytes_needed(rehearse((512, 1024), precision='bf16', activation_checkpointing=r, **networks), 'cuda') for r in (False, True))
    assert less < plain
    check_memory(**asked, free=plain + 1)
    with pytest.raises(ValueError, match=f'about {plain / 1e9:.1f} GB of memory, and .* GB can be had: add --activation-checkpointing, or'): check_memory(**asked, free=(plain + less) / 2)
    with pytest.raises(ValueError, match='can be had: choose a smaller --size'): check_memory(**asked, free=less / 10)
    with pytest.raises(ValueError): check_memory(**asked, free=plain + 1, processes=2)

def test_an_average_and_the_pool_are_counted():
    plain, averaged = (saved_bytes(9, a, **NET) for a in (0., 0.9))
    assert averaged[0] - plain[0] == plain[1] == averaged[1]

# sizes, classes, paths

def test_a_crop_that_only_the_last_stage_takes_is_told_first(data, tmp_path, capsys):
    m = tmp_path / 'm'
    message = refused(capsys, m, 'train', data, m, *TINY, '--steps', '2', '--enhancers', '1', '--policy', 'crop', '--size', '128x64')
    assert 'of 64x32' in message and 'smaller than the crop of 128x64' in message

def test_the_policy_none_needs_no_size(data, tmp_path, capsys):
    m = tmp_path / 'm'
    assert '--size' in refused(capsys, m, 'train', data, m, *TINY, '--policy', 'none', '--size', '64x32')
    assert '--enhancers' in refused(capsys, m, 'train', data, m, *TINY, '--policy', 'none', '--enhancers', '1')
    assert said(capsys, 'train', data, m, *TINY, '--policy', 'none', '--steps', '2')[0] == 0

def test_a_segmenter_is_read_first(data, tmp_path, capsys):
    m, keep = tmp_path / 'm', [w for w in TINY if w != '--no-keep-best']
    assert 'none.safetensors' in refused(capsys, m, 'train', data, m, *keep, '--segmenter', tmp_path / 'none.safetensors')
    scenes = ScenesInMemory(SyntheticScenes(2, size=(32, 64)))
    scenes.label_space = LabelSpace([f'class {i}' for i in range(9)])
    other = save_segmenter(train_segmenter(scenes, 2, bs=2), tmp_path / 'other.safetensors')
    assert 'The segmenter knows the classes class 0' in refused(capsys, m, 'train', data, m, *keep, '--segmenter', other)

def test_a_folder_inside_that_cannot_be_written_to(data, tmp_path, capsys, monkeypatch):
    m = tmp_path / 'm'
    m.mkdir()
    (m / 'checkpoints').mkdir()
    access = os.access
    monkeypatch.setattr(files.os, 'access', lambda path, mode: Path(path).name != 'checkpoints' and access(path, mode))
    assert 'checkpoints cannot be written to' in refused(capsys, m, 'train', data, m, *TINY)

def test_a_mistake_costs_no_checkpoint(data, tmp_path, capsys):
    "`--overwrite` removes an earlier run's checkpoints when all else is known to be right, not before."
    m = tmp_path / 'm'
    assert said(capsys, 'train', data, m, *TINY, '--steps', '2')[0] == 0
    for wrong in (('train', tmp_path / 'none', m, *TINY), ('train', data, m, *TINY, '--policy', 'crop', '--size', '128x64'), ('train', data, m, *TINY, '--valid', 'none')):
        refused(capsys, m, *wrong, '--overwrite')
    assert checkpoints_in(m / 'checkpoints') and json.loads((m / 'train.json').read_text())['steps'] == 2

def test_a_new_run_reads_with_a_segmenter_of_its_own(data, tmp_path, capsys):
    "`--overwrite` may bring other photos, or other classes: the earlier run's segmenter knows nothing of them."
    m, other, keep = tmp_path / 'm', tmp_path / 'other', [w for w in TINY if w != '--no-keep-best']
    assert said(capsys, 'train', data, m, *keep, '--steps', '2', '--valid', '0.5')[0] == 0
    first = (m / 'segmenter.safetensors').read_bytes()
    space = LabelSpace(['ground', 'rest'])
    scenes = [type(s)((s.label_map > 2).long(), s.instance_map, -s.image, s.name) for s in SyntheticScenes(4, size=(32, 64))]
    save_scenes(scenes, other, space, 'train')
    status, message, out = said(capsys, 'train', other, m, *keep, '--steps', '2', '--valid', '0.5', '--overwrite')
    assert status == 0, message
    assert 'A segmenter learns' in out and (m / 'segmenter.safetensors').read_bytes() != first
    mine = m / 'segmenter.safetensors'
    assert said(capsys, 'train', other, m, *keep, '--steps', '2', '--valid', '0.5', '--overwrite', '--segmenter', mine)[0] == 0, 'it was given by hand'

@pytest.mark.parametrize('more', [('--pool-size', '2'), ('--augmentation', 'colour')], ids=' '.join)
def test_the_same_command_makes_the_same_weights(data, tmp_path, capsys, more):
    "Also in the same process, and where the segmenter was not there before."
    line = ('train', data, *[w for w in TINY if w != '--no-keep-best'], '--precision', 'fp32', '--epochs', '2', '--decay', '1', '--valid', '0.5', *more)
    made = []
    for m, given in ((tmp_path / 'a', ()), (tmp_path / 'b', ()), (tmp_path / 'c', ('--segmenter', tmp_path / 'a' / 'segmenter.safetensors'))):
        assert said(capsys, *line[:2], m, *line[2:], *given)[0] == 0
        made.append(next(m.glob('weights-*')).name)
    assert len(set(made)) == 1, made

def test_cameras_turn_photos(tmp_path):
    "Sizes are those that the readers give, not those that a file has before its orientation tag is heard."
    save_scenes(SyntheticScenes(1, size=(32, 64)), tmp_path, LABEL_SPACE, 'train')
    path = next((tmp_path / 'train' / 'label').iterdir())
    turned, exif = Image.open(path).transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6 # turn a quarter clockwise
    turned.save(path, exif=exif)
    scenes = open_dataset(tmp_path, 'train')
    assert training.shapes_of(scenes) == {scenes[0].size: 1} == {(32, 64): 1}

# what --resume finds

@pytest.fixture(scope='module')
def run(data, tmp_path_factory):
    m = tmp_path_factory.mktemp('run') / 'm'
    assert main(['train', str(data), str(m), *TINY, '--epochs', '1', '--decay', '0', '--size', '64x32', '--enhancers', '1', '--frozen', '1']) == 0
    return m

SAME = [*TINY, '--epochs', '1', '--decay', '0', '--size', '64x32', '--enhancers', '1', '--frozen', '1', '--resume']

def without(words, *options):
    "The words without some options and their values."
    words = list(words)
    for o in options: del words[(k := words.index(o)):k + 2]
    return words

@pytest.mark.parametrize('words,options', [
    (without(SAME, '--enhancers', '--frozen'), {'--enhancers was 1 and is 0 now'}),
    (without(SAME, '--width', '--n-blocks'), {'--width was 8 and is 64 now', '--n-blocks was 1 and is 9 now'}),
    ([*SAME, '--size', '32x32', '--seed', '3', '--valid', '0.5'], {'--size was 64x32 and is 32x32 now', '--seed was 0 and is 3 now', '--valid was not given and is 0.5 now'}),
    ([*SAME, '--recipe', 'small'], {'--recipe was paper and is small now', '--norm was instance and is batch now'}),
    ([*SAME, '--ema', '0.99', '--policy', 'crop'], {'--ema was 0.0 and is 0.99 now', '--policy was resize and is crop now'})], ids=['enhancers', 'networks', 'data', 'recipe', 'others'])
def test_each_option_that_differs_is_named(run, data, capsys, words, options):
    message = refused(capsys, run, 'train', data, run, *words)
    assert all(o in message for o in options), message
    if '--recipe' not in words: assert message.count(' now') == len(options)

def test_what_may_differ_goes_on(run, data, capsys):
    assert said(capsys, 'train', data, run, *SAME)[0] == 0 # nothing is left to train
    words = without(SAME, '--epochs')
    assert said(capsys, 'train', data, run, *words, '--epochs', '2', '--keep', '5', '--lr', '1e-4')[0] == 0
    assert said(capsys, 'train', data, run, '--config', run / 'train.json', '--resume')[0] == 0

def test_other_scenes_are_named(run, data, capsys, tmp_path):
    other = tmp_path / 'other'
    shutil.copytree(data, other)
    for path in [*other.glob('train/*/*')]: path.rename(path.with_stem('x' + path.stem))
    message = refused(capsys, run, 'train', other, run, '--config', run / 'train.json', '--resume')
    assert 'begun with other scenes' in message and '--anyway' in message
    (tmp_path / 'train.json').write_text('{"width": 8}') # of an earlier release
    check_same_scenes(tmp_path, open_dataset(other, 'train'))

def test_going_on_anyway(run, data, capsys):
    assert said(capsys, 'train', data, run, *SAME, '--gan-weight', '2')[0] == 2
    assert said(capsys, 'train', data, run, *without(SAME, '--epochs'), '--epochs', '3', '--gan-weight', '2', '--anyway')[0] == 0
    status, message, _ = said(capsys, 'train', data, run, *without(SAME, '--width'), '--anyway')
    assert status == 2 and 'another architecture' in message

def test_a_later_stage_needs_its_enhancers(run, data, capsys):
    "Where the file of options is gone, the checkpoint itself tells."
    (run / 'train.json').unlink()
    message = refused(capsys, run, 'train', data, run, *without(SAME, '--enhancers', '--frozen'))
    assert 'of stage 3, and with --enhancers 0 there are 1: give --enhancers 1 or more' in message
    assert said(capsys, 'train', data, run, *without(SAME, '--epochs'), '--epochs', '3')[0] == 0

@pytest.mark.parametrize('deep', [dict(n_downsample=5), dict(n_downsample=6, n_enhancers=1, feature_channels=3), dict(n_scales=7)], ids=str)
def test_a_plan_times_deep_networks_at_a_size_that_they_take(monkeypatch, deep):
    monkeypatch.setattr(cost, 'step_seconds', lambda size, **asked: (0.1, 0.1))
    options = cost.training_options((256, 512), n_classes=3, free=1e12, width=4, n_blocks=1, discriminator_width=2, **deep)
    assert all(o.seconds > 0 for o in options)
