"Two CPU processes: equal to one, stopped, killed, and gone on with by another number; every launcher."
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
import psutil
import pytest
import torch
from pix2pixhd_nb.training.checkpoints import checkpoints_in, latest_checkpoint
from pix2pixhd_nb.data.layouts import save_scenes
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD

TORCHRUN = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2']
TINY = '--epochs 2 --decay 2 --width 8 --n-downsample 2 --n-blocks 1 --feature-channels 3 --n-scales 2 --discriminator-width 8 --no-keep-best'.split()


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('streets')
    save_scenes(SyntheticScenes(14, size=(32, 64)), folder, LABEL_SPACE, 'train')
    return folder

def command(launcher, data, model, *options):
    "A training on the command line; the process."
    return subprocess.Popen([sys.executable, *launcher, '-m', 'pix2pixhd_nb.commands.main', 'train', data, model, *TINY, *options], env=os.environ | dict(OMP_NUM_THREADS='1'),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

def done(process):
    said, _ = process.communicate(timeout=240)
    return process.returncode, said

def alone(data, model, *options): return done(command([], data, model, *options))

def ranks_of(process):
    "The two training processes below torchrun."
    return [p for p in psutil.Process(process.pid).children(recursive=True) if 'pix2pixhd_nb.commands.main' in ' '.join(p.cmdline())]

def wait_for_checkpoint(model):
    start = time.time()
    while not checkpoints_in(model/'checkpoints'):
        assert time.time() - start < 120, 'no checkpoint in two minutes'
        time.sleep(0.05)


def history(model): return latest_checkpoint(model/'checkpoints')['history']

def close(a, b): # rounding grows from step to step; other scenes, or a lost momentum, would differ by far more
    return a.keys() == b.keys() and all(len(a[k]) == len(b[k]) and torch.allclose(a[k], b[k], rtol=1e-2, atol=0) for k in a)


@pytest.fixture(scope='module')
def reference(data, tmp_path_factory):
    "One process with the global batch, never stopped."
    model = tmp_path_factory.mktemp('one')/'model'
    assert alone(data, model, '--batch', '2')[0] == 0
    return history(model)

def test_two_ranks_train_with_an_enhancer_and_fill_one_style_book(data, tmp_path):
    code, said = done(command(TORCHRUN, data, tmp_path/'two', '--enhancers', '1', '--frozen', '1'))
    assert code == 0, said
    assert said.count('stage 1 of 3') == 1 # one rank speaks
    pipe = Pix2PixHD.load(tmp_path/'two')
    scene = SyntheticScenes(1, size=(32, 64))[0]
    assert pipe.predict(scene.label_map, scene.instance_map).size == (64, 32)
    assert len(pipe.style_book.centres) # measured by both

def test_two_ranks_repeat_the_losses_of_one(data, reference, tmp_path):
    code, said = done(command(TORCHRUN, data, tmp_path/'two'))
    assert code == 0, said
    assert close(history(tmp_path/'two'), reference)

def test_one_rank_is_asked_to_stop_and_one_process_goes_on(data, reference, tmp_path):
    process = command(TORCHRUN, data, tmp_path/'two', '--save-every', '1')
    wait_for_checkpoint(tmp_path/'two')
    ranks_of(process)[1].send_signal(signal.SIGTERM)
    code, said = done(process)
    assert code and 'was asked to stop' in said, said
    assert len(history(tmp_path/'two')['gan']) < len(reference['gan'])
    code, said = alone(data, tmp_path/'two', '--batch', '2', '--resume')
    assert code == 0, said
    assert close(history(tmp_path/'two'), reference)

def test_a_killed_rank_ends_all_with_a_message_and_two_go_on(data, reference, tmp_path):
    process = command(TORCHRUN, data, tmp_path/'two', '--save-every', '1')
    wait_for_checkpoint(tmp_path/'two')
    ranks_of(process)[1].kill()
    code, said = done(process)
    assert code and 'lost another rank' in said and 'Traceback' not in said.split('lost another rank')[0].rsplit('pix2pixhd:', 1)[-1], said
    code, said = done(command(TORCHRUN, data, tmp_path/'two', '--resume'))
    assert code == 0, said
    assert close(history(tmp_path/'two'), reference)

def test_too_few_scenes_for_the_ranks(tmp_path):
    save_scenes(SyntheticScenes(2, size=(32, 64)), tmp_path/'data', LABEL_SPACE, 'train')
    code, said = done(command(TORCHRUN, tmp_path/'data', tmp_path/'model'))
    assert code and 'too few for 2 ranks' in said, said

def test_accelerate_launch(data, tmp_path):
    pytest.importorskip('accelerate')
    process = command(['-m', 'accelerate.commands.launch', '--cpu', '--num_processes', '1', '--num_machines', '1', '--mixed_precision', 'no', '--dynamo_backend', 'no'], data, tmp_path/'model')
    code, said = done(process)
    assert code == 0, said
    assert (tmp_path/'model').is_dir()

NOTEBOOK = '''
import json, sys
from accelerate import notebook_launcher

def train():
    import torch
    from pix2pixhd_nb.data.loaders import scene_dataloaders
    from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
    from pix2pixhd_nb.training.distributed import distribute
    from pix2pixhd_nb.engine.distributed import gather, join_ranks, rank, world_size
    from pix2pixhd_nb.training.learner import pix2pixhd_learner

    class Scenes(list): label_space = LABEL_SPACE

    join_ranks()
    dls = scene_dataloaders(Scenes(SyntheticScenes(8, size=(32, 64))), Scenes(SyntheticScenes(3, size=(32, 64))), bs=1, device='cpu')
    learn = distribute(pix2pixhd_learner(dls, width=4, n_downsample=2, n_blocks=1, discriminator_width=4, n_scales=2, precision='bf16', channels_last=True))
    learn.fit_flat_linear(1, 1)
    sums = gather(sum(p.double().sum().item() for p in learn.model.parameters()))
    if not rank(): json.dump(dict(ranks=world_size(), sums=sums, valid=[v[1] for v in learn.recorder.values]), open(sys.argv[1], 'w'))

notebook_launcher(train, num_processes=2, use_port=sys.argv[2])
'''

def test_notebook_launcher_trains_in_16_bits_and_both_ranks_end_alike(tmp_path):
    pytest.importorskip('accelerate')
    (tmp_path/'program.py').write_text(NOTEBOOK)
    run = subprocess.run([sys.executable, tmp_path/'program.py', tmp_path/'result.json', str(20000 + os.getpid() % 20000)], capture_output=True, text=True, timeout=240, env=os.environ | dict(OMP_NUM_THREADS='1'))
    assert run.returncode == 0, run.stderr[-2000:]
    result = json.loads(Path(tmp_path/'result.json').read_text())
    assert result['ranks'] == 2 and result['sums'][0] == result['sums'][1] and all(result['valid'])


SCORES = '''
import json, sys
import torch
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.training.distributed import distribute
from pix2pixhd_nb.evaluation.scores import Segmenter
from pix2pixhd_nb.engine.distributed import gather, join_ranks, leave_ranks, rank
from pix2pixhd_nb.training.learner import pix2pixhd_learner
from pix2pixhd_nb.evaluation.validation import GeneratedScore, TargetDistance

class Scenes(list): label_space = LABEL_SPACE

join_ranks()
found = {}
for n in (1, 3):   # with one scene, one of two ranks has none
    torch.manual_seed(0)
    segmenter = Segmenter(LABEL_SPACE.n_classes).eval()
    dls = scene_dataloaders(Scenes(SyntheticScenes(4, size=(32, 64))), Scenes(SyntheticScenes(n, size=(32, 64), seed=1)), bs=1, device='cpu')
    learn = distribute(pix2pixhd_learner(dls, width=4, n_downsample=2, n_blocks=1, discriminator_width=4, metrics=[GeneratedScore(segmenter), GeneratedScore(segmenter, 'accuracy'), TargetDistance()]))
    with learn.no_bar(): learn.validate()
    found[n] = gather([m.value for m in learn.recorder.metrics[-3:]])
if not rank():
    with open(sys.argv[1], 'w') as f: json.dump(found, f)
leave_ranks()
'''

def test_the_scores_of_two_ranks_are_those_of_one_process(tmp_path):
    (tmp_path/'program.py').write_text(SCORES)
    results = []
    for launcher in ([], TORCHRUN):
        run = subprocess.run([sys.executable, *launcher, tmp_path/'program.py', tmp_path/'result.json'], capture_output=True, text=True, timeout=240, env=os.environ | dict(OMP_NUM_THREADS='1'))
        assert run.returncode == 0, run.stderr[-2000:]
        results.append(json.loads((tmp_path/'result.json').read_text()))
    one, two = results
    for n in one:
        assert len(two[n]) == 2 and two[n][0] == two[n][1] # both ranks choose the best epoch by the same figures
        assert two[n][0] == pytest.approx(one[n][0], rel=1e-6)
