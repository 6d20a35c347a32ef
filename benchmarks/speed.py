"""This library beside the plain recipe of 2018, in one run on one machine: .venv/bin/python benchmarks/speed.py [PART ...]

Each row times its competitors in turns, round after round, and keeps medians and spread. All parts together are `make bench`; results of
other parts stay in benchmarks/results/MACHINE.json, and `benchmarks/page.py` makes a page of them."""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/'benchmarks'))
import recipe
from pix2pixhd_nb.boundaries import instance_boundaries
from pix2pixhd_nb.core import one_hot
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import LABEL_SPACE, ToyScenes, draw_scene
from pix2pixhd_nb.pooling import instance_mean
from pix2pixhd_nb.training import GAN, GANOptimizer, GANTraining, LossPair, pix2pixhd_networks
from pix2pixhd_nb.losses import FeatureMatchingLoss

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
N = LABEL_SPACE.n_classes
FULL = dict(width=64, n_downsample=4, n_blocks=9, n_scales=3)


def machine():
    "The machine's name for files, and what it is."
    cpu = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), platform.processor()) if os.path.exists('/proc/cpuinfo') else platform.processor()
    what = dict(processor=cpu, cores=len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count(), threads=torch.get_num_threads(),
                gpu=torch.cuda.get_device_name() if DEVICE == 'cuda' else None, python=platform.python_version(), torch=torch.__version__)
    return re.sub(r'[^a-z0-9]+', '_', f"{what['gpu'] or cpu} {'' if what['gpu'] else str(what['cores']) + ' cores'}".lower()).strip('_'), what

def wait():
    if DEVICE == 'cuda': torch.cuda.synchronize()

def seconds(f):
    wait()
    start = time.perf_counter()
    f()
    wait()
    return time.perf_counter() - start

def turns(rounds, **competitors):
    "Each competitor once to warm up, then all in turns: {name: median, least and most seconds}."
    for f in competitors.values(): f()
    times = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, f in competitors.items(): times[name].append(seconds(f))
    return {name: dict(median=statistics.median(t), least=min(t), most=max(t)) for name, t in times.items()}

def scene(h, w, seed=0, n=1):
    "A batch of drawn streets: label map, instance map, image."
    scenes = [draw_scene(seed + i, (h, w)) for i in range(n)]
    return tuple(torch.stack([getattr(s, k) for s in scenes]).to(DEVICE) for k in ('label_map', 'instance_map', 'image'))

class Ours:
    "This library's training step, as its callback runs it, without the Learner."
    def __init__(self, precision='fp32', channels_last=False, **shape):
        self.gan = GAN(*pix2pixhd_networks(N, feature_channels=3, **shape), precision, channels_last).to(DEVICE)
        self.training = GANTraining(feature_matching=FeatureMatchingLoss())
        self.training.learn = self # the callback asks its learner for the model
        self.model, self.opt = self.gan, GANOptimizer(self.gan.parts(), precision=precision)

    def step(self, label, inst, real, note=lambda part: None):
        g_loss = self.training.losses(self.gan(label, inst, real), real)
        note('forward')
        LossPair(g_loss, sum(self.training.d_losses.values()) / 2, self.opt).backward()
        note('backward')
        self.opt.step()
        self.opt.zero_grad()
        note('adam')
        return {k: v.item() for k, v in (self.training.g_losses | self.training.d_losses).items()}

def copy_weights(old, ours):
    "Both draw the same: the plain networks get our weights."
    pairs = (old.G, ours.gan.synthesizer.generator), (old.E, ours.gan.synthesizer.encoder), (old.D, ours.gan.discriminator)
    for a, b in pairs:
        for p, q in zip(a.parameters(), b.parameters(), strict=True): p.data.copy_(q.data)

def parts_of(step, batch):
    "Seconds of each part of one step, the second of two."
    for _ in range(2):
        parts, last = {}, time.perf_counter()
        def note(part):
            nonlocal last
            wait()
            now = time.perf_counter()
            parts[part], last = parts.get(part, 0) + now - last, now
        step(*batch, note)
    return parts

def step(rounds):
    "A whole training step at 512x256, full width, encoder, three discriminators, no perceptual loss."
    batch = scene(256, 512)
    old = recipe.Recipe(N, **FULL)
    for net in (old.G, old.E, old.D): net.to(DEVICE)
    ours = {'fp32': Ours(**FULL), 'bf16': Ours('bf16', True, **FULL)}
    copy_weights(old, ours['fp32'])
    a, b = old.step(*batch), ours['fp32'].step(*batch)
    assert abs(a['g'] - b['gan'] - b['feature_matching']) < 1e-3 * abs(a['g']), (a, b) # the same mathematics
    result = turns(rounds, recipe=lambda: old.step(*batch), **{f'ours, {k}': (lambda o=o: o.step(*batch)) for k, o in ours.items()})
    counter = FlopCounterMode(display=False)
    with counter: ours['fp32'].step(*batch)
    return result | dict(parts=dict(recipe=parts_of(old.step, batch)) | {f'ours, {k}': parts_of(o.step, batch) for k, o in ours.items()},
                         operations=counter.get_total_flops(), floor={k: counter.get_total_flops() / r for k, r in matrix_rates().items()})

def matrix_rates(n=2048):
    "Operations a second of a matrix product, by precision."
    rates = {}
    for k, dtype in dict(fp32=torch.float32, bf16=torch.bfloat16).items():
        a, b = (torch.randn(n, n, device=DEVICE).to(dtype) for _ in range(2))
        rates[k] = 2 * n ** 3 / turns(5, mm=lambda: a @ b)['mm']['least']
    return rates

@torch.no_grad()
def drawing(rounds):
    "A 512x256 scene from its maps and features, full width."
    batch = scene(256, 512)
    old, result = recipe.Recipe(N, **FULL), {}
    old.G.to(DEVICE)
    networks = {k: GAN(*pix2pixhd_networks(N, feature_channels=3, **FULL), k, k == 'bf16').to(DEVICE).eval() for k in ('fp32', 'bf16')}
    features = torch.rand(1, 3, 256, 512, device=DEVICE)
    def ours(gan):
        with gan.autocast(): return gan.synthesizer(*batch[:2], features=features)
    return result | turns(rounds, recipe=lambda: old.draw(*batch[:2], features), **{f'ours, {k}': (lambda g=g: ours(g)) for k, g in networks.items()})

def objects(h, w, n):
    "An instance map with n rectangles."
    columns = int(n ** 0.5) or 1
    rows = -(-n // columns)
    r, c = torch.arange(h) * rows // h, torch.arange(w) * columns // w
    return (r[:, None] * columns + c).clamp(max=n - 1)[None, None].to(DEVICE)

def pooling(rounds):
    "Instance-wise average pooling of three channels at 1024x512; the growth with objects and pixels."
    features, result = torch.rand(1, 3, 512, 1024, device=DEVICE), {}
    inst = objects(512, 1024, 41)
    assert torch.allclose(recipe.pool(features, inst), instance_mean(features, inst), atol=1e-5)
    result = turns(rounds, recipe=lambda: recipe.pool(features, inst), ours=lambda: instance_mean(features, inst))
    result['by_objects'] = {n: turns(3, ours=lambda i=objects(512, 1024, n): instance_mean(features, i))['ours']['median'] for n in (1, 10, 100, 1000, 10000)}
    result['by_pixels'] = {h * 2 * h: turns(3, ours=lambda f=features[..., :h, :2 * h].contiguous(), i=objects(h, 2 * h, 41): instance_mean(f, i))['ours']['median'] for h in (64, 128, 256, 512)}
    return result

def boundaries(rounds):
    "The boundary channel at 1024x512."
    inst = draw_scene(0, (512, 1024)).instance_map[None]
    assert torch.equal(recipe.boundaries(inst), instance_boundaries(inst))
    return turns(5 * rounds, recipe=lambda: recipe.boundaries(inst), ours=lambda: instance_boundaries(inst))

def one_hots(rounds):
    "The one-hot label map of 35 classes at 1024x512."
    label = torch.randint(0, 35, (1, 1, 512, 1024))
    assert torch.equal(recipe.one_hot(label, 35), one_hot(label, 35))
    return turns(5 * rounds, recipe=lambda: recipe.one_hot(label, 35), ours=lambda: one_hot(label, 35))

def loader(rounds):
    "Scenes a second from PNG and JPEG files at 512x256, beside the step."
    from tempfile import TemporaryDirectory
    from pix2pixhd_nb.data.datasets import open_dataset, save_scenes
    with TemporaryDirectory() as folder:
        save_scenes(ToyScenes(16, size=(256, 512)), folder, LABEL_SPACE, 'train')
        dls = scene_dataloaders(open_dataset(folder, 'train'), bs=1, seed=0)
        time_of = turns(rounds, ours=lambda: [None for _ in dls.train])['ours']
        return dict(ours={k: v / len(dls.train) for k, v in time_of.items()})

def imports(rounds):
    "Start-up: importing torch alone, and with a module of this library."
    def run(code): return lambda: subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)
    return turns(rounds, **{'torch alone': run('import torch'), 'torch and boundaries': run('import torch, pix2pixhd_nb.boundaries'),
                            'torch and pipeline': run('import torch, pix2pixhd_nb.pipeline'), 'torch and training': run('import torch, pix2pixhd_nb.training')})

PARTS = dict(step=(step, 5), drawing=(drawing, 7), pooling=(pooling, 7), boundaries=(boundaries, 7), one_hot=(one_hots, 7), loader=(loader, 3), imports=(imports, 5))

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('parts', nargs='*', choices=[*PARTS, []], default=[])
    parser.add_argument('--rounds', type=int, help='rounds of each row')
    arguments = parser.parse_args()
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
