"Options have one home: recipes, signatures, the command line and a grown learner all show the same ones."
import inspect
import json

import pytest
import torch

from pix2pixhd_nb.commands.main import build_parser, main
from pix2pixhd_nb.commands.training import epochs_of, train
from pix2pixhd_nb.data.layouts import save_scenes
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training import cost
from pix2pixhd_nb.training.coarse_to_fine import fit_coarse_to_fine, grow_learner
from pix2pixhd_nb.training.learner import pix2pixhd_learner, pix2pixhd_networks
from pix2pixhd_nb.training.recipes import RECIPES, comments_of, options_of
from pix2pixhd_nb.training.step import GAN, objective

TINY = dict(width=8, n_downsample=2, n_blocks=1, feature_channels=3, encoder_width=4, discriminator_width=8, n_scales=2)
ARGUMENTS = '--width 8 --n-downsample 2 --n-blocks 1 --encoder-width 4 --discriminator-width 8'.split()


def loaders(size, n=4, bs=2): return scene_dataloaders(SyntheticScenes(n, size=size), SyntheticScenes(2, size=size, seed=1), bs=bs, seed=0)


@pytest.fixture(scope='module')
def streets(tmp_path_factory):
    folder = tmp_path_factory.mktemp('streets')
    for split, n, seed in (('train', 4, 0), ('test', 2, 1)):
        scenes = SyntheticScenes(n, size=(32, 64), seed=seed)
        save_scenes(scenes, folder, scenes.label_space, split)
    return folder


def test_every_option_is_shown_by_the_learner_and_by_growing():
    shown = set(inspect.signature(pix2pixhd_learner).parameters)
    for f in (objective, pix2pixhd_networks, GAN): assert set(options_of(f, but=['image_channels', 'ignore_id'])) <= shown
    assert shown - {'dls'} <= set(inspect.signature(fit_coarse_to_fine).parameters) | {'lr'}


def test_every_option_is_an_argument_of_the_command_with_a_comment(capsys):
    with pytest.raises(SystemExit): main(['train', '--help'])
    said = capsys.readouterr().out
    wanted = options_of(objective, pix2pixhd_networks, GAN, but=['image_channels', 'ignore_id', 'make_generator', 'n_enhancers', 'n_enhancer_blocks'])
    for name in wanted:
        assert f"--{name.replace('_', '-')}" in said
        assert comments_of(train)[name], f'{name} has no comment'
    assert 'For example' in said and '--config' in said


def test_what_is_given_by_hand_wins_over_the_recipe():
    learn = pix2pixhd_learner(loaders((32, 64)), recipe='small', width=8, discriminator_width=8, n_blocks=1, gan_weight=3.)
    assert learn.gan_training.gan_weight == 3. and learn.gan_training.perceptual is not None
    assert learn.model.synthesizer.generator.config['norm'] == 'batch' and learn.model.synthesizer.generator.config['width'] == 8
    assert learn.options['recipe'] == 'small' and learn.options['ema'] == RECIPES['small']['ema']


@pytest.mark.parametrize('fastest', ['bf16', 'fp32'])
def test_the_recipes_for_small_data_take_the_fastest_precision(monkeypatch, fastest, streets, tmp_path):
    from pix2pixhd_nb.commands import training
    from pix2pixhd_nb.training import learner
    for module in (learner, training): monkeypatch.setattr(module, 'fastest_precision', lambda device: fastest)
    few = dict(width=8, discriminator_width=8, n_blocks=1)
    learn = pix2pixhd_learner(loaders((32, 64)), recipe='photos', **few)
    assert learn.model.precision == fastest and learn.options['precision'] == 'auto' # what goes on from here on another machine chooses anew
    assert pix2pixhd_learner(loaders((32, 64)), recipe='photos', precision='fp16', **few).model.precision == 'fp16'
    assert pix2pixhd_learner(loaders((32, 64)), **few).model.precision == 'fp32' # the paper's
    out = tmp_path/'model'
    assert main(['train', str(streets), str(out), '--recipe', 'small', '--steps', '4', '--no-keep-best', *ARGUMENTS]) == 0
    assert json.loads((out/'pipeline.json').read_text())['training']['options']['precision'] == 'auto'
    assert pix2pixhd_learner(loaders((32, 64)), start=out).model.precision == fastest
    assert main(['plan', '--size', '64x32', '--precision', 'auto', '--classes', '8', '--width', '8', '--n-downsample', '2', '--n-blocks', '1']) == 0


def test_a_misspelt_option_is_named():
    with pytest.raises(TypeError, match="pix2pixhd_learner has no option 'widht': did you mean 'width'?"): pix2pixhd_learner(loaders((32, 64)), widht=8)
    with pytest.raises(ValueError, match="recipe is 'large', expected one of 'paper', 'small'"): pix2pixhd_learner(loaders((32, 64)), recipe='large')


def test_growing_adds_a_discriminator_at_the_finest_scale_and_keeps_the_others():
    small = pix2pixhd_learner(loaders((32, 64)), **TINY)
    large = grow_learner(small, loaders((64, 128)))
    old, new = small.model.discriminator.scales, large.model.discriminator.scales
    assert len(old) == 2 and len(new) == 3
    assert all(a is b for a, b in zip(old, new[1:])), 'those of the smaller sizes go on as they are'
    held = {id(p) for group in large.model.parts() for p in group}
    assert {id(p) for p in new.parameters()} <= held
    with large.no_bar(), large.no_logging(): large.fit(1)
    assert len(grow_learner(small, loaders((64, 128)), add_discriminator=False).model.discriminator.scales) == 2


@pytest.mark.parametrize('frozen, moving', [({}, {'encoder', 'coarser'}), (dict(encoder=True), {'coarser'}), (dict(encoder=True, discriminators=True), set())])
def test_what_else_is_frozen_with_the_coarse_part(frozen, moving):
    learn = grow_learner(pix2pixhd_learner(loaders((32, 64)), **TINY), loaders((64, 128)))
    learn.freeze_coarse(**frozen)
    parts = dict(encoder=learn.model.synthesizer.encoder, coarser=learn.model.discriminator.scales[1:])
    assert {k for k, m in parts.items() if all(p.requires_grad for p in m.parameters())} == moving
    assert not any(p.requires_grad for p in learn.model.synthesizer.generator.coarse_parameters())
    assert all(p.requires_grad for p in learn.model.discriminator.scales[0].parameters())
    learn.unfreeze_coarse()
    assert all(p.requires_grad for p in learn.model.parameters() if not any(p is q for q in learn.model.ema_synthesizer.parameters())) if learn.model.ema_synthesizer else all(p.requires_grad for p in learn.model.parameters())


def test_a_run_is_repeated_from_its_file_and_its_model_knows_its_size(streets, tmp_path):
    first, second = tmp_path / 'first', tmp_path / 'second'
    assert main(['train', str(streets), str(first), '--recipe', 'small', '--steps', '4', '--seed', '3', *ARGUMENTS]) == 0
    asked = json.loads((first / 'train.json').read_text())
    assert asked['recipe'] == 'small' and asked['steps'] == 4 and 'resume' not in asked
    assert main(['train', str(streets), str(second), '--config', str(first / 'train.json')]) == 0
    a, b = (Pix2PixHD.load(m) for m in (first, second))
    assert all(torch.equal(x, y) for x, y in zip(a.synthesizer.state_dict().values(), b.synthesizer.state_dict().values()))
    assert a.size == (32, 64) and a.training['options']['norm'] == 'batch' and a.training['steps'] == 4


def test_a_model_generates_at_the_size_it_was_trained_at(streets, tmp_path, capsys):
    model = tmp_path / 'model'
    assert main(['train', str(streets), str(model), '--recipe', 'small', '--steps', '2', '--size', '32x32', *ARGUMENTS]) == 0
    assert main(['synthesize', str(model), str(streets), str(tmp_path / 'own')]) == 0
    assert 'The scenes are 64x32; by the policy resize, all are brought to 32x32, which changes the proportions of 2 of them' in capsys.readouterr().out
    assert main(['synthesize', str(model), str(streets), str(tmp_path / 'asked'), '--size', '64x32']) == 0
    from PIL import Image
    sizes = [{Image.open(p).size for p in (tmp_path / name).rglob('*.png')} for name in ('own', 'asked')]
    assert sizes == [{(32, 32)}, {(64, 32)}]


@pytest.mark.parametrize('text, said', [(None, 'is not there'), ('{', 'is not JSON'), ('[1]', 'holds a list')])
def test_a_file_of_options_that_is_none(streets, tmp_path, capsys, text, said):
    if text: (tmp_path / 'train.json').write_text(text)
    assert main(['train', str(streets), str(tmp_path / 'm'), '--config', str(tmp_path / 'train.json')]) == 2
    assert said in capsys.readouterr().err


def test_steps_become_whole_epochs():
    assert epochs_of(1500, 200) == (4, 4) and epochs_of(3, 200) == (1, 1) and epochs_of(1000, 200) == (2, 3)


def test_the_parser_knows_every_command():
    assert set(build_parser().parse_args(['doctor', 'folder'])._get_kwargs()) >= {('folder', 'folder')}


def test_a_grown_run_of_the_first_release_goes_on_with_as_many_discriminators():
    from pix2pixhd_nb.commands.training import adds_discriminators
    learn = pix2pixhd_learner(loaders((32, 64)), **TINY)
    state = lambda stage, n: dict(stage=stage, model={f'discriminator.scales.{k}.layers.0.0.weight': 0 for k in range(n)})
    assert adds_discriminators(learn, None) and adds_discriminators(learn, state(0, 2)) and adds_discriminators(learn, state(2, 3))
    assert not adds_discriminators(learn, state(2, 2))


def test_a_plan_counts_the_perceptual_loss(capsys, monkeypatch):
    monkeypatch.setattr(cost, 'step_seconds', lambda *args, **options: (1., 1.)) # it is operations that are compared here
    asked = ['plan', '--size', '64x64', '--width', '8', '--n-downsample', '2', '--n-blocks', '1', '--discriminator-width', '8', '--memory', '8']
    said = []
    for extra in ([], ['--perceptual']):
        assert main([*asked, *extra]) == 0
        said.append(capsys.readouterr().out)
    flops = [float(s.split(' TFLOP')[0].split()[-1]) for s in said]
    assert flops[1] > flops[0]


@pytest.mark.parametrize('enhancers', [0, 1])
def test_a_plan_is_of_the_networks_that_are_trained(streets, capsys, monkeypatch, enhancers):
    from pix2pixhd_nb.commands import training
    from pix2pixhd_nb.data.layouts import open_dataset
    planned = {}
    def stop(*args, **networks): raise ValueError(planned.update(networks) or 'planned')
    monkeypatch.setattr(training, 'training_options', stop)
    assert main(['plan', '--size', '64x32', '--enhancers', str(enhancers)]) == 2 and 'planned' in capsys.readouterr().err
    _, trained = training.networks_for(open_dataset(streets, 'train'), enhancers, {})
    assert planned == {k: trained[k] for k in planned} and {'feature_channels', 'n_scales', 'n_enhancers'} <= planned.keys()


def test_a_recipe_brings_its_learning_rate(tmp_path):
    tiny = dict(width=8, encoder_width=4, discriminator_width=8, n_blocks=1)
    learn = pix2pixhd_learner(loaders((32, 64)), recipe='photos', **tiny)
    assert learn.lr == 5e-4 and learn.gan_training.gan_weight == 1 and 'lr' not in learn.options
    assert pix2pixhd_learner(loaders((32, 64)), recipe='photos', lr=1e-3, **tiny).lr == 1e-3
    assert pix2pixhd_learner(loaders((32, 64)), recipe='small', **tiny).lr == pix2pixhd_learner(loaders((32, 64)), **tiny).lr == 2e-4
    Pix2PixHD.from_learner(learn).save(tmp_path)
    assert pix2pixhd_learner(loaders((32, 64)), start=tmp_path).lr == 2e-4, 'what is learned already wants small steps'
    assert pix2pixhd_learner(loaders((32, 64)), start=tmp_path, recipe='photos').lr == 5e-4


def test_a_recipe_is_planned_as_it_is_trained(streets, capsys, monkeypatch):
    from pix2pixhd_nb.commands import training
    from pix2pixhd_nb.data.layouts import open_dataset
    planned = {}
    def stop(size, batch, *args, **networks): raise ValueError(planned.update(networks, batch=batch) or 'planned')
    monkeypatch.setattr(training, 'training_options', stop)
    assert main(['plan', '--size', '64x32', '--recipe', 'photos', '--n-blocks', '2', '--upsampling', 'bilinear']) == 2
    assert 'planned' in capsys.readouterr().err
    _, trained = training.networks_for(open_dataset(streets, 'train'), 0, dict(recipe='photos', n_blocks=2, upsampling='bilinear'))
    assert planned.pop('batch') == 2 and planned['norm'] == 'batch' and planned['n_blocks'] == 2
    assert planned == {k: trained[k] for k in planned}


def test_a_plan_counts_the_ema(capsys, monkeypatch):
    monkeypatch.setattr(cost, 'step_seconds', lambda *args, **options: (1., 1.))
    asked, sizes = ['plan', '--size', '64x64', '--n-downsample', '2', '--memory', '60'], []
    for extra in ([], ['--ema', '0.999']):
        assert main([*asked, '--width', '256', *extra]) == 0
        sizes.append(float(capsys.readouterr().out.split('fp32 ')[1].split(' GB')[0]))
    assert sizes[1] > sizes[0]


def test_a_step_is_timed_by_the_fastest_of_some(monkeypatch):
    "A busy machine only makes a step slower."
    now, waits = [0.], iter([3., .9, .5, .8, .6, 9.])
    def step(gan, training, opt, size, bs):
        now[0] += next(waits)
        opt.began = now[0]
        now[0] += .1
    monkeypatch.setattr(cost, 'perf_counter', lambda: now[0])
    monkeypatch.setattr(cost, '_step', step)
    few = dict(width=4, n_downsample=2, n_blocks=1, n_scales=1, discriminator_width=4)
    assert cost.step_seconds((32, 32), **few) == pytest.approx((.5, .1))
    waits = iter([7., 1.])
    assert cost.step_seconds((32, 32), **few) == pytest.approx((7., .1)) # no second of a slow one
