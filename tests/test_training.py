"Training through the Learner: golden figures, who moves, fastai's callbacks, losses and inputs of every kind."
from copy import deepcopy
from functools import partial
from pathlib import Path
import numpy as np
import pytest
import torch
from fastai.callback.core import Callback, CancelBatchException
from fastai.callback.progress import CSVLogger
from fastai.callback.tracker import SaveModelCallback
from fastai.callback.training import GradientAccumulation, GradientClip
from PIL import Image
from torch import nn
from pix2pixhd_nb.core import LabelSpace, Scene, one_hot
from pix2pixhd_nb.data.layouts import open_dataset, save_scenes
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes, synthetic_scene
from pix2pixhd_nb.synthesis.weights_2018 import read_2018_discriminator, read_2018_encoder, read_2018_generator
from pix2pixhd_nb.training.losses import PerceptualLoss
from pix2pixhd_nb.models.activation_checkpointing import checkpoint_activations
from pix2pixhd_nb.models.boundaries import instance_boundaries
from pix2pixhd_nb.models.condition_conv import ConditionConv2d, mark_classes
from pix2pixhd_nb.synthesis.styles import measure_features
from pix2pixhd_nb.training.coarse_to_fine import grow_learner
from pix2pixhd_nb.training.learner import pix2pixhd_learner
from pix2pixhd_nb.training.networks import pix2pixhd_networks
from pix2pixhd_nb.training.step import GAN, GANOptimizer, GANTraining, ImagePool, training_step
from test_parity import plain_steps

TINY = dict(width=4, n_downsample=2, n_blocks=1, discriminator_width=4, n_scales=2)
SPACE = LabelSpace(['a', 'b', 'c'], ignore_id=255)


class Scenes(list):
    "Scenes in memory."
    def __init__(self, scenes, label_space=SPACE):
        super().__init__(scenes)
        self.label_space = label_space


def toy(n=4, size=(32, 64)): return Scenes(SyntheticScenes(n, size=size), LABEL_SPACE)

def loaders(scenes=None, bs=2, **kwargs):
    scenes = toy() if scenes is None else scenes
    return scene_dataloaders(scenes, Scenes([scenes[0], scenes[1]], scenes.label_space), bs=bs, seed=0, device='cpu', **kwargs)

def learner(dls=None, seed=0, **kwargs):
    torch.manual_seed(seed)
    return pix2pixhd_learner(dls or loaders(), **TINY | kwargs)

def fit(learn, n=1, *args, method='fit', **kwargs):
    with learn.no_bar(), learn.no_logging(): getattr(learn, method)(n, *args, **kwargs)
    return learn

def is_finite(learn): return learn.gan_training.history and all(np.isfinite(list(h.values())).all() for h in learn.gan_training.history)

def weights(module): return [p.detach().clone() for p in module.parameters()]

def moved(before, after): return any((a != b).any().item() for a, b in zip(before, after, strict=True))


# styles that come later

def test_styles_come_after_so_many_steps():
    learn = learner(feature_channels=3, encoder_width=4, styles_after=3)
    seen, encoder = [], weights(learn.model.synthesizer.encoder)
    generate = learn.model.synthesizer.generate
    learn.model.synthesizer.generate = lambda condition, instance_map, image, features=None: seen.append(features) or generate(condition, instance_map, image, features)
    styles = next(c for c in learn.model.synthesizer.generator.modules() if isinstance(c, (torch.nn.Conv2d, ConditionConv2d)))
    before = styles.weight[:, -3:].detach().clone()
    fit(learn) # two steps, then a validation
    assert len(seen) == 3 and all(f is not None and not f.any() and f.shape[1] == 3 for f in seen)
    assert not moved(encoder, weights(learn.model.synthesizer.encoder))
    assert torch.equal(before, styles.weight[:, -3:]) # nor do the weights that wait for styles
    fit(learn) # one more without, then with
    assert [f is None for f in seen[3:]] == [False, True, True]
    assert moved(encoder, weights(learn.model.synthesizer.encoder)) and is_finite(learn)


def test_styles_of_the_scenes_wait_too_and_without_styles_nothing_changes():
    plain, waits = (fit(learner(styles_after=n)) for n in (0, 5))
    assert plain.gan_training.history == waits.gan_training.history
    learn = fit(learner(feature_channels=3, encoder_width=4, styles_after=10**6, ema=0.9))
    grown = grow_learner(learn, loaders(toy(size=(64, 128))), 1)
    assert grown.gan_training.styles_after == 0 # it knows what the classes look like


# the golden figures

def test_learner_repeats_the_golden_steps():
    golden = torch.load(Path(__file__).parent/'golden.pt', weights_only=True)
    t, state, c = golden['tensors'], golden['state'], golden['config']
    scenes = Scenes([Scene(*x) for x in zip(t['label'], t['inst'], t['image'])], LabelSpace([str(i) for i in range(c['n_classes'])]))
    learn = pix2pixhd_learner(loaders(scenes, flip=False), width=8, n_downsample=2, n_blocks=2, n_enhancers=1, n_enhancer_blocks=1,
                              feature_channels=3, encoder_width=4, discriminator_width=4)
    networks = learn.model.synthesizer
    networks.encode_at = 'full'
    networks.generator.load_state_dict(read_2018_generator(state['one_enhancer']).state_dict())
    networks.encoder.load_state_dict(read_2018_encoder(state['encoder']).state_dict())
    learn.model.discriminator.load_state_dict(read_2018_discriminator(state['discriminator']).state_dict())
    fit(learn, len(golden['steps']))
    names = dict(g_gan='gan', g_fm='feature_matching', d_real='d_real', d_fake='d_fake')
    assert len(learn.gan_training.history) == len(golden['steps'])
    plain = plain_steps(torch.float32, fused=True) # rounds as this processor does, golden's readings as another did
    for found, here, expected in zip(learn.gan_training.history, plain, golden['steps']):
        for old, new in names.items():
            assert found[new] == pytest.approx(here[old], rel=1e-5)
            assert found[new] == pytest.approx(float(expected[old]), rel=1e-3)


# who moves

def after_one_step(lr):
    learn = learner(loaders(toy(2)), feature_channels=2, encoder_width=4)
    start = deepcopy(learn.model)
    fit(learn, 1, lr=np.array(lr))
    assert len(learn.gan_training.history) == 1
    return start, learn.model


def test_each_optimiser_moves_its_own_network():
    "A rate of 0 for one network leaves it as it is; the other takes the very step it takes when both move."
    _, both = after_one_step((2e-4, 2e-4))
    for lr, resting, moving in (((2e-4, 0.), 'discriminator', 'synthesizer'), ((0., 2e-4), 'synthesizer', 'discriminator')):
        start, end = after_one_step(lr)
        part = lambda model, name: weights(getattr(model, name))
        assert not moved(part(start, resting), part(end, resting))
        assert moved(part(start, moving), part(end, moving))
        assert not moved(part(both, moving), part(end, moving))
    assert moved(weights(start.synthesizer.encoder), weights(both.synthesizer.encoder))


def test_frozen_coarse_part_rests_then_moves():
    small = fit(learner(loaders(bs=4), feature_channels=2, encoder_width=4, n_downsample=1))
    learn = grow_learner(small, loaders(toy(4, (64, 128)), bs=4))
    generator, encoder = learn.model.synthesizer.generator, learn.model.synthesizer.encoder
    def parts(): return [[p.detach().clone() for p in ps] for ps in (generator.coarse_parameters(), generator.newest_parameters(), encoder.parameters())]
    def who_moves():
        before = parts()
        fit(learn)
        return [moved(*pair) for pair in zip(before, parts())]
    learn.freeze_coarse()
    assert who_moves() == [False, True, True]
    learn.unfreeze_coarse()
    assert who_moves() == [True, True, True]
    before = weights(learn.model)
    fit(learn, 0, 2, method='fit_flat_linear')
    assert all(h['lr'] < 2e-4 for h in learn.opt.hypers) and moved(before, weights(learn.model))


def test_every_weight_moves():
    learn = learner(feature_channels=2, encoder_width=4)
    before = {k: v.clone() for k, v in learn.model.state_dict().items()}
    fit(learn)
    assert not [k for k, v in learn.model.state_dict().items() if k.endswith('weight') and torch.equal(v, before[k])]


# fastai's callbacks

def test_tensorboard_csv_and_best_model(tmp_path):
    pytest.importorskip('tensorboard')
    from fastai.callback.tensorboard import TensorBoardCallback
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    learn = learner(learner=dict(path=tmp_path))
    board = TensorBoardCallback(tmp_path/'runs', log_preds=False, trace_model=False, projector=False)
    fit(learn, 2, cbs=[board, CSVLogger(), SaveModelCallback(monitor='feature_matching')])
    events = EventAccumulator(str(tmp_path/'runs')).Reload()
    logged = [e.value for e in events.Scalars('feature_matching')]
    table = [line.split(',') for line in (tmp_path/'history.csv').read_text().splitlines()]
    assert [float(row[table[0].index('feature_matching')]) for row in table[1:]] == pytest.approx(logged, rel=1e-4) and len(logged) == 2
    assert (tmp_path/'models/model.pth').is_file()


def test_one_cycle_reaches_both_networks():
    seen = []
    class Rates(Callback):
        def before_step(self): seen.append([h['lr'] for h in self.opt.hypers])
    fit(learner(), 2, method='fit_one_cycle', lr_max=1e-3, cbs=Rates())
    assert len(seen) == 4 and all(g == d for g, d in seen) and len({g for g, _ in seen}) == 4


class GradientLog(Callback):
    "Keeps the gradients of every step that is taken."
    order = 100
    def __init__(self): self.steps = []
    def before_step(self): self.steps.append([p.grad.clone() for p in self.model.parameters()])


def test_two_accumulated_batches_are_one_of_twice_the_size():
    logs = GradientLog(), GradientLog()
    scenes = toy(2)
    fit(learner(loaders(scenes, bs=1, flip=False)), cbs=[GradientAccumulation(2), logs[0]])
    fit(learner(loaders(scenes, bs=2, flip=False)), cbs=logs[1])
    assert len(logs[0].steps) == len(logs[1].steps) == 1
    largest = max(g.abs().max() for g in logs[1].steps[0])
    for accumulated, whole in zip(logs[0].steps[0], logs[1].steps[0]): assert (accumulated - whole).abs().max() < 1e-5 * largest


def test_a_saved_learner_keeps_both_optimisers(tmp_path):
    learn = fit(learner(learner=dict(path=tmp_path)))
    learn.save('run')
    again = learner(seed=1, learner=dict(path=tmp_path)).load('run')
    for old, new in zip(learn.opt.both, again.opt.both):
        old, new = (o.opt.state_dict()['state'] for o in (old, new))
        assert old.keys() == new.keys() and old
        for k in old:
            for name in ('exp_avg', 'exp_avg_sq', 'step'): assert torch.equal(old[k][name], new[k][name])
    assert not moved(weights(learn.model), weights(again.model))


def test_a_saved_learner_keeps_both_scalers(tmp_path):
    learn = learner(learner=dict(path=tmp_path), precision='fp16')
    learn.create_opt()
    for scale, scaler in zip((64., 256.), learn.opt.scalers): scaler.load_state_dict(scaler.state_dict() | dict(scale=scale))
    fit(learn)
    learn.save('run')
    again = learner(learner=dict(path=tmp_path), precision='fp16').load('run')
    assert [s.state_dict() for s in again.opt.scalers] == [s.state_dict() for s in learn.opt.scalers]
    assert [s.get_scale() for s in again.opt.scalers] == [64., 256.] and is_finite(learn)


@pytest.mark.parametrize('with_opt', [True, False])
def test_a_saved_learner_goes_on_with_its_average_and_its_styles(tmp_path, with_opt):
    options = dict(ema=0.9, feature_channels=2, encoder_width=4, styles_after=20, learner=dict(path=tmp_path))
    learn = fit(learner(**options), 15)
    learn.save('run', with_opt=with_opt)
    again = learner(seed=1, **options).load('run', with_opt=with_opt)
    assert not again.gan_training.history and torch.equal(learn.get_preds()[0], again.get_preds()[0]), 'it has had the steps without styles'
    averaged = weights(again.model.ema_synthesizer)
    step = [abs((b - a).mean().item()) for a, b in zip(weights(again.model.synthesizer), averaged)]
    fit(again)
    left = [abs((b - a).mean().item()) for a, b in zip(weights(again.model.synthesizer), weights(again.model.ema_synthesizer))]
    assert sum(left) > 0.5 * sum(step), 'two steps are no reason to begin the average anew'


def test_adams_means_follow_the_weights(tmp_path, monkeypatch):
    fit(learner(learner=dict(path=tmp_path))).save('run')
    again = learner(learner=dict(path=tmp_path)).load('run') # of a learner for a GPU, whose weights go there as a fit begins
    monkeypatch.setattr(torch.__future__, 'get_swap_module_params_on_conversion', lambda: True) # the parameters stay the same objects, as on a GPU
    again.model.to('meta')
    again.gan_training.before_fit()
    assert {v.device.type for o in again.opt.both for s in o.opt.state.values() for v in s.values()} == {'meta'}


@pytest.mark.parametrize('first', [True, False])
def test_a_batch_that_a_callback_leaves_out_is_not_noted(first):
    class EverySecond(Callback):
        def before_batch(self):
            if self.training and self.iter % 2 == first: raise CancelBatchException
    assert len(fit(learner(loaders(bs=1)), cbs=EverySecond()).gan_training.history) == 2


def test_a_pool_holds_its_own_fakes_and_every_boundary():
    pool, maps = ImagePool(8), torch.zeros(4, 1, 8, 8, dtype=torch.long)
    maps[..., 4:] = 2**32 # ids of 64 bits, which 32 bits take for equal
    maps[2:, :, 4:], maps[3, :, :2] = -1, 2**31 - 1
    older_labels, older, fakes = pool(maps, maps, torch.rand(4, 3, 8, 8))
    assert torch.equal(instance_boundaries(older), instance_boundaries(maps)) and older.dtype == torch.long
    assert torch.equal(older_labels[2:, :, 4:], maps[2:, :, 4:]), 'ids of classes stay what they are'
    pool(maps.float(), maps.int(), fakes)
    assert all(x.untyped_storage().nbytes() == x.nbytes for entry in pool.kept for x in entry)


def test_scaled_gradients_are_not_clipped():
    with pytest.raises(ValueError, match='GradientClip would clip gradients that fp16 has multiplied'):
        fit(learner(precision='fp16'), cbs=GradientClip(1.))
    assert is_finite(fit(learner(precision='bf16'), cbs=GradientClip(1.)))


@pytest.mark.parametrize('method', ['fit', 'fit_one_cycle', 'fit_flat_cos', 'fit_flat_linear'])
@pytest.mark.parametrize('lr', [slice(1e-5, 1e-3), slice(1e-3), '2e-4'], ids=str)
def test_rates_that_are_no_numbers_are_refused(method, lr):
    more = (1, lr) if method == 'fit_flat_linear' else (lr,)
    with pytest.raises(ValueError, match='expected a number for both networks, or two'): fit(learner(), 1, *more, method=method)


# a step that is skipped

@pytest.mark.parametrize('options', [dict(precision='fp16'), dict(activation_checkpointing=True), dict(ema=0.9)], ids=str)
def test_a_skipped_step_leaves_the_statistics_of_batch_norm(options):
    torch.manual_seed(0)
    gan = GAN(*pix2pixhd_networks(5, **TINY, norm='batch', feature_channels=2, encoder_width=4), **options).train()
    opt, training = GANOptimizer(gan.parts(), precision=gan.precision), GANTraining()
    maps, image = torch.randint(0, 5, (1, 1, 32, 32)), torch.rand(1, 3, 32, 32)
    def step(image): return training_step(gan, training, (maps, maps, image), opt)[1].isfinite().all()
    assert step(image) and len(gan.statistics()) > 4
    before = {k: v.clone() for k, v in gan.state_dict().items()}
    assert not step(image * torch.inf)
    after = gan.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items() if not k.endswith('num_batches_tracked'))
    assert step(image) and gan.eval()(maps, maps, image).isfinite().all()
    assert any(not torch.equal(a, before[k]) for k, a in gan.state_dict().items() if k.endswith('running_var')), 'a finite step moves them'


def test_a_model_without_batch_norm_has_nothing_to_keep():
    assert not GAN(*pix2pixhd_networks(5, **TINY, notch=True)).statistics()


def test_the_average_has_a_pace_of_its_own():
    torch.manual_seed(0)
    gan, maps = GAN(*pix2pixhd_networks(5, **TINY), ema=0.9).train(), torch.randint(0, 5, (1, 1, 32, 32))
    before = weights(gan.ema_synthesizer)
    training_step(gan, GANTraining(), (maps, maps, torch.rand(1, 3, 32, 32)), GANOptimizer(gan.parts()))
    for old, average, new in zip(before, weights(gan.ema_synthesizer), weights(gan.synthesizer)):
        torch.testing.assert_close(average, 0.9 * old + 0.1 * new)


# losses

@pytest.mark.parametrize('choice', [dict(pool_size=3), dict(gan='hinge'), dict(gan='vanilla'), dict(feature_weight=0), dict(precision='bf16')], ids=str)
def test_choices_train(choice):
    learn = fit(learner(**choice), 2)
    assert is_finite(learn) and ('feature_matching' in learn.gan_training.history[0]) == (choice != dict(feature_weight=0))
    if 'pool_size' in choice: assert len(learn.gan_training.pool.kept) == 3


def test_perceptual_loss_trains(shared_data):
    path = shared_data/'weights/vgg19_imagenet_to_relu3_4.pth'
    if not path.is_file(): pytest.skip(f'{path} is not there')
    learn = fit(learner(loaders(toy(2)), perceptual=PerceptualLoss(path, layers=3)))
    assert is_finite(learn) and learn.gan_training.history[0]['perceptual'] > 0
    assert not any(p.requires_grad for p in learn.gan_training.perceptual.parameters())


# inputs

def picture(channels, seed=0, size=(32, 64)): return torch.rand(channels, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize('given, made', [(3, 3), (3, 1), (4, 3), (1, 4), (6, 5)])
def test_image_to_image(given, made):
    scenes = Scenes([Scene(picture(given, i), None, picture(made, i + 9), str(i)) for i in range(2)], None)
    learn = fit(learner(loaders(scenes), boundary=False))
    assert is_finite(learn)
    with torch.no_grad(): assert learn.model(picture(given)[None]).shape == (1, made, 32, 64)


@pytest.mark.parametrize('channels', [1, 4])
def test_label_maps_to_grey_or_rgba(channels):
    scenes = Scenes([Scene(s.label_map, s.instance_map, picture(channels, i), str(i)) for i, s in enumerate(toy(2))], LABEL_SPACE)
    assert is_finite(fit(learner(loaders(scenes), feature_channels=2, encoder_width=4)))


def labels(*ids):
    "A label map of vertical stripes."
    return torch.tensor(ids).repeat_interleave(64 // len(ids)).expand(1, 32, -1).contiguous()


def test_ignored_pixels_have_no_channel():
    scenes = Scenes([Scene(labels(0, 1, 2, 255), None, picture(3, i), str(i)) for i in range(2)])
    learn = fit(learner(loaders(scenes)))
    one_hot = learn.model.synthesizer.condition(scenes[0].label_map[None])[:, :SPACE.n_classes]
    assert is_finite(learn) and torch.equal(one_hot.sum(1), (scenes[0].label_map != 255).float())


def test_an_id_outside_is_refused_by_its_file(tmp_path):
    save_scenes([Scene(labels(0, 1, 2, 0), labels(1, 2, 3, 4), picture(3, i), f'scene_{i}') for i in range(3)], tmp_path, SPACE)
    file = tmp_path/'train/label/scene_1.png'
    ids = np.array(Image.open(file))
    ids[:2, :3] = 77
    Image.fromarray(ids).save(file)
    with pytest.raises(ValueError, match=r'scene_1\.png has id 77 \(6 pixels\)'): fit(learner(loaders(open_dataset(tmp_path), bs=1)))


def test_255_without_an_ignore_id_tells_what_to_pass():
    scenes = Scenes([Scene(labels(0, 255), None, picture(3), 'one')] * 2, LabelSpace(['a', 'b', 'c']))
    with pytest.raises(ValueError, match="'one' has id 255 .* pass ignore_id=255"): loaders(scenes)


@pytest.mark.parametrize('make, says', [
    (partial(learner, precision='int8'), 'precision is'),
    (partial(learner, gan='wasserstein'), 'wasserstein'),
    (partial(learner, perceptual='no/such.pth'), 'No VGG19 weights at no/such.pth'),
    (partial(learner, perceptual=True), "perceptual is True, expected 'small'"),
    (partial(learner, width=None), 'width is None, expected a whole number from 1 to 1024: leave it out for 64'),
    (partial(learner, betas=.5), 'betas is 0.5, expected two numbers'),
    (partial(learner, betas=(.5, .9, .99)), 'expected two numbers'),
    (lambda: fit(learner(), 0, 0, method='fit_flat_linear'), 'n_flat and n_decay are 0 and 0, expected whole numbers'),
    (lambda: fit(learner(), 3, -1, method='fit_flat_linear'), 'n_flat and n_decay are 3 and -1'),
])
def test_wrong_arguments_are_refused_in_an_error_message(make, says):
    with pytest.raises((ValueError, FileNotFoundError), match=says) as e: make()
    assert '\n' not in str(e.value)


def test_a_size_too_small_for_the_generator_is_refused():
    with pytest.raises(ValueError, match='multiples of 16'): fit(learner(loaders(toy(2, (32, 40))), n_downsample=4))


def test_scenes_without_a_label_space_are_refused():
    scenes = Scenes([Scene(labels(0, 1), None, picture(3))] * 2, None)
    with pytest.raises(ValueError, match='label_space'): learner(loaders(scenes))


def test_minus_one_as_ignore_id():
    label_map = torch.tensor([[[[0, -1], [1, -1]]]])
    assert one_hot(label_map, 2, ignore_id=-1).sum(1).tolist() == [[[1, 0], [1, 0]]]
    with pytest.raises(ValueError, match='pass ignore_id=-1'): one_hot(label_map, 2)


# styles measured before training

def cached(scenes, by='instance'):
    torch.manual_seed(1)
    encoder_model = pix2pixhd_learner(loaders(scenes), **TINY, feature_channels=5, encoder_width=4).model.synthesizer.eval()
    return encoder_model, measure_features(encoder_model, scenes, by=by)

def test_a_cached_table_generates_as_its_encoder_does():
    scenes = toy()
    model, table = cached(scenes)
    learn = learner(loaders(table.with_styles(scenes)))
    assert learn.model.synthesizer.encoder is None and learn.model.synthesizer.feature_channels == 5
    learn.model.synthesizer.generator.load_state_dict(model.generator.state_dict())
    label_map, instance_map, styles, image = learn.dls.valid.one_batch()
    with torch.no_grad():
        torch.testing.assert_close(learn.model.eval()(label_map, instance_map, features=styles), model(label_map, instance_map, image), atol=1e-5, rtol=0)

def test_cached_styles_follow_crop_and_flip():
    scenes = toy()
    _, table = cached(scenes)
    label_map, instance_map, styles, image = loaders(table.with_styles(scenes), policy='crop', size=(16, 32)).one_batch()
    known = {tuple(v.tolist()) for v in table.vector}
    assert {tuple(v.tolist()) for v in styles.movedim(1, -1).flatten(0, 2)} <= known

def test_cached_styles_train_and_grow():
    scenes = toy()
    _, table = cached(scenes)
    learn = fit(learner(loaders(table.with_styles(scenes))))
    grown = fit(grow_learner(learn, loaders(table.with_styles(scenes), policy='resize', size=(64, 128))))
    assert is_finite(learn) and is_finite(grown) and grown.model.synthesizer.feature_channels == 5

@pytest.mark.parametrize('change, says', [
    (lambda scenes, table: table.with_styles(scenes[:2]), 'rows of 4 scenes but there are 2'),
    (lambda scenes, table: table[table.instance != 1].with_styles(scenes)[0], 'no vector for object 1 of scene'),
    (lambda scenes, table: cached(scenes, by='class')[1].with_styles(scenes)[0], 'measure these scenes with by="instance"')])
def test_a_table_of_other_scenes_is_refused(change, says):
    scenes = toy()
    with pytest.raises(ValueError, match=says): change(scenes, cached(scenes)[1])


# less memory

@pytest.mark.parametrize('options', [dict(), dict(norm='batch'), dict(spectral=True), dict(precision='bf16', channels_last=True)])
def test_computing_blocks_again_changes_no_number(options):
    runs = []
    for activation_checkpointing in (False, True):
        learn = learner(loaders(toy(4)), feature_channels=2, encoder_width=4, activation_checkpointing=activation_checkpointing, **options)
        fit(learn, 1)
        runs.append((learn.gan_training.history, [p.detach() for p in learn.model.parameters()]))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(a, b) for a, b in zip(runs[0][1], runs[1][1]))


# classes that are not there

class Gradients(GANOptimizer):
    "Keeps the gradients of a step and moves nothing."
    def step(self): self.gradients = [p.grad.clone() for ps in self.param_lists for p in ps]

@pytest.mark.parametrize('options', [dict(), dict(n_enhancers=1), dict(spectral=True), dict(activation_checkpointing=True)])
def test_leaving_out_absent_classes_changes_no_gradient(options):
    space, runs = LabelSpace([f'class {i}' for i in range(35)]), []
    for classes in (None, 0): # as it is, and with none left out
        learn = learner(loaders(Scenes(toy(2, (64, 128)), space)), feature_channels=2, encoder_width=4, **options)
        if classes is not None: mark_classes(learn.model, classes)
        gan, training = learn.model, learn.gan_training
        scene = synthetic_scene(0, (64, 128))
        label, instances, real = scene.label_map[None], scene.instance_map[None], scene.image[None]
        left_out = [m for m in gan.modules() if isinstance(m, ConditionConv2d) and m.present(torch.zeros(1, m.in_channels, 1, 1)) is not None]
        assert bool(left_out) == (classes is None)
        opt = Gradients(gan.parts())
        _, losses = training_step(gan, training, (label, instances, real), opt)
        runs.append([losses[-1], *opt.gradients])
    largest = max(b.abs().max() for b in runs[1][1:]) # biases before a norm have gradients of rounding alone
    for a, b in zip(*runs, strict=True): assert (a - b).abs().max() <= 1e-4 * b.abs().max() + 1e-5 * largest


@pytest.mark.parametrize('inside', [nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()), nn.Sequential(nn.Dropout(0.5)), nn.Dropout2d(0.5)], ids=['norm', 'dropout', 'of channels'])
def test_blocks_within_blocks_are_computed_again_alike(inside):
    "Of a generator that is not ours: batch norm counts once, and dropout leaves out the same."
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Conv2d(3, 4, 3), inside), torch.randn(2, 3, 8, 8)
    def passes(net):
        torch.manual_seed(1)
        loss = net(x).square().sum()
        torch.rand(3)
        loss.backward()
        return [p.grad for p in net.parameters()] + [b for b in net.buffers() if b.is_floating_point()]
    for a, b in zip(passes(deepcopy(net)), passes(checkpoint_activations(deepcopy(net))), strict=True): torch.testing.assert_close(a, b)
