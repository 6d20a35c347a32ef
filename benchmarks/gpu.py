"""What only a GPU shows: training, generating, memory and pooling on one, beside the plain recipe of 2018, in one run: .venv/bin/python benchmarks/gpu.py [PART ...]

Part of `make bench`; where there is no GPU it says so and ends. Results go to benchmarks/results/GPU.json; benchmarks/page.py makes a page of them."""
import argparse
import gc
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory
import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT/'benchmarks'), str(ROOT)]
import recipe
from pix2pixhd_nb.commands import selftest
from pix2pixhd_nb.commands.selftest import rounding
from pix2pixhd_nb.training.cost import _vgg
from pix2pixhd_nb.models.boundaries import instance_boundaries
from pix2pixhd_nb.core import LabelSpace, one_hot
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.models.pooling import instance_mean, instance_vectors
from pix2pixhd_nb.training.learner import pix2pixhd_networks
from pix2pixhd_nb.training.step import GAN
from speed import DEVICE, FULL, N, Ours, copy_weights, machine, objects, scene, seconds, turns

SIZE = (512, 1024)
LARGE = (1024, 2048)
ENHANCED = dict(FULL, n_enhancers=1)


def tf32(on):
    "Whether 32-bit matrix products and convolutions may round to 19 bits, as PyTorch lets convolutions do."
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = on

def exact(f):
    "A function in which 32 bits are 32 bits, as on the GPUs of 2018."
    def run(*args):
        with rounding(tf32=False): return f(*args)
    return run

class Step(selftest.Step):
    "The step that `pix2pixhd selftest` times, of networks for 35 classes."
    def __init__(self, precision='bf16', channels_last=False, graph=True, compiled=False, perceptual=False, activation_checkpointing=False, **shape):
        gan = GAN(*pix2pixhd_networks(N, feature_channels=3, **shape), precision, channels_last, activation_checkpointing=activation_checkpointing).to(DEVICE)
        if compiled: gan.synthesizer.generator.compile(dynamic=False)
        loss = _vgg().to(DEVICE) if perceptual else None
        for p in loss.parameters() if loss else (): p.data.normal_(0, 0.02)
        super().__init__(gan, graph, loss)

    step = selftest.Step.__call__

def several(rounds, variants):
    "Times of functions in turns, as in `pix2pixhd selftest`; each begins with the same random numbers."
    def seeded(make):
        def run():
            torch.manual_seed(0)
            return make()
        return run
    result = selftest.in_turns({name: seeded(make) for name, make in variants.items()}, rounds, DEVICE)
    for name, t in result.items(): print(f"  {name}: {t.get('failed') or 'warm after %.1f s' % t['warm_up']}", flush=True)
    return result

def rates(rounds):
    "Operations a second of a large matrix product on random data, and bytes a second of a copy within the GPU."
    n, out = 8192 if DEVICE == 'cuda' else 256, {}
    for name, dtype, rounded in (('fp32', torch.float32, False), ('tf32', torch.float32, True), ('bf16', torch.bfloat16, True)):
        a, b = (torch.randn(n, n, device=DEVICE).to(dtype) for _ in range(2))
        tf32(rounded)
        out[name] = 2 * n ** 3 / min(seconds(lambda: a @ b) for _ in range(3 + rounds))
    tf32(True)
    x = torch.randn(n, n, 8, device=DEVICE)
    out['copy'] = 2 * x.numel() * 4 / min(seconds(x.clone) for _ in range(3 + rounds))
    return dict(rates=out)

def copies(rounds):
    "A scene of 2048x1024 brought to the GPU: one-hot channels made before, or ids that become channels there; from ordinary and from pinned memory; images as floats and as bytes."
    label, inst, real = (x.cpu() for x in scene(*LARGE))
    small = label.to(torch.uint8), inst.int(), (127.5 * (real + 1)).to(torch.uint8)
    def bring(*given, pinned=False, then=lambda *x: x):
        if pinned and DEVICE == 'cuda': given = [x.pin_memory() for x in given]
        return lambda: then(*(x.to(DEVICE, non_blocking=pinned) for x in given))
    def on_the_gpu(label, inst, real): return one_hot(label.long(), N, check=False), instance_boundaries(inst), real.float() / 127.5 - 1 if real.dtype == torch.uint8 else real
    before = bring(one_hot(label, N), instance_boundaries(inst), real)
    return several(rounds, {'recipe': lambda: before, 'ids': lambda: bring(label, inst, real, then=on_the_gpu), 'ids, pinned': lambda: bring(label, inst, real, pinned=True, then=on_the_gpu),
                            'ids and image in few bits, pinned': lambda: bring(*small, pinned=True, then=on_the_gpu)})

def pooling(rounds):
    "Instance-wise average pooling of three channels at 1024x512, 41 objects; the growth with objects and pixels."
    features, inst = torch.rand(1, 3, *SIZE, device=DEVICE), objects(*SIZE, 41)
    expected = recipe.pool(features, inst)
    assert torch.allclose(expected, instance_mean(features, inst), atol=1e-5)
    def table():
        t = instance_vectors(features, inst)
        return t['vector'].T.gather(1, t['index'].expand(3, -1))
    few = inst.int()
    result = turns(3 * rounds, recipe=lambda: recipe.pool(features, inst), ours=lambda: instance_mean(features, inst), **{'ours, ids of 32 bits': lambda: instance_mean(features, few), 'by a table': table})
    median = lambda f: turns(5, ours=f)['ours']['median']
    result['by_objects'] = {n: median(lambda i=objects(*SIZE, n): instance_mean(features, i)) for n in (1, 10, 100, 1000, 10000)}
    result['by_pixels'] = {2 * h * h: median(lambda f=torch.rand(1, 3, h, 2 * h, device=DEVICE), i=objects(h, 2 * h, 41): instance_mean(f, i)) for h in (128, 256, 512, 1024)}
    return result

def step(rounds):
    "A training step at 1024x512, full width, encoder, three discriminators, no perceptual loss, batch 1."
    batch, old = scene(*SIZE), recipe.Recipe(N, **FULL)
    for net in (old.G, old.E, old.D): net.to(DEVICE)
    ours, counter = Ours(**FULL), FlopCounterMode(display=False)
    copy_weights(old, ours)
    tf32(False)
    a = old.step(*batch)
    with counter: b = ours.step(*batch)
    tf32(True)
    assert abs(a['g'] - b['gan'] - b['feature_matching']) < 1e-3 * abs(a['g']), (a, b) # the same mathematics
    del ours
    def step_of(*args, **kwargs): return lambda: (lambda s: lambda: s.step(*batch))(Step(*args, **kwargs, **FULL))
    def tuned():
        torch.backends.cudnn.benchmark = True
        s = Step(**FULL)
        try:
            for _ in range(5): s.step(*batch) # the CUDA graph holds what was chosen
        finally: torch.backends.cudnn.benchmark = False
        return lambda: s.step(*batch)
    result = several(rounds, {
        'recipe': lambda: exact(lambda: old.step(*batch)), 'recipe, convolutions in TF32': lambda: lambda: old.step(*batch),
        'ours, fp32': lambda: exact(step_of('fp32', False, False)()), 'ours, fp32 with TF32': step_of('fp32', False, False),
        'ours, bf16': step_of('bf16', False, False), 'ours, bf16, channels_last': step_of('bf16', True, False), 'ours, fp16': step_of('fp16', False, False),
        'ours, bf16, CUDA graph': step_of(), 'ours, bf16, CUDA graph, convolutions chosen by trial': tuned,
        'ours, bf16, compiled': step_of(graph=False, compiled=True), 'ours, bf16, compiled, CUDA graph': step_of(compiled=True)})
    return result | dict(operations=counter.get_total_flops())

def small_step(rounds):
    "The same networks at 256x256: a step that mostly waits for Python."
    batch, old = scene(256, 256), recipe.Recipe(N, **FULL)
    for net in (old.G, old.E, old.D): net.to(DEVICE)
    def step_of(*args, **kwargs): return lambda: (lambda s: lambda: s.step(*batch))(Step(*args, **kwargs, **FULL))
    return several(rounds, {'recipe': lambda: exact(lambda: old.step(*batch)), 'ours, bf16': step_of('bf16', False, False), 'ours, bf16, CUDA graph': step_of()})

def generating_of(size, precision=None, compiled=False, graph=True, **shape):
    "A function that generates, with a pipeline of random weights, from tensors on the device."
    pipe = Pix2PixHD(pix2pixhd_networks(N, feature_channels=3, **shape)[0].to(DEVICE))
    if precision: pipe.fast(precision)
    if precision and not graph: pipe.generating = pipe.generate
    if compiled: pipe.eval_synthesizer.generator.compile(dynamic=False)
    label, inst, _ = scene(*size)
    features = torch.rand(1, 3, *size, device=DEVICE)
    @torch.inference_mode()
    def generate(): return pipe.generating(label, inst, features)
    return generate

def generating(rounds):
    "An image of 2048x1024 from its maps and features, all on the GPU; global generator and one enhancer, full width."
    of = lambda **kwargs: lambda: generating_of(LARGE, **kwargs, **ENHANCED)
    result = several(rounds, {'ours, fp32': lambda: exact(generating_of(LARGE, **ENHANCED)), 'ours, fp32 with TF32': of(), 'ours, bf16': of(precision='bf16', graph=False), 'ours, bf16, CUDA graph': of(precision='bf16'),
                              'ours, bf16, compiled': of(precision='bf16', compiled=True, graph=False), 'ours, bf16, compiled, CUDA graph': of(precision='bf16', compiled=True)})
    generate = generating_of(LARGE, **ENHANCED)
    with FlopCounterMode(display=False) as counter: generate()
    return result | dict(operations=counter.get_total_flops())

FIRST = '''
import time, sys; start = time.perf_counter()
import torch
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.data.toy import synthetic_scene
imported = time.perf_counter()
street = synthetic_scene(0, (int(sys.argv[2]), 2 * int(sys.argv[2])))
made = time.perf_counter()
pipe = Pix2PixHD.load(sys.argv[1], 'cuda' if torch.cuda.is_available() else 'cpu')
pipe = pipe.fast() if sys.argv[3] == 'fast' else pipe
loaded = time.perf_counter()
picture = pipe.predict(street.label_map, street.instance_map)
first = time.perf_counter()
pipe.predict(street.label_map, street.instance_map)
print(imported - start, loaded - made, first - loaded, time.perf_counter() - first)
'''

def first_picture(rounds):
    "A fresh process loads a saved pipeline and generates an image of 2048x1024: seconds to import, to load, to generate the first one, to generate the second one (reading the maps and the PIL picture included)."
    result = {}
    with TemporaryDirectory() as folder:
        Pix2PixHD(pix2pixhd_networks(N, **ENHANCED)[0], LabelSpace([str(i) for i in range(N)])).save(folder)
        for how in ('fast', 'plain'):
            run = subprocess.run([sys.executable, '-c', FIRST, folder, str(LARGE[0]), how], capture_output=True, text=True, cwd=ROOT, env=os.environ | dict(PYTHONPATH=f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"))
            if run.returncode: raise RuntimeError(run.stderr[-600:])
            parts = dict(zip(('import', 'load', 'first', 'second'), map(float, run.stdout.split())))
            result[how] = parts | dict(until_first=parts['import'] + parts['load'] + parts['first'])
    return dict(seconds=result)

def memory(rounds):
    "A training step at 2048x1024, everything on (enhancer, three discriminators, encoder, perceptual loss), batch 1: highest memory of the whole process, and time."
    result = {}
    for precision in ('fp32', 'bf16'):
        for again in (False, True):
            name = precision + ', activation checkpointing' * again
            try: result[name] = one_memory(precision, again, rounds)
            except Exception as e:
                traceback.print_exc()
                result[name] = dict(failed=f'{type(e).__name__}: {e}'[:300])
            print(f'  {name}: {result[name]}', flush=True)
    return dict(rows=result)

def one_memory(precision, again, rounds):
    gc.collect()
    if DEVICE == 'cuda':
        torch.cuda.empty_cache(); torch.cuda.reset_peak_memory_stats()
        free, total = torch.cuda.mem_get_info()
        driver = total - free - torch.cuda.memory_reserved() # what the process takes beside PyTorch's own
    batch = scene(*LARGE)
    s = Step(precision, graph=False, activation_checkpointing=again, perceptual=True, **ENHANCED)
    for _ in range(2): s.step(*batch)
    times = sorted(seconds(lambda: s.step(*batch)) for _ in range(rounds))
    out = dict(median=times[len(times) // 2], least=times[0], most=times[-1])
    if DEVICE == 'cuda':
        free, total = torch.cuda.mem_get_info()
        out |= dict(tensors=torch.cuda.max_memory_allocated(), reserved=torch.cuda.max_memory_reserved(), driver=driver, device=total - free)
    return out

def in_eleven(rounds):
    "The same step with activation checkpointing while PyTorch may take no more than 11 GB, less what the driver takes."
    if DEVICE != 'cuda': return {}
    gc.collect(); torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    driver = total - free - torch.cuda.memory_reserved()
    torch.cuda.set_per_process_memory_fraction((11e9 - driver) / total)
    try: return dict(rows={p: one_memory(p, True, rounds) | dict(limit=11e9 - driver) for p in ('fp32', 'bf16')})
    finally: torch.cuda.set_per_process_memory_fraction(1.)

def growth(rounds):
    "A training step at full width: how it grows with pixels and batch."
    old = recipe.Recipe(N, **FULL)
    for net in (old.G, old.E, old.D): net.to(DEVICE)
    ours = Step(**FULL)
    def both(batch): return {k: v.get('median') for k, v in several(rounds, dict(recipe=lambda: exact(lambda: old.step(*batch)), ours=lambda: lambda: ours.step(*batch))).items()}
    return dict(by_pixels={2 * h * h: both(scene(h, 2 * h)) for h in (128, 256, 512)}, by_batch={n: both(scene(128, 256, n=n)) for n in (1, 2, 4)})

PARTS = dict(rates=(rates, 5), copies=(copies, 10), pooling=(pooling, 5), memory=(memory, 3), in_eleven=(in_eleven, 3), first_picture=(first_picture, 1), small_step=(small_step, 10), growth=(growth, 5), generating=(generating, 15), step=(step, 10))

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('parts', nargs='*', choices=[*PARTS, []], default=[])
    parser.add_argument('--rounds', type=int, help='rounds of each row')
    parser.add_argument('--results', default=ROOT/'benchmarks/results', type=Path, help='where the JSON goes')
    parser.add_argument('--tiny', action='store_true', help='small networks and pictures, on a processor too: to see that everything runs')
    arguments = parser.parse_args()
    if DEVICE != 'cuda' and not arguments.tiny: return print('There is no GPU here: its rows stay "not run".')
    if arguments.tiny:
        global SIZE, LARGE
        SIZE, LARGE = (64, 128), (128, 256)
        small = dict(width=8, n_downsample=2, n_blocks=1, n_scales=2, discriminator_width=8, encoder_width=4)
        FULL.update(small); ENHANCED.update(small)
    name, what = machine()
    path = arguments.results/f'{name}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text()) if path.is_file() else {}
    for part in arguments.parts or PARTS:
        f, rounds = PARTS[part]
        print(f'{part}: {f.__doc__}', flush=True)
        torch.manual_seed(0)
        start = time.perf_counter()
        try: known['gpu_' + part] = dict(what=f.__doc__, machine=what, date=time.strftime('%Y-%m-%d')) | f(arguments.rounds or rounds)
        except Exception:
            traceback.print_exc()
            known.pop('gpu_' + part, None)
        for k, v in known.get('gpu_' + part, {}).items():
            if isinstance(v, dict) and 'median' in v: print(f"  {k:40} {1000 * v['median']:10.3f} ms   {1000 * v['least']:.3f} to {1000 * v['most']:.3f}")
        print(f'  ({time.perf_counter() - start:.0f} s)', flush=True)
        gc.collect()
        if DEVICE == 'cuda': torch.cuda.empty_cache()
        path.write_text(json.dumps(known, indent=1))
    print(path)

if __name__ == '__main__': main()
