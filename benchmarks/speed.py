"""This library beside the plain recipe of 2018, in one run on one machine: .venv/bin/python benchmarks/speed.py [PART ...]

Each row times its variants in turns, round after round, and keeps medians and spread. All parts together are `make bench`; results of
other parts stay in benchmarks/results/MACHINE.json, and `benchmarks/page.py` makes a page of them."""
import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/'benchmarks'))
import recipe
from fastai.callback.core import Callback
from fastprogress import fastprogress
from pix2pixhd_nb.models.boundaries import instance_boundaries
from pix2pixhd_nb.core import one_hot
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes, synthetic_scene
from pix2pixhd_nb.models.pooling import instance_mean
from pix2pixhd_nb.training.cost import bytes_needed, rehearse
from pix2pixhd_nb.training.distributed import distribute
from pix2pixhd_nb.engine.distributed import join_ranks, rank, world_size
from pix2pixhd_nb.synthesis.styles import StyleBook, measure_features
from pix2pixhd_nb.training.step import GAN, GANOptimizer, GANTraining, LossPair, training_step
from pix2pixhd_nb.training.learner import pix2pixhd_learner, pix2pixhd_networks
from pix2pixhd_nb.models.condition_conv import ConditionConv2d, ImageConv2d, mark_classes
from pix2pixhd_nb.training.losses import FeatureMatchingLoss, discriminator_losses, generator_losses
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.engine.memory import keep_freed_memory

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
N = 35 # classes, as in Cityscapes; the synthetic scenes have fewer, and leave the other channels empty
FULL = dict(width=64, n_downsample=4, n_blocks=9, n_scales=3)


def machine():
    "The machine's name for files, and what it is."
    cpu = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), platform.processor()) if os.path.exists('/proc/cpuinfo') else platform.processor()
    what = dict(processor=cpu, cores=len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count(), threads=torch.get_num_threads(),
                gpu=torch.cuda.get_device_name() if DEVICE == 'cuda' else None, python=platform.python_version(), torch=torch.__version__)
    return re.sub(r'[^a-z0-9]+', '_', f"{what['gpu'] or cpu} {'' if what['gpu'] else str(what['cores']) + ' cores'}".lower()).strip('_'), what

def wait():
    if DEVICE == 'cuda': torch.cuda.synchronize()

def highest_memory():
    "Bytes that this process had at its most. (`ru_maxrss` of a new process begins with what its parent had.)"
    status = Path('/proc/self/status')
    return 1024 * (int(re.search(r'VmHWM:\s+(\d+)', status.read_text())[1]) if status.is_file() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

def seconds(f):
    wait()
    start = time.perf_counter()
    f()
    wait()
    return time.perf_counter() - start

def turns(rounds, **variants):
    "Each variant once to warm up, then all in turns: {name: median, least and most seconds}."
    for f in variants.values(): f()
    times = {name: [] for name in variants}
    for _ in range(rounds):
        for name, f in variants.items(): times[name].append(seconds(f))
    return {name: dict(median=statistics.median(t), least=min(t), most=max(t)) for name, t in times.items()}

def scene(h, w, seed=0, n=1):
    "A batch of synthetic streets: label map, instance map, image."
    scenes = [synthetic_scene(seed + i, (h, w)) for i in range(n)]
    return tuple(torch.stack([getattr(s, k) for s in scenes]).to(DEVICE) for k in ('label_map', 'instance_map', 'image'))

class Ours:
    "This library's training step, as its callback runs it, without the Learner; `without` takes single means away."
    def __init__(self, precision='fp32', channels_last=False, activation_checkpointing=False, without=(), **shape):
        self.gan = GAN(*pix2pixhd_networks(N, feature_channels=3, **shape), precision, channels_last, activation_checkpointing=activation_checkpointing).to(DEVICE)
        self.training = GANTraining(feature_matching=FeatureMatchingLoss())
        self.without, self.model, self.opt = without, self.gan, GANOptimizer(self.gan.parts(), precision=precision)
        if 'the interpreter' in without: self.gan.synthesizer.generator.compile(dynamic=False)
        else: self.tell_parts(self.gan.synthesizer)
        if 'absent classes' in without: mark_classes(self.gan, 0)
        for m in self.gan.modules() if 'columns' in without else ():
            if isinstance(m, ImageConv2d): m.forward = partial(torch.nn.Conv2d.forward, m)
        if 'fused Adam' in without:
            for o in self.opt.both:
                for group in o.opt.param_groups: group['fused'] = False

    note = staticmethod(lambda part: None) # called after each part of a step
    def tell_parts(self, synthesizer):
        condition, generator = synthesizer.condition, synthesizer.generator
        def told(*args, **kwargs):
            made = condition(*args, **kwargs)
            self.note('condition')
            return made
        synthesizer.condition = told
        generator.register_forward_pre_hook(lambda *_: self.note('encoder'))
        generator.register_forward_hook(lambda *_: self.note('generator'))

    def step(self, label, inst, real, note=lambda part: None):
        self.note, self.kept = note, None
        if set(self.without) & {'shared pass', 'gradients only where needed', 'memory let go'}: values = self.step_without(label, inst, real)
        else: _, values = training_step(self.gan, self.training, (label, inst, real), self.opt, events=self)
        note('adam')
        return dict(zip(self.training.loss_names, values.tolist()))

    def after_losses(self, fake, pair, values): self.note('discriminators')
    def during(self, name, f):
        f()
        if name == 'backward': self.note('backward')

    def step_without(self, label, inst, real):
        "The step with a mean of it taken away."
        gan, training = self.gan, self.training
        condition = gan.synthesizer.condition(label, inst)
        fake = gan.generate(condition, inst, real)
        fake_out, real_out = (gan.discriminate(condition, x) for x in (fake, real))
        older_out = gan.discriminate(condition, fake.detach()) if 'shared pass' in self.without else fake_out
        with gan.autocast():
            g_losses = generator_losses(fake_out, real_out, training.gan_loss, training.feature_matching)
            d_losses = discriminator_losses(older_out, real_out, training.gan_loss)
        pair = LossPair(sum(g_losses.values()), sum(d_losses.values()) / 2, self.opt)
        values = torch.stack([v.detach() for v in (*g_losses.values(), *d_losses.values())])
        if 'memory let go' in self.without: self.kept = fake, g_losses, d_losses # as a Learner would
        del fake, fake_out, real_out, older_out, g_losses, d_losses
        self.note('discriminators')
        if 'gradients only where needed' in self.without:
            pair.generator.backward(retain_graph=True)
            for p in gan.discriminator.parameters(): p.grad = None
            torch.autograd.backward(pair.discriminator, inputs=list(gan.discriminator.parameters()))
        else: pair.backward()
        self.note('backward')
        self.opt.step()
        self.opt.zero_grad()
        return values

MEANS = { # name: (precision, channels_last, activation_checkpointing, means taken away); every one in a process of its own
    'recipe': None,
    'ours, fp32': ('fp32', False, False, ()),
    'without the shared discriminator pass': ('fp32', False, False, ('shared pass',)),
    'without gradients only where needed': ('fp32', False, False, ('gradients only where needed',)),
    'without fused Adam': ('fp32', False, False, ('fused Adam',)),
    'without memory let go early': ('fp32', False, False, ('memory let go',)),
    'without freed memory kept for the next use': ('fp32', False, False, ('kept memory',)),
    'without leaving out absent classes': ('fp32', False, False, ('absent classes',)),
    'without an image\'s columns': ('fp32', False, False, ('columns',)),
    'with channels_last': ('fp32', True, False, ()),
    'with activation checkpointing': ('fp32', False, True, ()),
    'ours, bf16': ('bf16', False, False, ()),
    'ours, bf16, kept in 16 bits': ('bf16', False, False, ()), # generating only
    'bf16 with the other memory format': ('bf16', True, False, ()),
    'bf16 with activation checkpointing': ('bf16', False, True, ()),
    'with a compiled generator': ('fp32', False, False, ('the interpreter',)),
    'bf16 with a compiled generator': ('bf16', False, False, ('the interpreter',))}

def step_of(name, batch):
    "What a worker does again and again: a training step."
    if MEANS[name] is None:
        old = recipe.Recipe(N, **FULL)
        for net in (old.G, old.E, old.D): net.to(DEVICE)
        return lambda note: old.step(*batch, note)
    precision, channels_last, activation_checkpointing, without = MEANS[name]
    if DEVICE == 'cpu' and 'kept memory' not in without: keep_freed_memory()
    ours = Ours(precision, channels_last, activation_checkpointing, without, **FULL)
    return lambda note: ours.step(*batch, note)

def generating_of(name, batch):
    "An image of a scene from its maps and features."
    features = torch.rand(1, 3, 256, 512, device=DEVICE)
    if MEANS[name] is None:
        old = recipe.Recipe(N, **FULL)
        old.G.to(DEVICE)
        return lambda note: old.generate(*batch[:2], features)
    precision, channels_last, _, without = MEANS[name]
    if DEVICE == 'cpu' and 'kept memory' not in without: keep_freed_memory()
    if name == 'ours, bf16, kept in 16 bits': # what the pipeline's `fast` does
        pipe = Pix2PixHD(pix2pixhd_networks(N, feature_channels=3, **FULL)[0].to(DEVICE)).fast()
        return lambda note: pipe.generating(*batch[:2], features)
    gan = GAN(*pix2pixhd_networks(N, feature_channels=3, **FULL), precision, channels_last).to(DEVICE).eval()
    if 'the interpreter' in without: gan.synthesizer.generator.compile(dynamic=False)
    def generate(note):
        with gan.autocast(): gan.synthesizer(*batch[:2], features=features)
    return generate

def style_book_of(name, batch):
    "A style book of twenty scenes."
    scenes = [synthetic_scene(i, (256, 512)) for i in range(20)]
    fastprogress.NO_BAR = True # standard output is for the answers
    if MEANS[name] is None:
        old = recipe.generator(3, 16, 4, 0, 3).to(DEVICE)
        return lambda note: recipe.style_book(old, scenes, DEVICE)
    ours = GAN(*pix2pixhd_networks(LABEL_SPACE.n_classes, feature_channels=3, **FULL)).synthesizer.to(DEVICE).eval()
    return lambda note: StyleBook.fit(measure_features(ours, scenes), LABEL_SPACE)

TASKS = dict(step=step_of, generate=generating_of, book=style_book_of)

def worker(name, task):
    "One variant: for every line on standard input one run of its task; its seconds, the parts and the highest memory go to standard output."
    torch.set_grad_enabled(task == 'step')
    run = TASKS[task](name, scene(256, 512))
    for _ in sys.stdin:
        took, parts = 0, {}
        def note(part):
            nonlocal last
            wait()
            now = time.perf_counter()
            parts[part], last = parts.get(part, 0) + now - last, now
        start = last = time.perf_counter()
        run(note)
        wait()
        took = time.perf_counter() - start
        peak = torch.cuda.max_memory_allocated() if DEVICE == 'cuda' else highest_memory()
        print(json.dumps([took, parts, peak]), flush=True)

def in_processes(rounds, names, task='step'):
    "Variants that live in processes of their own, in turns; the first of the two in each turn is not timed, since memory that lay idle is slow."
    workers = {n: subprocess.Popen([sys.executable, __file__, '--worker', n, '--task', task], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for n in names}
    def one(w):
        w.stdin.write('\n'); w.stdin.flush()
        for line in w.stdout: # a progress bar may have left something before the answer
            if '[' in line: return json.loads(line[line.index('['):])
        raise BrokenPipeError
    try:
        running = {}
        for n, w in workers.items():
            try: one(w); running[n] = w
            except (ValueError, BrokenPipeError): print(f'  {n}: does not run here') # as without a compiler
        answers = {n: [] for n in running}
        for _ in range(rounds):
            for n, w in running.items():
                one(w)
                answers[n].append(one(w))
    finally:
        for w in workers.values(): w.kill()
    return {n: dict(median=statistics.median(t := [x[0] for x in a]), least=min(t), most=max(t), parts={k: statistics.median(x[1][k] for x in a) for k in a[0][1]}, peak=a[-1][2]) for n, a in answers.items()}

def copy_weights(old, ours):
    "Both generate the same: the plain networks get our weights."
    pairs = (old.G, ours.gan.synthesizer.generator), (old.E, ours.gan.synthesizer.encoder), (old.D, ours.gan.discriminator)
    for a, b in pairs:
        for p, q in zip(a.parameters(), b.parameters(), strict=True): p.data.copy_(q.data)

def step(rounds):
    "A whole training step at 512x256, full width, encoder, three discriminators, no perceptual loss; the scene holds nine of 35 classes."
    batch = scene(256, 512)
    old, ours = recipe.Recipe(N, **FULL), Ours(**FULL)
    for net in (old.G, old.E, old.D): net.to(DEVICE)
    copy_weights(old, ours)
    a, counter = old.step(*batch), FlopCounterMode(display=False)
    with counter: b = ours.step(*batch)
    assert abs(a['g'] - b['gan'] - b['feature_matching']) < 1e-3 * abs(a['g']), (a, b) # the same mathematics
    del old, ours
    result = in_processes(rounds, ('recipe', 'ours, fp32', 'ours, bf16'))
    parts = {n: r.pop('parts') for n, r in result.items()}
    return result | dict(parts=parts, operations=counter.get_total_flops(), floor={k: counter.get_total_flops() / r for k, r in matrix_rates().items()})

def means(rounds):
    "The same step with single means taken away or added: what each one is worth."
    names, result = [n for n in MEANS if 'kept in' not in n], {}
    for few in (names[:4], names[1:2] + names[4:7], names[1:2] + names[7:9], names[1:2] + names[9:11], names[1:2] + names[11:14], names[1:2] + names[14:]): # four fit into 24 GB together
        found = in_processes(rounds, few)
        for n, r in found.items(): result.setdefault(n, r | dict(to_ours=found['ours, fp32']['median'] / r['median']))
    return result

def matrix_rates(n=2048):
    "Operations a second of a matrix product, or of a 3x3 convolution where its library is the faster one, by precision."
    rates = {}
    for k, dtype in dict(fp32=torch.float32, bf16=torch.bfloat16).items():
        a, b, image, kernel = (torch.randn(*s, device=DEVICE).to(dtype) for s in ((n, n), (n, n), (1, 512, 64, 64), (512, 512, 3, 3)))
        t = turns(10, product=lambda: a @ b, convolution=lambda: torch.conv2d(image, kernel, padding=1))
        rates[k] = max(2 * n ** 3 / t['product']['least'], 2 * 512 ** 2 * 9 * 64 ** 2 / t['convolution']['least'])
    return rates

def generating(rounds):
    "A 512x256 image from its maps and features, full width; the scene holds nine of 35 classes."
    return {n: r | dict(parts=None) for n, r in in_processes(rounds, ('recipe', 'ours, fp32', 'ours, bf16, kept in 16 bits', 'ours, bf16', 'bf16 with the other memory format', 'without freed memory kept for the next use', 'with a compiled generator', 'bf16 with a compiled generator'), 'generate').items()}

def objects(h, w, n):
    "An instance map with n rectangles."
    columns = int(n ** 0.5) or 1
    rows = -(-n // columns)
    r, c = torch.arange(h) * rows // h, torch.arange(w) * columns // w
    return (r[:, None] * columns + c).clamp(max=n - 1)[None, None].to(DEVICE)

def pooling(rounds):
    "Instance-wise average pooling of three channels at 1024x512; the growth with objects and pixels."
    features = torch.rand(1, 3, 512, 1024, device=DEVICE)
    inst = objects(512, 1024, 41)
    assert torch.allclose(recipe.pool(features, inst), instance_mean(features, inst), atol=1e-5)
    result = turns(rounds, recipe=lambda: recipe.pool(features, inst), ours=lambda: instance_mean(features, inst))
    result['by_objects'] = {n: turns(3, ours=lambda i=objects(512, 1024, n): instance_mean(features, i))['ours']['median'] for n in (1, 10, 100, 1000, 10000)}
    result['by_pixels'] = {h * 2 * h: turns(3, ours=lambda f=features[..., :h, :2 * h].contiguous(), i=objects(h, 2 * h, 41): instance_mean(f, i))['ours']['median'] for h in (64, 128, 256, 512)}
    return result

def boundaries(rounds):
    "The boundary channel at 1024x512."
    inst = synthetic_scene(0, (512, 1024)).instance_map[None]
    assert torch.equal(recipe.boundaries(inst), instance_boundaries(inst))
    return turns(5 * rounds, recipe=lambda: recipe.boundaries(inst), ours=lambda: instance_boundaries(inst))

def one_hots(rounds):
    "The one-hot label map of 35 classes at 1024x512."
    label = torch.randint(0, 35, (1, 1, 512, 1024))
    assert torch.equal(recipe.one_hot(label, 35), one_hot(label, 35))
    return turns(5 * rounds, recipe=lambda: recipe.one_hot(label, 35), ours=lambda: one_hot(label, 35))

def first_layer(rounds):
    "The generator's first convolution, 7x7 over 35 one-hot channels, boundary and three features to 64, at 512x256: all channels, those of the classes that are there, and sums of 49 rows of a table. Learning is forward and backward, to weights and features."
    plain, ours = ConditionConv2d(N + 4, 64, 7).to(DEVICE), ConditionConv2d(N + 4, 64, 7).to(DEVICE)
    ours.load_state_dict(plain.state_dict())
    mark_classes(ours, N)
    def runner(layer, there, learn, short):
        label = (torch.randint(0, there, (16, 32)) * N // there).repeat_interleave(16, 0).repeat_interleave(16, 1)[None, None].to(DEVICE)
        others = torch.rand(1, 4, 256, 512, device=DEVICE, requires_grad=learn)
        x = F.pad(torch.cat([one_hot(label, N), others], 1), (3, 3, 3, 3), mode='reflect')
        def run():
            with torch.set_grad_enabled(learn), torch.autocast(DEVICE, torch.bfloat16, enabled=short): y = layer(x)
            return torch.autograd.grad(y, [layer.weight, others], torch.ones_like(y), retain_graph=True) if learn else y
        return run
    variants = {}
    for short in (False, True):
        for learn in (False, True):
            kind = f"{'learning' if learn else 'generating'}{', bf16' if short else ''}"
            variants |= {f'{kind}: all channels': runner(plain, N, learn, short), f'{kind}: 9 classes there': runner(ours, 9, learn, short),
                            f'{kind}: 20 there{"" if learn else ", table"}': runner(ours, 20, learn, short), f'{kind}: 35 there{"" if learn else ", table"}': runner(ours, N, learn, short)}
    return turns(rounds, **variants)

def style_book(rounds):
    "The style book of 20 scenes at 512x256: encoding, one mean for each object, ten clusters for each class."
    return {n: r | dict(parts=None) for n, r in in_processes(rounds, ('recipe', 'ours, fp32'), 'book').items()}

SMALL = dict(width=16, n_downsample=4, n_blocks=9, n_scales=3, discriminator_width=16, encoder_width=8)

def growth(rounds):
    "A training step with a quarter of the channels: how it grows with pixels, batch, objects and ranks."
    old, ours = recipe.Recipe(N, **SMALL), Ours(**SMALL)
    for net in (old.G, old.E, old.D): net.to(DEVICE)
    def both(batch): return {k: v['median'] for k, v in turns(rounds, recipe=lambda: old.step(*batch), ours=lambda: ours.step(*batch)).items()}
    def with_objects(n):
        label, _, real = scene(128, 256)
        return label, objects(128, 256, n), real
    return dict(by_pixels={2 * h * h: both(scene(h, 2 * h)) for h in (64, 128, 256)}, by_batch={n: both(scene(128, 256, n=n)) for n in (1, 2, 4)},
                by_objects={n: both(with_objects(n)) for n in (1, 10, 100, 1000)}, by_ranks={n: dict(ours=ranks(n)) for n in (1, 2)} if DEVICE == 'cpu' else {})

def ranks(n):
    "Seconds of a step of `n` processes with one thread each, a scene each."
    run = subprocess.run([sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', str(n), __file__, '--rank'], capture_output=True, text=True, check=True, env=os.environ | dict(OMP_NUM_THREADS='1'))
    return float(run.stdout.split()[-1])

def rank_worker():
    "One rank of a training of eight steps on 256x128; the first rank says the seconds of a step, the first two left out."
    join_ranks()
    class Streets(list): label_space = LABEL_SPACE
    scenes, times = Streets(synthetic_scene(i, (128, 256)) for i in range(8 * world_size())), []
    dls = scene_dataloaders(scenes, scenes[:1], bs=1, seed=0, device='cpu')
    learn = distribute(pix2pixhd_learner(dls, feature_channels=3, **SMALL))
    class Clock(Callback):
        def after_batch(self):
            if self.training: times.append(time.perf_counter())
    with learn.no_bar(), learn.no_logging(): learn.fit(1, cbs=Clock())
    if not rank(): print((times[-1] - times[1]) / (len(times) - 2))

PLANS = {'fp32': ('fp32', False, False), 'fp32, activation checkpointing': ('fp32', False, True), 'bf16': ('bf16', DEVICE == 'cuda', False), 'bf16, activation checkpointing': ('bf16', False, True)}

def memory(rounds):
    "The highest memory of training steps at 512x256, full width, beside what `pix2pixhd plan` says before."
    result = {}
    for name in PLANS:
        run = subprocess.run([sys.executable, __file__, '--plan', name], capture_output=True, text=True, check=True)
        said, measured = map(int, run.stdout.split()[-2:])
        result[name] = dict(said=said, measured=measured, ratio=said / measured)
        print(f'  {name:30} said {said / 1e9:.2f} GB, measured {measured / 1e9:.2f} GB')
    return result

def plan_worker(name):
    "What the plan says of one way to train, then the highest memory of three steps."
    precision, channels_last, activation_checkpointing = PLANS[name]
    said = bytes_needed(rehearse((256, 512), n_classes=N, precision=precision, activation_checkpointing=activation_checkpointing, feature_channels=3, **FULL), DEVICE)
    if DEVICE == 'cpu': keep_freed_memory()
    ours, batch = Ours(precision, channels_last, activation_checkpointing, **FULL), scene(256, 512)
    for _ in range(3): ours.step(*batch)
    print(said, torch.cuda.max_memory_reserved() if DEVICE == 'cuda' else highest_memory())

def loader(rounds):
    "A batch of one scene at 512x256, cut, flipped and collated: from PNG and JPEG files, and from scenes that were decoded once and kept."
    from tempfile import TemporaryDirectory
    from pix2pixhd_nb.data.layouts import open_dataset, save_scenes
    with TemporaryDirectory() as folder:
        save_scenes(SyntheticScenes(16, size=(256, 512)), folder, LABEL_SPACE, 'train')
        files = open_dataset(folder, 'train')
        class Kept(list): label_space = files.label_space
        loaders = {name: scene_dataloaders(scenes, scenes, bs=1, seed=0) for name, scenes in (('ours, from files', files), ('ours, decoded once', Kept(files[i] for i in range(len(files)))))}
        found = turns(rounds, **{name: lambda d=d: [None for _ in d.train] for name, d in loaders.items()})
        return {name: {k: v / len(files) for k, v in t.items()} for name, t in found.items()}

def imports(rounds):
    "Start-up: importing torch alone, and with a module of this library."
    def run(code): return lambda: subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)
    return turns(rounds, **{'torch alone': run('import torch'), 'torch and boundaries': run('import torch, pix2pixhd_nb.models.boundaries'),
                            'torch and pipeline': run('import torch, pix2pixhd_nb.synthesis.pipeline'), 'torch and training': run('import torch, pix2pixhd_nb.training.learner')})

PARTS = dict(step=(step, 9), means=(means, 3), generating=(generating, 7), pooling=(pooling, 7), boundaries=(boundaries, 7), one_hot=(one_hots, 7), first_layer=(first_layer, 5), style_book=(style_book, 3), growth=(growth, 3), memory=(memory, 1), loader=(loader, 3), imports=(imports, 5))

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('parts', nargs='*', choices=[*PARTS, []], default=[])
    parser.add_argument('--rounds', type=int, help='rounds of each row')
    parser.add_argument('--worker', choices=MEANS, help=argparse.SUPPRESS)
    parser.add_argument('--rank', action='store_true', help=argparse.SUPPRESS)
    parser.add_argument('--plan', choices=PLANS, help=argparse.SUPPRESS)
    parser.add_argument('--task', choices=TASKS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank: return rank_worker()
    if arguments.plan: return plan_worker(arguments.plan)
    if arguments.worker: return worker(arguments.worker, arguments.task)
    if DEVICE == 'cpu': keep_freed_memory() # for both sides of the parts that run in this process, as in every training
    name, what = machine()
    path = ROOT/'benchmarks/results'/f'{name}.json'
    known = json.loads(path.read_text()) if path.is_file() else {}
    for part in arguments.parts or PARTS:
        f, rounds = PARTS[part]
        print(f'{part}: {f.__doc__}', flush=True)
        torch.manual_seed(0)
        known[part] = dict(what=f.__doc__, machine=what, date=time.strftime('%Y-%m-%d')) | f(arguments.rounds or rounds)
        for k, v in known[part].items():
            if isinstance(v, dict) and 'median' in v: print(f"  {k:22} {1000 * v['median']:10.2f} ms   {1000 * v['least']:.2f} to {1000 * v['most']:.2f}")
        path.write_text(json.dumps(known, indent=1))
    print(path)

if __name__ == '__main__': main()
