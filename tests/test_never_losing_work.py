"Runs that are killed, starved of disk, fed damaged files or asked to stop: nothing whole is lost, nothing damaged is used."
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
import pytest
from fastai.callback.core import Callback
from pix2pixhd_nb.training.checkpoints import Checkpoint, checkpoints_in, latest_checkpoint
from pix2pixhd_nb.data.layouts import open_dataset, save_scenes
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from test_training import fit, learner, loaders


@pytest.fixture(scope='module')
def result(tmp_path_factory):
    "What `interrupted_runs.py` saw."
    out = subprocess.run([sys.executable, Path(__file__).with_name('interrupted_runs.py'), tmp_path_factory.mktemp('runs')], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout.splitlines()[-1])

def test_twenty_kills_change_nothing(result):
    killed = result['killed']
    print(killed)
    assert killed['kills'] == 20 and killed['damaged'] == 0 and killed['went_back'] == 0 and killed['parts'] == 0
    assert killed['equal'] and killed['same_losses']

def test_a_full_disk_keeps_what_is_whole(result):
    full = result['disk_full']
    assert full['status'] == 0 and full['whole'] == 2 and full['parts'] == 0
    assert full['left'] == ['stage0-epoch00002-batch0000000', 'stage0-epoch00001-batch0000000']
    assert len(full['said']) == 8 and all('make room; training goes on, and the checkpoint before stays' in s for s in full['said'])

def test_no_damage_is_taken_for_whole(result): assert result['damage'] == dict(cases=40, taken_for_whole=0)

def test_reading_processes_change_nothing(result): assert result['workers_agree']

def test_a_long_run_does_not_grow(result):
    soak = result['soak']
    assert soak['steps'] >= 2000 and len(soak['memory']) == 10
    assert soak['memory'][-1] < 1.01 * soak['memory'][0], soak['memory']
    assert soak['files'] == 0 and soak['processes'] == 0


@pytest.fixture
def streets(tmp_path):
    "Six synthetic streets on disk."
    save_scenes(SyntheticScenes(6, size=(32, 64)), tmp_path / 'streets', LABEL_SPACE, 'train')
    return tmp_path / 'streets'

@pytest.mark.parametrize('workers', [0, 1])
def test_an_image_that_vanishes_ends_in_an_error_message(streets, tmp_path, workers):
    scenes, images = open_dataset(streets, 'train'), sorted(p for p in streets.rglob('*') if p.is_file() and 'im' in p.parent.name)
    class Vanish(Callback):
        def after_batch(self):
            if self.training and len(self.gan_training.history) == 4: [p.unlink() for p in images]
    with pytest.raises((FileNotFoundError, ValueError)) as error: fit(learner(loaders(scenes, bs=1, workers=workers)), 3, cbs=[Vanish(), Checkpoint(tmp_path / 'run', every=1)])
    assert any(str(p) in str(error.value).splitlines()[-1] for p in images)
    assert (state := latest_checkpoint(tmp_path / 'run'))['epoch'] * 6 + state['batch'] >= 4

@pytest.mark.parametrize('number, keep_best', [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_asked_to_stop_it_saves_and_goes_on(streets, tmp_path, number, keep_best):
    model = tmp_path / 'model'
    options = '--epochs 40 --decay 0 --width 4 --n-downsample 2 --n-blocks 1 --feature-channels 3 --n-scales 1 --discriminator-width 4'.split() + ['--keep-best' if keep_best else '--no-keep-best']
    command = [sys.executable, '-m', 'pix2pixhd_nb.commands.main', 'train', streets, model, *options]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not checkpoints_in(model / 'checkpoints'):
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.01)
    run.send_signal(number)
    _, said = run.communicate(timeout=240)
    assert run.returncode == 128 + number and said.splitlines()[-1].startswith(f'pix2pixhd: Training was asked to stop ({number.name}) and did')
    state = latest_checkpoint(model / 'checkpoints')
    assert 0 < state['epoch'] < 40
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 2 and 'has checkpoints of an earlier run' in again.stderr.splitlines()[-1]
    assert latest_checkpoint(model / 'checkpoints')['epoch'] == state['epoch']
    done = subprocess.run([*command, '--resume'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert latest_checkpoint(model / 'checkpoints')['epoch'] == 40 and (model / 'pipeline.json').is_file()
