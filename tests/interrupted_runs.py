"""Trains in child processes that are killed, starved of disk or fed damaged files, and prints what happened as JSON.

One process imports the library once and forks a child for every attempt; run by test_never_losing_work.py.
"""
import json
import os
import random
import resource
import signal
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
import psutil
import torch

torch.set_num_threads(1) # before any work: a process with helper threads must not fork

from pix2pixhd_nb.training.checkpoints import Checkpoint, checkpoints_in, latest_checkpoint, read_checkpoint # noqa: E402
from pix2pixhd_nb.data.loaders import scene_dataloaders # noqa: E402
from pix2pixhd_nb.data.toy import SyntheticScenes # noqa: E402
from pix2pixhd_nb.training.learner import pix2pixhd_learner # noqa: E402

EPOCHS, SCENES, KILLS = 10, 14, 20

class Held(list): label_space = SyntheticScenes(1).label_space

TRAIN, VALID = Held(SyntheticScenes(SCENES, size=(32, 64))), Held(SyntheticScenes(2, size=(32, 64), seed=1))

def learner(seed=0, workers=0, **networks):
    torch.manual_seed(seed)
    random.seed(seed)
    dls = scene_dataloaders(TRAIN, VALID, bs=2, seed=0, size=(32, 32), policy='crop', workers=workers, device='cpu')
    return pix2pixhd_learner(dls, **dict(width=8, n_downsample=2, n_blocks=1, feature_channels=3, encoder_width=4, discriminator_width=8, n_scales=2, pool_size=3) | networks)

def fit(learn, *cbs):
    with learn.no_bar(), learn.no_logging(): learn.fit_flat_linear(EPOCHS // 2, EPOCHS - EPOCHS // 2, cbs=cbs)
    return learn

def go_on(folder, seed, **kwargs):
    "Train from the newest whole checkpoint, or from the start, saving after every step."
    with redirect_stdout(open(os.devnull, 'w')): state = latest_checkpoint(folder) if checkpoints_in(folder) else None
    return fit(learner(0 if state is None else seed), Checkpoint(folder, every=1, resume=state, **kwargs))

def child(work):
    "Do something in a process of its own; its id."
    pid = os.fork()
    if pid: return pid
    try: work()
    except BaseException as e: sys.stderr.write(f'{type(e).__name__}: {e}\n'); os._exit(1)
    os._exit(0)

def parts(folder): return list(folder.glob('.*.part'))

def position(path): return path.name.rsplit('-', 1)[0]

def killed(folder, whole):
    "Twenty times: train, SIGKILL at a random moment, look at what is there."
    start = time.monotonic()
    go_on(folder.with_name('timed'), seed=0)
    step = (time.monotonic() - start) / (EPOCHS * SCENES // 2) # seconds of this machine, the save included
    rng, tally, furthest = random.Random(0), dict(kills=0, in_a_save=0, damaged=0, went_back=0), ''
    while tally['kills'] < KILLS:
        started = checkpoints_in(folder)
        pid = child(lambda: go_on(folder, seed=tally['kills'] + 1))
        while checkpoints_in(folder) == started and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE: time.sleep(0.001)
        time.sleep(rng.uniform(0, 2.2 * step))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status): break # it had reached the end
        tally['kills'] += 1
        tally['in_a_save'] += bool(parts(folder))
        for path in checkpoints_in(folder):
            try: read_checkpoint(path)
            except ValueError: tally['damaged'] += 1
        newest = position(checkpoints_in(folder)[0])
        tally['went_back'] += newest < furthest
        furthest = max(furthest, newest)
    tally['reached'] = furthest
    go_on(folder, seed=99)
    tally['parts'] = len(parts(folder))
    state = latest_checkpoint(folder)
    tally['equal'] = all(torch.equal(a, b) for a, b in zip(state['model'].values(), whole.model.state_dict().values(), strict=True))
    tally['same_losses'] = {k: v.tolist() for k, v in state['history'].items()} == {k: [h[k] for h in whole.gan_training.history] for k in state['history']}
    return tally

def disk_full(folder):
    "A disk that takes no file as large as a checkpoint, from the second epoch on."
    class Fill(Checkpoint):
        def before_epoch(self):
            if self.epoch == 2: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    said = folder.with_suffix('.txt')
    said.touch()
    def work():
        log = os.open(said, os.O_WRONLY)
        os.dup2(log, 1)
        fit(learner(), Fill(folder))
        sys.stdout.flush()
    _, status = os.waitpid(child(work), 0)
    return dict(status=os.waitstatus_to_exitcode(status), said=said.read_text().splitlines(), left=[position(p) for p in checkpoints_in(folder)],
                whole=latest_checkpoint(folder)['epoch'], parts=len(parts(folder)))

def damage(path):
    "Flip bits and cut at places all over a file: how often was it taken for whole?"
    rng, good, taken = random.Random(1), path.read_bytes(), 0
    for i in range(40):
        bad = bytearray(good)
        if i % 2: bad = bad[:rng.randrange(len(bad))]
        else: bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        try: read_checkpoint(path)
        except ValueError as e: assert str(path) in str(e), e
        else: taken += 1
    path.write_bytes(good)
    read_checkpoint(path)
    return dict(cases=40, taken_for_whole=taken)

def workers_agree(whole):
    "With two processes that read scenes, stopped by SIGTERM: are the weights still those of one process?"
    from fastai.callback.core import Callback
    from pix2pixhd_nb.training.checkpoints import Stopped
    class Ask(Callback):
        def after_batch(self):
            if self.training and len(self.gan_training.history) == 17: os.kill(os.getpid(), signal.SIGTERM)
    folder = FOLDER / 'workers'
    try: fit(learner(workers=2), Checkpoint(folder), Ask())
    except Stopped: pass
    again = fit(learner(5, workers=2), Checkpoint(folder, resume=latest_checkpoint(folder)))
    return all(torch.equal(a, b) for a, b in zip(again.model.state_dict().values(), whole.model.state_dict().values(), strict=True))

def soak(folder, steps=2000):
    "Memory after every 200 of many small steps with a save in each epoch; files and processes left at the end."
    process, memory = psutil.Process(), []
    class Watch(Checkpoint):
        def after_batch(self):
            super().after_batch()
            if self.training and len(self.gan_training.history) % 200 == 0: memory.append(process.memory_info().rss)
    learn = learner(width=4, feature_channels=0, discriminator_width=4, n_scales=1, pool_size=0)
    before = process.num_fds(), len(process.children())
    with learn.no_bar(), learn.no_logging(): learn.fit(-(-steps // len(learn.dls.train)), cbs=Watch(folder))
    return dict(steps=len(learn.gan_training.history), memory=memory, files=process.num_fds() - before[0], processes=len(process.children()) - before[1])

FOLDER = Path(sys.argv[1])
if __name__ == '__main__':
    whole = fit(learner())
    result = dict(killed=killed(FOLDER / 'killed', whole), disk_full=disk_full(FOLDER / 'full'), soak=soak(FOLDER / 'soak'))
    result |= dict(damage=damage(checkpoints_in(FOLDER / 'killed')[0]), workers_agree=workers_agree(whole))
    print(json.dumps(result))
