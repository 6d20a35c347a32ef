"""A rehearsal for a GPU, on a processor alone: training, generating and the commands on a pretend device (pretend.py)."""
import gc
import inspect
import random
import sys
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastprogress import fastprogress
from pix2pixhd_nb.commands import selftest, training as commands
from pix2pixhd_nb.commands.training import train
from pix2pixhd_nb.data import loaders
from pix2pixhd_nb.data.layouts import save_scenes
from pix2pixhd_nb.data.loaders import Packed, default_workers, scene_dataloaders
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.engine import distributed as ranks
from pix2pixhd_nb.engine.cuda_graphs import Graphed
from pix2pixhd_nb.engine.distributed import meeting
from pix2pixhd_nb.engine.precision import sixteen_bits
from pix2pixhd_nb.evaluation.scores import vary
from pix2pixhd_nb.models.baselines import UNet
from pix2pixhd_nb.models.synthesizer import keep_in_16_bits
from pix2pixhd_nb.synthesis import pipeline
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.synthesis.styles import measure_features
from pix2pixhd_nb.training import cost, distributed
from pix2pixhd_nb.training.cost import bytes_needed, rehearse, training_options
from pix2pixhd_nb.training.learner import fastest_precision, pix2pixhd_learner, pix2pixhd_networks
from pix2pixhd_nb.training import step as step_module
from pix2pixhd_nb.training.losses import discriminator_losses
from pix2pixhd_nb.training.monitor import GANMonitor
from pretend import Card, State, pretend_gpu

sys.path.insert(0, str(Path(__file__).parents[1] / 'benchmarks'))
import gpu as benchmark # before there is a pretend GPU: what it asks of the machine, it asks once

if torch.cuda.is_available(): pytest.skip('a real GPU is here: `pix2pixhd selftest --device cuda` asks it itself', allow_module_level=True)

NET = dict(width=4, n_downsample=2, n_blocks=1, n_scales=2, discriminator_width=4, encoder_width=4, feature_channels=3)

class Scenes(list): label_space = LABEL_SPACE

SCENES = Scenes(SyntheticScenes(6, size=(32, 64)))

@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(fastprogress, 'NO_BAR', True)
    with pretend_gpu(monkeypatch) as state: yield state

def trained(device, epochs=1, cbs=None, bs=2, scenes=4, **options):
    torch.manual_seed(0)
    learn = pix2pixhd_learner(scene_dataloaders(Scenes(SCENES[:scenes]), SCENES[:1], bs=bs, seed=0, device=device, workers=0), **NET | options)
    with learn.no_bar(), learn.no_logging(): learn.fit(epochs, cbs=cbs)
    return learn

def history(learn): return np.array([list(h.values()) for h in learn.gan_training.history])


# the device itself

def test_mixing_devices_raises(gpu):
    there, here = torch.ones(2, device='cuda'), torch.ones(2)
    assert there.device.type == 'cuda' and isinstance(there, Card)
    with pytest.raises(RuntimeError, match='same device'): there + here
    with pytest.raises(TypeError, match='cuda:0'): there.numpy()

def test_waits_are_noted(gpu):
    x = torch.ones(2, device='cuda')
    here = torch.ones(2)
    for make in (lambda: x.tolist(), lambda: x.sum().item(), lambda: bool(x.sum() > 0), lambda: x.cpu(), lambda: here.to('cuda'), lambda: x[x > 0], lambda: x.unique()):
        before = len(gpu.waits)
        make()
        assert len(gpu.waits) > before
    before = len(gpu.waits)
    here.to('cuda', non_blocking=True)
    assert len(gpu.waits) == before


# training

@pytest.mark.parametrize('options', [
    dict(), dict(precision='bf16'), dict(precision='fp16'), dict(ema=0.9), dict(pool_size=2), dict(augmentation='colour,translation,cutout'),
    dict(feature_channels=0), dict(activation_checkpointing=True), dict(gan='hinge', spectral=True), dict(norm='batch'), dict(perceptual='small'), dict(n_enhancers=1)], ids=str)
def test_losses_agree_with_the_processor(monkeypatch, options):
    random.seed(0)
    off = history(trained('cpu', **options))
    with pretend_gpu(monkeypatch):
        random.seed(0)
        learn = trained('cuda:0', **options)
        on = history(learn)
    assert all(isinstance(p, Card) for p in learn.model.parameters())
    assert np.allclose(on, off, rtol=1e-5 if options.get('precision', 'fp32') == 'fp32' else 5e-3)


class Phases(Callback):
    "The waits of each part of a step."
    order = 200
    def __init__(self): self.seen = []
    def note(self, part): self.seen += [(part, *w) for w in State.waits]; State.waits = []
    def before_batch(self): self.note('batch')
    def before_backward(self): self.note('forward')
    def after_backward(self): self.note('backward')
    def after_step(self): self.note('update')
    def after_batch(self): self.note('after')

WAITS_OF_A_STEP = {('after', 'tolist', 'training/step.py:after_batch')} # committed: the losses are read once, when the step is over

@pytest.mark.parametrize('options', [dict(), dict(precision='bf16'), dict(precision='fp16'), dict(ema=0.9), dict(pool_size=2), dict(perceptual='small'),
                                     dict(augmentation='colour,translation,cutout')], ids=str)
def test_waits_of_a_step(gpu, options):
    phases = Phases()
    learn = trained('cuda:0', 1, cbs=phases, **options)
    training = [w for w in phases.seen if w[0] != 'batch' or 'loaders' in w[2]]
    steps = len(learn.gan_training.history)
    in_training = training[:steps] # then comes validation
    assert steps == 2 and set(in_training) == WAITS_OF_A_STEP, training
    assert not [w for w in training if w[0] in ('forward', 'backward', 'update') and 'validat' not in w[2]], training

def test_a_graphed_step_waits_once(gpu):
    class Replayed(Callback):
        "The waits of batches that are replayed."
        order = 201
        def before_fit(self): self.waits = []
        def after_batch(self):
            if self.training and self.iter >= 3: self.waits.append(list(State.waits))
            State.waits = []
    replayed = Replayed()
    learn = trained('cuda:0', cbs=replayed, bs=1, scenes=6)
    assert len(learn.gan_training.history) == 6 and len(replayed.waits) == 3
    assert all(w == [('tolist', 'training/step.py:after_batch')] for w in replayed.waits[1:]), replayed.waits


# no graph outlives its step (it holds all feature maps to the next batch, and a capture in mid-epoch fails)

class Alive(Callback):
    "Tensors with a graph behind them, after each batch."
    order = 300
    def __init__(self): self.counts = []
    def after_batch(self):
        if self.training: self.counts.append(sum(isinstance(t, torch.Tensor) and t.grad_fn is not None for t in gc.get_objects()))

@pytest.mark.parametrize('options', [dict(), dict(pool_size=2), dict(perceptual='small')], ids=str)
def test_no_graph_outlives_its_step(options):
    alive = Alive()
    trained('cpu', cbs=alive, **options)
    assert alive.counts == [0, 0]


# CUDA graphs

@pytest.mark.parametrize('options', [dict(), dict(precision='bf16', ema=0.9), dict(perceptual='small', activation_checkpointing=True), dict(norm='batch', ema=0.9)], ids=str)
def test_a_graph_equals_the_plain_step(gpu, options):
    "Captured at the fourth of six batches. (The rate is one that 32 bits hold exactly: a graph's rates have as many.)"
    plain, graphed = (trained('cuda:0', bs=1, scenes=6, cuda_graph=how, lr=2**-12, **options) for how in ('off', 'auto'))
    assert np.array_equal(history(plain), history(graphed)) and len(history(plain)) == 6
    for a, b in zip(plain.model.parameters(), graphed.model.parameters()): assert torch.equal(a.held, b.held)

def test_a_graph_is_captured_by_default(gpu):
    class Seen(Callback):
        def after_train(self): self.recordings = len(self.graphed_training.graphed.recordings)
    seen = Seen()
    trained('cuda:0', 1, bs=1, cbs=seen)
    assert seen.recordings == 1

def test_a_graph_waits_for_the_styles(gpu):
    "The steps without styles are others than those to come; the sixth of six batches is captured, after three with styles."
    class Seen(Callback):
        def after_train(self): self.recordings = len(self.graphed_training.graphed.recordings)
    seen = Seen()
    graphed = trained('cuda:0', bs=1, scenes=6, cuda_graph='auto', lr=2**-12, styles_after=2, cbs=seen)
    plain = trained('cuda:0', bs=1, scenes=6, cuda_graph='off', lr=2**-12, styles_after=2)
    assert seen.recordings == 1 and np.array_equal(history(plain), history(graphed))
    others = trained('cuda:0', bs=1, scenes=6, cuda_graph='off', lr=2**-12)
    assert not np.array_equal(history(others), history(graphed)) # zeros in the first two

def test_no_graph_where_it_cannot_be(gpu):
    class Within(Callback):
        def after_backward(self): self.called = getattr(self, 'called', 0) + 1
    within = Within()
    trained('cuda:0', bs=1, cbs=within)
    assert within.called == 4
    for options in (dict(precision='fp16'), dict(pool_size=2), dict(augmentation='cutout')): assert len(trained('cuda:0', bs=1, **options).gan_training.history) == 4

def test_a_capture_refuses_to_wait(gpu):
    with pytest.raises(RuntimeError, match='not permitted when stream is capturing'): Graphed(lambda x: x / x.max().item(), warm_up=0)(torch.ones(3, device='cuda'))

def test_a_graph_recorded_in_inference_mode_serves_no_grad(gpu):
    double = Graphed(lambda x: 2 * x)
    for mode in (torch.inference_mode, torch.no_grad, nullcontext):
        with mode(): assert double(torch.ones(3, device='cuda')).tolist() == [2, 2, 2]


# losses that are not finite, and overflow

class Spoil(Callback):
    "An infinity in the images of some batches."
    order = 64
    def __init__(self, *batches): self.batches = batches
    def before_batch(self):
        if self.training and self.iter in self.batches: self.yb[0][0].fill_(float('inf'))

class Weights(Callback):
    order = 300
    def before_fit(self): self.kept = [[p.held.clone() for p in self.model.parameters()]]
    def after_batch(self):
        if self.training: self.kept.append([p.held.clone() for p in self.model.parameters()])
    @property
    def moved(self): return [any(not torch.equal(a, b) for a, b in zip(x, y)) for x, y in zip(self.kept, self.kept[1:])]

@pytest.mark.parametrize('options', [dict(ema=0.9), dict(precision='bf16'), dict(precision='fp16'), dict(ema=0.9, cuda_graph='off'), dict(ema=0.9, norm='batch')], ids=str)
def test_a_step_that_is_not_finite_changes_nothing(gpu, options):
    weights = Weights()
    learn = trained('cuda:0', bs=1, scenes=6, cbs=[Spoil(1, 4), weights], **options)
    assert not weights.moved[1] and not weights.moved[4] and learn.gan_training.not_finite == 2
    assert all(torch.isfinite(p.held).all() for p in learn.model.state_dict().values())
    if options.get('precision') != 'fp16': assert sum(weights.moved) == 4

def test_each_network_has_its_own_scaler(gpu):
    class Overflow(Callback):
        def before_step(self): next(self.model.synthesizer.parameters()).grad.fill_(float('inf'))
    torch.manual_seed(0)
    learn = pix2pixhd_learner(scene_dataloaders(SCENES, SCENES[:2], bs=2, seed=0, device='cuda:0', workers=0), **NET, precision='fp16')
    before = [[p.clone() for p in part] for part in learn.model.parts()]
    with learn.no_bar(), learn.no_logging(): learn.fit(1, cbs=Overflow())
    moved = [any(not torch.equal(a.cpu(), b.cpu()) for a, b in zip(old, new)) for old, new in zip(before, learn.model.parts())]
    assert moved == [False, True]
    scales = [s.get_scale() for s in learn.opt.scalers]
    assert scales[0] < scales[1]


# what surrounds a step

def test_batches_travel_small_and_ahead(gpu):
    dls = scene_dataloaders(SCENES, SCENES[:1], bs=2, seed=0, device='cuda:0', workers=0)
    here = scene_dataloaders(SCENES, SCENES[:2], bs=2, seed=0, device='cpu', workers=0)
    gpu.waits.clear()
    batches = list(dls.train)
    assert not gpu.waits and len(batches) == 3
    for on, off in zip(batches, here.train):
        for a, b in zip(on, off): assert isinstance(a, Card) and a.dtype == b.dtype and torch.equal(a.held, b)

def test_ids_and_bytes_are_what_travels():
    label, inst, image = scene_dataloaders(SCENES, SCENES[:2], bs=2, seed=0, device='cpu', workers=0).one_batch()
    rounded = ((image + 1) * 127.5).round() / 255 * 2 - 1
    packed = Packed((label, inst, rounded))
    assert [x.dtype for x in packed.parts] == [torch.int32, torch.int32, torch.uint8]
    assert sum(x.numel() * x.element_size() for x in packed.parts) == 11 * label.numel()
    for a, b in zip((label, inst, rounded), packed.unpacked()): assert torch.equal(a, b)

@pytest.mark.parametrize('capability, precision', [((6, 1), 'fp32'), ((7, 5), 'fp16'), ((8, 0), 'bf16'), ((9, 0), 'bf16')])
def test_precision_by_capability(monkeypatch, capability, precision):
    with pretend_gpu(monkeypatch, capability):
        assert fastest_precision('cuda') == precision
        assert sixteen_bits('cuda') == ('fp16' if precision == 'fp16' else 'bf16')


# defects that reading found, each by itself

def test_adam_is_fused_in_every_precision():
    for precision in ('fp32', 'bf16', 'fp16'):
        learn = pix2pixhd_learner(scene_dataloaders(SCENES, SCENES[:1], bs=2, seed=0, device='cpu', workers=0), **NET, precision=precision)
        learn.create_opt()
        assert all(g['fused'] for o in learn.opt.both for g in o.opt.param_groups)

def test_the_layout_on_a_gpu_is_that_of_its_paddings(gpu):
    "Reflection padding and instance norm would undo channels_last in each block."
    kept = keep_in_16_bits(pix2pixhd_networks(9, **NET)[0].to('cuda'))
    assert all(p.is_contiguous() for p in kept.generator.parameters())

def test_a_capture_is_on_its_tensors_device(gpu, monkeypatch):
    used = []
    @contextmanager
    def device(d): used.append(d); yield
    monkeypatch.setattr(torch.cuda, 'device', device)
    Graphed(lambda x: 2 * x)(torch.ones(3, device='cuda'))
    assert used == [torch.device('cuda', 0)]

def test_styles_are_measured_where_the_learner_is(gpu, monkeypatch):
    devices = []
    monkeypatch.setattr(pipeline, 'measure_features', lambda model, scenes: (devices.append(next(model.parameters()).device.type), measure_features(model, scenes))[1])
    pipe = Pix2PixHD.from_learner(trained('cuda:0'))
    assert devices == ['cuda'] and pipe.device.type == 'cpu' and pipe.style_book

def test_a_pipeline_generates_alike(gpu):
    pipe = Pix2PixHD.from_learner(trained('cuda:0'))
    street = SCENES[0]
    here = np.asarray(pipe.predict(street.label_map, street.instance_map, seed=0), float)
    pipe.to('cuda')
    assert isinstance(next(pipe.synthesizer.parameters()), Card)
    for made in (pipe, pipe.fast('fp32')):
        for _ in range(2): assert np.abs(np.asarray(made.predict(street.label_map, street.instance_map, seed=0), float) - here).max() <= 1
    assert pipe.fast().precision == 'bf16'

def test_previews_take_the_styles_that_came_with_the_scenes():
    "Each preview is what the model generates from the scene's own styles, in the training's precision."
    torch.manual_seed(1)
    table = measure_features(pix2pixhd_networks(9, **NET)[0].eval(), SCENES)
    looked = table.with_styles(SCENES)
    for precision in ('fp32', 'bf16'):
        torch.manual_seed(0)
        net = {k: v for k, v in NET.items() if k not in ('feature_channels', 'encoder_width')}
        learn = pix2pixhd_learner(scene_dataloaders(looked, looked, bs=2, seed=0, device='cpu', workers=0), **net, precision=precision)
        monitor = GANMonitor(live=False)
        with learn.no_bar(), learn.no_logging(): learn.fit(1, cbs=monitor)
        label_map, instance_map, styles, _ = (x[None] for x in monitor.items[0])
        with torch.no_grad(): expected = learn.model.eval()(label_map, instance_map, features=styles)[0]
        assert torch.equal(monitor.previews[1][0], expected)

def test_the_plan_counts_what_a_gpu_takes():
    small = rehearse((32, 64), n_classes=9, **NET)
    pooled = rehearse((32, 64), n_classes=9, pool_size=50, **NET)
    assert pooled.peak - small.peak >= 49 * 20 * 32 * 64
    assert bytes_needed(small, 'cuda') >= 1.1 * small.peak + 6e8

def test_the_plan_offers_what_the_gpu_is_made_for(monkeypatch):
    with pretend_gpu(monkeypatch, (7, 5)): names = {o.precision for o in training_options((32, 64), n_classes=9, free=0, device='cuda', **NET)}
    assert names == {'fp32', 'fp16'}

def test_the_plan_knows_every_device(monkeypatch):
    monkeypatch.setattr(cost, 'step_seconds', lambda *a, **k: (1., 1.))
    assert training_options((32, 64), n_classes=9, device='mps', **NET)[0].seconds > 0
    waited = []
    monkeypatch.setattr(torch.mps, 'synchronize', lambda: waited.append('mps'))
    cost._synchronize('mps')
    assert waited == ['mps'] and fastest_precision('mps') == 'fp32'

def test_out_of_memory_is_not_a_lost_rank():
    with pytest.raises(torch.OutOfMemoryError):
        with meeting(): raise torch.OutOfMemoryError('CUDA out of memory')

def test_pictures_are_varied_where_they_are(gpu, monkeypatch):
    generator = torch.Generator
    monkeypatch.setattr(torch, 'Generator', lambda device='cpu': generator())
    image = torch.zeros(2, 3, 8, 8, device='cuda')
    gpu.waits.clear()
    assert isinstance(vary(image, random.Random(0)), Card) and not gpu.waits

def test_dropout_with_checkpointing_is_not_captured():
    learn = pix2pixhd_learner(scene_dataloaders(SCENES, SCENES[:1], bs=2, seed=0, device='cpu', workers=0), cuda_graph='on', activation_checkpointing=True,
                              n_scales=1, discriminator_width=4, boundary=False, make_generator=partial(UNet, width=4, n_downsample=3, dropout=0.5))
    with pytest.raises(ValueError, match='random numbers of dropout'), learn.no_bar(), learn.no_logging(): learn.fit(1)

def test_the_benchmark_of_copies_downloads_nothing(gpu, monkeypatch):
    "What is timed is the way to the GPU: `one_hot` would look for odd ids there, by a download, if it were told to."
    monkeypatch.setattr(benchmark, 'DEVICE', 'cuda')
    monkeypatch.setattr(benchmark, 'LARGE', (32, 64))
    waits = {}
    def several(rounds, variants):
        for name, make in variants.items():
            run = make()
            gpu.waits.clear()
            run()
            waits[name] = {kind for kind, _ in gpu.waits}
    monkeypatch.setattr(benchmark, 'several', several)
    benchmark.copies(1)
    assert len(waits) == 4 and set().union(*waits.values()) == {'upload'}
    assert not any(kinds for name, kinds in waits.items() if 'pinned' in name), waits

def test_scenes_are_read_by_several_processes_where_there_is_a_gpu(gpu, monkeypatch, tmp_path):
    "By default, from the commands too; as many as the machine has cores for."
    for cores, expected in ((1, 0), (2, 1), (3, 2), (16, 4)):
        monkeypatch.setattr(loaders.os, 'sched_getaffinity', lambda process: set(range(cores)), raising=False)
        assert default_workers(torch.device('cuda', 0)) == expected and default_workers(torch.device('cpu')) == 0
        dls = scene_dataloaders(SCENES, SCENES[:1], bs=2, seed=0, device='cuda:0')
        assert dls.train.fake_l.num_workers == expected
    given = []
    class Enough(Exception): "All is known."
    def stop(*args, **options):
        given.append(options['workers'])
        raise Enough
    monkeypatch.setattr(commands, 'scene_dataloaders', stop)
    save_scenes(SCENES, tmp_path/'data', LABEL_SPACE)
    with pytest.raises(Enough): train(str(tmp_path/'data'), str(tmp_path/'model'), **NET)
    assert given == [-1] and inspect.signature(scene_dataloaders).parameters['workers'].default == -1

def test_what_ranks_tell_each_other_goes_from_processor_to_processor(monkeypatch):
    "A checkpoint of some GB, above all, does not go through the GPU's memory."
    made, sent = [], []
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'set_device', lambda device: None)
    monkeypatch.setattr(ranks.dist, 'init_process_group', made.append)
    monkeypatch.setattr(ranks.atexit, 'register', lambda f: None)
    ranks.join_ranks()
    assert made == ['cpu:gloo,cuda:nccl']
    monkeypatch.setattr(ranks, 'world_size', lambda: 2)
    monkeypatch.setattr(ranks.dist, 'broadcast_object_list', lambda box, device: sent.append(device))
    assert ranks.from_first(dict(weights=torch.zeros(3)))['weights'].device.type == 'cpu' and sent == [torch.device('cpu')]

def test_a_lost_rank_is_found_before_the_gpu_is_waited_for(gpu, monkeypatch):
    "Its NCCL kernels would never end, and the watchdog would abort this process minutes later, without a word."
    class Lost(Exception): "As `highest_over_ranks` would raise RankLost."
    def lost(number): raise Lost('gone')
    monkeypatch.setattr(distributed, 'highest_over_ranks', lost)
    class Alone(distributed.Distributed):
        def before_fit(self): pass
        def after_backward(self): pass
    torch.manual_seed(0)
    learn = pix2pixhd_learner(scene_dataloaders(SCENES, SCENES[:1], bs=2, seed=0, device='cuda:0', workers=0), **NET, cbs=Alone())
    gpu.waits.clear()
    with pytest.raises(Lost), learn.no_bar(), learn.no_logging(): learn.fit(1)
    assert not learn.gan_training.history and ('tolist', 'training/step.py:after_batch') not in gpu.waits

@pytest.mark.parametrize('options', [dict(), dict(precision='bf16')], ids=str)
def test_the_commands(gpu, monkeypatch, tmp_path, options):
    "`train` and `generate` as typed, with a GPU to be had; the step is captured."
    monkeypatch.setattr(commands, 'default_device', lambda: torch.device('cuda', 0))
    monkeypatch.setattr(loaders, 'default_device', lambda: torch.device('cuda', 0))
    monkeypatch.setattr(loaders, 'default_workers', lambda device: 0)
    captured = []
    record = Graphed.record
    monkeypatch.setattr(Graphed, 'record', lambda self, inputs: (captured.append(1), record(self, inputs))[1])
    save_scenes(SCENES, tmp_path/'data', LABEL_SPACE)
    train(str(tmp_path/'data'), str(tmp_path/'model'), batch=1, steps=10, size=(32, 64), seed=0, keep_best=False, **NET, **options)
    assert captured and Pix2PixHD.load(tmp_path/'model').training['steps'] == 10

def test_the_selftest_asks_a_gpu(gpu, monkeypatch):
    "All but what an allocator would have to say; a row that breaks off is a row that failed."
    monkeypatch.setattr(selftest, '_size', lambda device: (32, 64)) # what computes here is the processor
    questions = {k: v for k, v in selftest.QUESTIONS.items() if k != 'memory'}
    questions['speed'] = partial(selftest.speed, size=(32, 64), networks=selftest.TINY, rounds=1)
    rows = list(selftest.answers(torch.device('cuda', 0), questions))
    assert not [str(r) for r in rows if r.passed is False]
    what = ' '.join(r.what for r in rows)
    assert all(k in what for k in ('fp32', 'bf16', 'fp16', 'CUDA graph', 'TF32', 'changes nothing')) and 'ours, bf16, CUDA graph' in what

def test_the_selftest_can_fail(monkeypatch):
    "A discriminator's loss that is off by a tenth, and a question that breaks off."
    monkeypatch.setattr(step_module, 'discriminator_losses', lambda *args: {k: 1.1 * v for k, v in discriminator_losses(*args).items()})
    def broken(device): raise torch.OutOfMemoryError('CUDA out of memory')
    rows = list(selftest.answers(torch.device('cpu'), dict(parity=selftest.parity, broken=broken)))
    assert [r.passed for r in rows] == [False] * 4 and 'OutOfMemoryError: CUDA out of memory' in rows[-1].figure
