"""Trains in processes that are killed, interrupted, starved of disk, fed damaged files or two in one folder, and prints what happened as JSON.

One process imports the library once and forks a child for every attempt; run by test_never_losing_work.py.
"""
import ctypes
import gc
import io
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
import psutil
import torch

torch.set_num_threads(1) # before any work: a process with helper threads must not fork

from fastai.callback.core import Callback # noqa: E402
from pix2pixhd_nb.commands import training as command # noqa: E402
from pix2pixhd_nb.commands.main import main # noqa: E402
from pix2pixhd_nb.data.layouts import open_dataset, save_scenes # noqa: E402
from pix2pixhd_nb.data.loaders import scene_dataloaders # noqa: E402
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes # noqa: E402
from pix2pixhd_nb.engine.files import clean_parts # noqa: E402
from pix2pixhd_nb.evaluation.report import Evaluation # noqa: E402
from pix2pixhd_nb.evaluation.segmenters import load_segmenter, save_segmenter # noqa: E402
from pix2pixhd_nb.evaluation.scores import Segmenter # noqa: E402
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD # noqa: E402
from pix2pixhd_nb.training.checkpoints import Checkpoint, Stopped, checkpoints_in, latest_checkpoint, read_checkpoint # noqa: E402
from pix2pixhd_nb.training.learner import pix2pixhd_learner # noqa: E402
from pix2pixhd_nb.training.monitor import GANMonitor # noqa: E402

EPOCHS, SCENES, KILLS = 14, 8, 20
TINY = dict(width=4, n_downsample=2, n_blocks=1, feature_channels=2, encoder_width=2, discriminator_width=4, n_scales=1, pool_size=3)
OPTIONS = '--epochs 3 --decay 0 --width 4 --n-downsample 2 --n-blocks 1 --feature-channels 0 --n-scales 1 --discriminator-width 4 --valid 0'.split()

class Held(list): label_space = LABEL_SPACE

TRAIN, VALID = Held(SyntheticScenes(SCENES, size=(32, 64))), Held(SyntheticScenes(1, size=(32, 64), seed=1))

def learner(seed=0, workers=0, bs=2, **networks):
    torch.manual_seed(seed)
    random.seed(seed)
    dls = scene_dataloaders(TRAIN, VALID, bs=bs, seed=0, size=(32, 32), policy='crop', workers=workers, device='cpu')
    return pix2pixhd_learner(dls, **TINY | networks)

def fit(learn, *cbs, epochs=EPOCHS):
    with learn.no_bar(), learn.no_logging(): learn.fit_flat_linear(epochs // 2, epochs - epochs // 2, cbs=cbs)
    return learn

def go_on(folder, seed, **kwargs):
    "Train from the newest whole checkpoint, or from the start, saving after every step."
    with redirect_stdout(open(os.devnull, 'w')): state = latest_checkpoint(folder) if checkpoints_in(folder) else None
    return fit(learner(0 if state is None else seed), Checkpoint(folder, every=1, resume=state, **kwargs))


# processes

def child(work):
    "Do something in a process of its own; its id."
    pid = os.fork()
    if pid: return pid
    status = 1
    try: status = work() or 0
    except BaseException: traceback.print_exc()
    finally: os._exit(status if isinstance(status, int) else 0)

def ended(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def told(work):
    "Do something in a process of its own; what it returns, as JSON brings it here."
    inward, outward = os.pipe()
    def tell():
        with open(outward, 'w') as f: f.write(json.dumps(work()))
    pid = child(tell)
    os.close(outward)
    with open(inward) as f: text = f.read()
    assert ended(pid) == 0, text
    return json.loads(text)

def said_by(f, *args):
    "What a function returns, and all lines that it prints."
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors): found = f(*args)
    return found, [line for line in (out.getvalue() + '\n' + errors.getvalue()).splitlines() if line.strip() and '|' not in line and '\u2588' not in line]

def train(folder, model, *more): return said_by(main, ['train', str(folder), str(model), *OPTIONS, *more])

def parts(folder): return list(Path(folder).rglob('.*.part'))

def position(path): return path.name.rsplit('-', 1)[0]

def damaged(folder):
    "How many checkpoints of a folder cannot be read."
    found = 0
    for path in checkpoints_in(folder):
        try: read_checkpoint(path)
        except ValueError: found += 1
    return found

def same(a, b): return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))

class AtLine:
    "In a `with`: at the n-th line that is run of the library's functions of these names, do something; without it, count the lines."
    def __init__(self, names, n=0, do=None): self.names, self.n, self.do, self.lines = names, n, do, 0
    def __enter__(self):
        sys.settrace(lambda frame, event, arg: self.line if frame.f_code.co_name in self.names and 'pix2pixhd_nb' in frame.f_code.co_filename else None)
        return self
    def line(self, frame, event, arg):
        if event == 'line':
            self.lines += 1
            if self.lines == self.n: self.do()
        return self.line
    def __exit__(self, *_): sys.settrace(None)

def me(number): return lambda: os.kill(os.getpid(), number)


# killed

def killed(folder, whole):
    "Twenty times: train, SIGKILL at a random moment, look at what is there."
    start = time.monotonic()
    go_on(folder.with_name('timed'), seed=0)
    step = (time.monotonic() - start) / (EPOCHS * SCENES // 2) # seconds of this machine, the save included
    rng, tally, furthest = random.Random(0), dict(kills=0, in_a_save=0, damaged=0, went_back=0), ''
    while tally['kills'] < KILLS:
        started = checkpoints_in(folder)
        pid = child(lambda: go_on(folder, seed=tally['kills'] + 1) and 0)
        while checkpoints_in(folder) == started and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE: time.sleep(0.001)
        time.sleep(rng.uniform(0, 1.5 * step))
        os.kill(pid, signal.SIGKILL)
        if ended(pid) != -signal.SIGKILL: break # it had reached the end
        tally['kills'] += 1
        tally['in_a_save'] += bool(parts(folder))
        tally['damaged'] += damaged(folder)
        newest = position(checkpoints_in(folder)[0])
        tally['went_back'] += newest < furthest
        furthest = max(furthest, newest)
    tally['reached'] = furthest
    go_on(folder, seed=99)
    tally['parts'] = len(parts(folder))
    state = latest_checkpoint(folder)
    tally['equal'] = same(state['model'], whole.model.state_dict())
    tally['same_losses'] = {k: v.tolist() for k, v in state['history'].items()} == {k: [h[k] for h in whole.gan_training.history] for k in state['history']}
    return tally

class Report(Evaluation):
    "A report of given figures."
    def __init__(self, text): self.text, self.setup, self.figures = text, {}, dict(text=text)
    def table(self): return self.text
    def grid(self, photos=False): return TRAIN_PICTURE

def writers(folder, learn):
    "Each thing that the package writes: (write the k-th version, the versions that are there whole)."
    (pipe, _), out = said_by(Pix2PixHD.from_learner, learn), folder / 'checkpoints'
    monitor = GANMonitor(folder=folder / 'previews', live=False)
    said_by(lambda: fit(learn, monitor, epochs=2))
    monitor.learn = learn
    network = Segmenter(LABEL_SPACE.n_classes)
    def model(k):
        pipe.training = dict(steps=k)
        pipe.synthesizer.generator.head[1].bias.data.fill_(k)
        pipe.save(folder / 'model')
    def read_model():
        found = Pix2PixHD.load(folder / 'model')
        k = found.training['steps']
        assert (found.synthesizer.generator.head[1].bias == k).all()
        return k
    def checkpoint(k):
        saver = Checkpoint(out, keep=2)
        saver.learn = learn
        saver._save(k, 0)
    def segmenter(k):
        network.names = (str(k), *LABEL_SPACE.names[1:])
        network.head.bias.data.fill_(k)
        save_segmenter(network, folder / 'segmenter.safetensors')
    def read_segmenter():
        found = load_segmenter(folder / 'segmenter.safetensors')
        assert (found.head.bias == int(found.names[0])).all()
        return int(found.names[0])
    def read_pictures():
        from PIL import Image
        for path in (folder / 'previews').glob('*.png'): Image.open(path).verify()
        return 0
    def read_report():
        d = json.loads((folder / 'report/evaluation.json').read_text())
        return int(d['figures']['text'])
    return dict(checkpoint=(checkpoint, lambda: latest_checkpoint(out)['epoch'], out, {'_save', 'write_checkpoint', 'write_whole', 'save', 'checksum'}),
                model=(model, read_model, folder / 'model', {'save', 'write_whole', '_save_tensors', 'save_tensors', '_own_files', 'clean_parts'}),
                segmenter=(segmenter, read_segmenter, folder, {'save_segmenter', 'write_whole', 'save_tensors'}),
                previews=(lambda k: monitor.write_pictures(), read_pictures, folder / 'previews', {'write_pictures', 'write_whole', '_write'}),
                report=(lambda k: Report(str(k)).save(folder / 'report'), read_report, folder / 'report', {'save', 'write_whole'}))

def moments(n, most):
    "Up to so many line numbers, spread from the first to the last."
    most = min(n, most)
    return sorted({1 + i * (n - 1) // max(1, most - 1) for i in range(most)})

def killed_at_every_line(folder, learn, most=30):
    "Everything that is written, killed at line after line of its writing: is the version before there, or the new one?"
    tally = {}
    for name, (write, read, place, names) in writers(folder, learn).items():
        write(0)
        with AtLine(names) as counted: write(1)
        seen = dict(lines=counted.lines, kills=0, before=0, after=0, other=0, stray=0)
        now = read()
        for n in moments(counted.lines, most if name != 'previews' else 12): # which are generated anew for each
            pid = child(lambda: AtLine(names, n, me(signal.SIGKILL)).__enter__() and write(now + 1) and 0)
            seen['kills'] += ended(pid) == -signal.SIGKILL
            found = read()
            seen['before' if found == now else 'after' if found == now + 1 else 'other'] += 1
            now = found
        clean_parts(place) # as each next run does
        write(now + 1)
        seen['stray'] = len(parts(place))
        tally[name] = seen
    return tally


# interrupted

def interrupted(folder, most=12):
    "A Ctrl-C, and two, at line after line of a save in a training."
    names, tally = {'_save', 'write_checkpoint', 'write_whole', 'save', 'checksum'}, dict(once=0, stopped=0, twice=0, at_once=0, damaged=0, lost=0)
    def run(out, n, times, lines=None):
        class Watched(Checkpoint):
            def _save(self, *args):
                if checkpoints_in(self.folder): # the second save
                    with AtLine(names, n, lambda: [me(signal.SIGINT)() for _ in range(times)]) as found: result = super()._save(*args)
                    if lines: lines(found.lines)
                    return result
                return super()._save(*args)
        try: fit(learner(), Watched(out, every=1), epochs=2)
        except Stopped: return 10
        except KeyboardInterrupt: return 11
    def count():
        found = []
        run(folder / 'count', 0, 0, found.append)
        return found[0]
    lines = told(count)
    for times in (1, 2):
        for n in moments(lines, most if times == 1 else most // 2):
            out = folder / f'{times}-{n}'
            status = ended(child(lambda: run(out, n, times)))
            tally['once' if times == 1 else 'twice'] += 1
            tally['stopped' if times == 1 else 'at_once'] += status == 10 if times == 1 else status in (10, 11)
            tally['damaged'] += damaged(out)
            tally['lost'] += not checkpoints_in(out)
    return tally

def interrupted_at_the_end(folder, most=12):
    "A Ctrl-C at line after line while the model is written: a message with --resume, and the resumed training writes it."
    streets, model, real = folder / 'streets', folder / 'model', Pix2PixHD.save
    save_scenes(TRAIN[:2], streets, LABEL_SPACE, 'train')
    names, statuses, said, inside = {'save', 'write_whole', 'save_tensors', 'description'}, [], [], []
    def save(self, where, half=False):
        copy = folder / 'copy'
        with AtLine(names) as counted: real(self, copy)
        for n in moments(counted.lines, most):
            pid = os.fork()
            if pid: statuses.append(ended(pid)); continue
            inside.append(n) # the child goes on from here as if it were the program
            with AtLine(names, n, me(signal.SIGINT)): return real(self, where)
        raise OSError('enough') # the program itself is not to write it
    def run():
        Pix2PixHD.save, command.WAITS = save, ()
        status, lines = train(streets, model, '--no-keep-best')
        if inside:
            with open(folder / f'said-{inside[0]}.txt', 'w') as f: f.write(lines[-1])
            os._exit(status)
        return dict(statuses=statuses, status=status)
    tally = told(run)
    said = [p.read_text() for p in sorted(folder.glob('said-*.txt'))]
    status, lines = told(lambda: train(streets, model, '--no-keep-best', '--resume'))
    return tally | dict(said=len(said), resume_named=sum('--resume' in s for s in said), saved=status == 0 and Pix2PixHD.load(model) is not None, parts=len(parts(model)))

def asked_to_stop(folder):
    "The program, asked to stop by each signal, with and without choosing the best epoch: it saves, refuses to start over, and goes on."
    streets, found = folder / 'streets', []
    save_scenes(TRAIN[:4], streets, LABEL_SPACE, 'train')
    for number, best in ((signal.SIGTERM, '--keep-best'), (signal.SIGINT, '--no-keep-best')):
        model, options = folder / f'model-{number}', [best, '--valid', '0.25', '--epochs', '6']
        def run():
            status, lines = train(streets, model, *options)
            with open(folder / f'{number}.txt', 'w') as f: f.write(lines[-1])
            return status
        pid = child(run)
        while not checkpoints_in(model / 'checkpoints') and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE: time.sleep(0.005)
        os.kill(pid, number)
        status = ended(pid)
        epoch = latest_checkpoint(model / 'checkpoints')['epoch']
        again, refusal = told(lambda: train(streets, model, *options))
        done, lines = told(lambda: train(streets, model, *options, '--resume'))
        found.append(dict(status=status - 128 - number, said=(folder / f'{number}.txt').read_text(), epoch=epoch, again=again, refusal=refusal[-1], done=done,
                          reached=latest_checkpoint(model / 'checkpoints')['epoch'], saved=(model / 'pipeline.json').is_file()))
    return found


# two at once

def two_at_once(folder):
    "Two trainings into one folder: one is refused; when the first is killed, its lock is no more."
    streets, model = folder / 'streets', folder / 'model'
    save_scenes(TRAIN[:2], streets, LABEL_SPACE, 'train')
    long = ['--no-keep-best', '--epochs', '400']
    first = child(lambda: train(streets, model, *long)[0])
    while not checkpoints_in(model / 'checkpoints') and psutil.Process(first).status() != psutil.STATUS_ZOMBIE: time.sleep(0.005)
    second, said = told(lambda: train(streets, model, *long))
    resumed, also = told(lambda: train(streets, model, *long, '--resume'))
    running = psutil.Process(first).status() != psutil.STATUS_ZOMBIE
    os.kill(first, signal.SIGKILL)
    ended(first)
    third, _ = told(lambda: train(streets, model, '--no-keep-best', '--epochs', str(latest_checkpoint(model / 'checkpoints')['epoch'] + 1), '--resume'))
    return dict(second=second, resumed=resumed, said=[said[-1], also[-1]], first_went_on=running, third=third, named=str(first) in said[-1], damaged=damaged(model / 'checkpoints'), parts=len(parts(model)),
                lock=(model / '.training.lock').exists())


# full disk

class Disk:
    "A folder whose disk can be filled to the last byte: a small file system of its own where that is allowed, else by the limit on a file's size."
    def __init__(self, folder, size=8 * 2**20):
        self.folder, self.kind = Path(folder), 'limit on the size of a file'
        self.folder.mkdir(parents=True, exist_ok=True)
        libc = ctypes.CDLL(None, use_errno=True)
        new_namespaces = 0x00020000 | (0 if os.geteuid() == 0 else 0x10000000) # of mounts, and of users
        if hasattr(libc, 'unshare') and libc.unshare(new_namespaces) == 0 and libc.mount(b'none', b'/', None, 0x44000, None) in (0, -1):
            if libc.mount(b'tmpfs', os.fsencode(self.folder), b'tmpfs', 0, f'size={size}'.encode()) == 0: self.kind = 'tmpfs'
    def fill(self):
        if self.kind != 'tmpfs': resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY)); return
        with open(self.folder / 'ballast', 'ab', buffering=0) as f:
            for block in (2**16, 1):
                try:
                    while True: f.write(bytes(block))
                except OSError: pass
    def make_room(self):
        if self.kind != 'tmpfs': resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)); return
        (self.folder / 'ballast').unlink(missing_ok=True)

def full_disk(folder, learn):
    "A disk that fills up in a training: what is said, what stays, and what the last save does when room is made. Then every other thing that is written."
    def run():
        disk, real = Disk(folder / 'disk'), Checkpoint._save
        streets, model = folder / 'streets', folder / 'disk/model'
        save_scenes(TRAIN[:2], streets, LABEL_SPACE, 'train')
        class Monitor(GANMonitor):
            def before_epoch(self):
                if self.epoch == 1: disk.fill()
        waits = []
        def sleep(seconds):
            waits.append(seconds)
            if len(waits) == 2: disk.make_room()
        command.GANMonitor, command.time = Monitor, type('time', (), dict(sleep=staticmethod(sleep)))
        status, said = train(streets, model, '--no-keep-best')
        disk.make_room()
        assert Checkpoint._save is real
        result = dict(disk=disk.kind, status=status, said=said, waits=waits, loads=Pix2PixHD.load(model) is not None, parts=len(parts(model)), left=[position(p) for p in checkpoints_in(model / 'checkpoints')], damaged=damaged(model / 'checkpoints'))
        result['writes'] = {}
        for name, (write, read, place, _) in writers(folder / 'disk/others', learn).items():
            write(0)
            now = read()
            disk.fill()
            try: outcome, lines = said_by(write, now + 1)
            except OSError as e: outcome, lines = f'OSError: {e}', []
            except Exception as e: outcome, lines = f'another error: {type(e).__name__}: {e}', []
            stray = len(parts(place))
            disk.make_room()
            kept = read() == now
            write(now + 1)
            result['writes'][name] = dict(error=str(outcome) if isinstance(outcome, str) else '', said=lines, kept=kept, parts=stray, after=read() in (now + 1, 0))
        return result
    return told(run)


# damage, workers, a long run

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

def workers_agree(folder):
    "With a process that reads scenes, stopped by SIGTERM: are the weights still those of one process?"
    class Ask(Callback):
        def after_batch(self):
            if self.training and len(self.gan_training.history) == 6: os.kill(os.getpid(), signal.SIGTERM)
    whole = fit(learner(), epochs=3)
    try: fit(learner(workers=1), Checkpoint(folder), Ask(), epochs=3)
    except Stopped: pass
    again = fit(learner(5, workers=1), Checkpoint(folder, resume=latest_checkpoint(folder)), epochs=3)
    return same(again.model.state_dict(), whole.model.state_dict()) and len(again.gan_training.history) == 3 * SCENES // 2

def images_vanish(folder):
    "The images of a dataset are removed in a training: the message names one, and a checkpoint stays."
    found = []
    for workers in (0, 1):
        streets = folder / f'streets{workers}'
        save_scenes(TRAIN[:4], streets, LABEL_SPACE, 'train')
        scenes, images = open_dataset(streets, 'train'), list((streets / 'train/image').iterdir())
        class Vanish(Callback):
            def after_batch(self):
                if self.training and len(self.gan_training.history) == 3: [p.unlink() for p in images if p.exists()]
        dls = scene_dataloaders(scenes, VALID, bs=1, seed=0, workers=workers, device='cpu')
        try: fit(pix2pixhd_learner(dls, **TINY), Vanish(), Checkpoint(folder / f'run{workers}', every=1), epochs=4)
        except (FileNotFoundError, ValueError) as e: last = str(e).splitlines()[-1]
        state = latest_checkpoint(folder / f'run{workers}')
        found.append(dict(named=any(str(p) in last for p in images), steps=state['epoch'] * 4 + state['batch']))
    return found

def soak(folder, steps=240):
    "Memory, tensors, files and processes of many small steps with a save in each epoch."
    process, memory, tensors = psutil.Process(), [], []
    class Watch(Checkpoint):
        def after_epoch(self):
            super().after_epoch()
            if (self.epoch + 1) % 6: return
            gc.collect()
            memory.append(process.memory_info().rss)
            tensors.append(sum(type(o) in (torch.Tensor, torch.nn.Parameter) for o in gc.get_objects()))
    learn = learner(bs=1, width=2, feature_channels=0, discriminator_width=2, pool_size=0)
    before = process.num_fds(), len(process.children())
    with learn.no_bar(), learn.no_logging(): learn.fit(-(-steps // len(learn.dls.train)), cbs=Watch(folder))
    return dict(steps=len(learn.gan_training.history), memory=memory, tensors=tensors, files=process.num_fds() - before[0], processes=len(process.children()) - before[1])

def timed(name, f, *args):
    start, used = time.monotonic(), sum(os.times()[:4])
    found = f(*args)
    sys.stderr.write(f'{name}: {sum(os.times()[:4]) - used:.1f} s of a processor, {time.monotonic() - start:.1f} s\n')
    return found

FOLDER = Path(sys.argv[1]) if sys.argv[1:] else None
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.default_int_handler) # a shell's background jobs ignore it
    from pix2pixhd_nb.core import to_pil
    TRAIN_PICTURE = to_pil(TRAIN[0].image)
    whole = timed('whole', lambda: fit(learner()))
    result = dict(killed=timed('killed', killed, FOLDER / 'killed', whole))
    result['damage'] = damage(checkpoints_in(FOLDER / 'killed')[0])
    for f in (interrupted, interrupted_at_the_end, asked_to_stop, two_at_once, workers_agree, images_vanish, soak):
        (FOLDER / f.__name__).mkdir()
        result[f.__name__] = timed(f.__name__, f, FOLDER / f.__name__)
    for f in (killed_at_every_line, full_disk):
        (FOLDER / f.__name__).mkdir()
        result[f.__name__] = timed(f.__name__, f, FOLDER / f.__name__, fit(learner(), epochs=2))
    print(json.dumps(result))
