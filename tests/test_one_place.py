"One entry in one place: a metric, an alarm, a tool, a layout and a class of the world are each added to one table, and an option to one notebook."
import inspect
import json
import re
import sys
import types
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pixhd_nb.data import toy
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes, synthetic_scene
from pix2pixhd_nb.models.baselines import UNet
from pix2pixhd_nb.models.discriminators import MultiscaleDiscriminator
from pix2pixhd_nb.models.encoder import FeatureEncoder
from pix2pixhd_nb.models.generators import CoarseToFineGenerator, GlobalGenerator
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.baselines import crn_learner, pix2pix_learner
from pix2pixhd_nb.training.coarse_to_fine import fit_coarse_to_fine, grow_learner
from pix2pixhd_nb.training.learner import pix2pixhd_learner, pix2pixhd_networks
from pix2pixhd_nb.training.losses import loss_functions
from pix2pixhd_nb.training.recipes import comments_of, options_of

TINY = dict(width=8, n_downsample=2, n_blocks=1, discriminator_width=8, n_scales=1)


def loaders(size, n=2): return scene_dataloaders(SyntheticScenes(n, size=size), SyntheticScenes(1, size=size, seed=1), bs=2, seed=0)


def test_the_options_of_every_network_and_loss_are_the_learners_with_their_comments():
    shown = set(inspect.signature(pix2pixhd_learner).parameters)
    for f in (GlobalGenerator, CoarseToFineGenerator, FeatureEncoder, MultiscaleDiscriminator, loss_functions):
        wanted = set(options_of(f, but=['in_channels', 'out_channels']))
        assert wanted <= shown and all(comments_of(pix2pixhd_learner)[name] for name in wanted)


def test_the_help_shows_every_option_where_it_acts(capsys):
    from pix2pixhd_nb.commands.main import main
    with pytest.raises(SystemExit): main(['train', '--help'])
    said = capsys.readouterr().out
    losses, networks, model = (said.index(f'options of the {what}:') for what in ('losses', 'networks', 'model'))
    for name in options_of(loss_functions): assert losses < said.index(f"--{name.replace('_', '-')} ", losses) < networks
    for name in options_of(GlobalGenerator, MultiscaleDiscriminator, but=['in_channels', 'out_channels']):
        assert networks < said.rindex(f"\n  --{name.replace('_', '-')} ") < model


def test_options_reach_the_networks_that_have_them():
    synthesizer, discriminator = pix2pixhd_networks(3, feature_channels=2, encoder_width=4, norm='batch', upsampling='resize', notch=True, spectral=True, n_layers=2, **TINY)
    assert synthesizer.generator.config == dict(in_channels=6, out_channels=3, width=8, n_downsample=2, n_blocks=1, norm='batch', upsampling='resize', notch=True)
    assert synthesizer.encoder.config == dict(in_channels=3, out_channels=2, width=4, n_downsample=2, norm='batch')
    assert discriminator.config == dict(in_channels=7, width=8, n_layers=2, n_scales=1, spectral=True)
    two = pix2pixhd_networks(3, n_enhancers=1, n_enhancer_blocks=2, **TINY)[0].generator.config
    assert (two['width'], two['n_enhancers'], two['n_enhancer_blocks'], two['n_blocks']) == (4, 1, 2, 1)


def test_another_generator_gets_the_options_that_it_takes():
    learn = pix2pix_learner(loaders((32, 64)), width=4, n_downsample=3, norm='batch', discriminator_width=4)
    assert learn.model.synthesizer.generator.config['norm'] == 'batch' == learn.options['norm']
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in learn.model.synthesizer.generator.modules())
    assert pix2pixhd_learner(loaders((32, 64)), make_generator=partial(UNet, n_downsample=3), width=8).model.synthesizer.generator.config['width'] == 8

@pytest.mark.parametrize('given', [dict(upsampling='resize'), dict(notch=True), dict(n_blocks=3), dict(n_enhancers=1)], ids=str)
def test_options_that_another_generator_does_not_take_are_refused(given):
    (name, value), = given.items()
    with pytest.raises(ValueError, match=f'{name}={value!r} was asked for, but make_generator'):
        pix2pix_learner(loaders((32, 64)), width=4, n_downsample=3, **given)
    with pytest.raises(ValueError, match='width=8 was asked for'): crn_learner(loaders((32, 64)), l1_weight=1., widths=(4, 4), width=8)

def test_a_recipe_leaves_another_generator_alone():
    learn = pix2pix_learner(loaders((32, 64)), width=4, n_downsample=3, discriminator_width=4, recipe='small', perceptual=None)
    assert not {'upsampling', 'n_blocks', 'width'} & learn.options.keys() and learn.model.config['ema'] == 0.995
    assert learn.options['n_downsample'] == learn.model.synthesizer.encoder.config['n_downsample'] == 3

def test_a_saved_generator_and_another_do_not_go_together(tmp_path):
    Pix2PixHD.from_learner(pix2pixhd_learner(loaders((32, 64)), **TINY)).save(tmp_path)
    with pytest.raises(ValueError, match='make_generator was given, but'): pix2pix_learner(loaders((32, 64)), start=tmp_path)

def test_growing_takes_the_blocks_of_an_enhancer():
    learn = fit_coarse_to_fine([loaders((32, 64)), loaders((64, 128))], 1, 0, n_enhancer_blocks=1, cuda_graph='off', **TINY)
    assert learn.model.synthesizer.generator.config['n_enhancer_blocks'] == 1


def test_a_grown_learner_keeps_every_option():
    given = dict(gan='hinge', feature_weight=3., feature_reduction='sum', pool_size=5, gan_weight=2., l1_weight=1., augmentation='colour',
                 ema=0.9, activation_checkpointing=True, precision='bf16', spectral=True, n_layers=2, norm='batch', upsampling='resize', notch=True, boundary=False)
    small = pix2pixhd_learner(loaders((32, 64)), **given, **TINY)
    large = grow_learner(small, loaders((64, 128)))
    assert large.model.config == small.model.config and large.model.synthesizer.config == small.model.synthesizer.config
    assert large.gan_training.config == small.gan_training.config and large.options == small.options
    assert large.model.config['ema'] == 0.9 and large.gan_training.config['pool_size'] == 5
    for a, b, others in ((small.model.discriminator, large.model.discriminator, {'n_scales'}), (small.model.synthesizer.generator, large.model.synthesizer.generator, {'width'})):
        assert all(b.config[k] == v for k, v in a.config.items() if k not in others)


def test_discriminators_in_16_bits_go_on(tmp_path):
    "Half the file, the same weights but for rounding, and they are 32 bits again in the training that takes them over."
    learn = pix2pixhd_learner(loaders((32, 64)), **TINY)
    for half in (False, True): Pix2PixHD.from_learner(learn, with_discriminators=True).save(tmp_path / str(half), half=half)
    whole, half = (next((tmp_path / str(h)).glob('discriminator-*')).stat().st_size for h in (False, True))
    assert half < 0.7 * whole
    again = pix2pixhd_learner(loaders((32, 64)), start=tmp_path / 'True')
    then, now = (x.model.discriminator.state_dict() for x in (learn, again))
    for k, v in then.items(): assert now[k].dtype == v.dtype and torch.allclose(now[k], v, atol=1e-3)


def test_discriminators_saved_before_an_option_was_there_go_on(tmp_path):
    learn = pix2pixhd_learner(loaders((32, 64)), **TINY)
    Pix2PixHD.from_learner(learn, with_discriminators=True).save(tmp_path)
    path = tmp_path / 'pipeline.json'
    described = json.loads(path.read_text())
    del described['discriminator']['config']['spectral'], described['generator']['upsampling'] # options of a later day
    path.write_text(json.dumps(described))
    again = pix2pixhd_learner(loaders((32, 64)), start=tmp_path)
    for part in ('synthesizer', 'discriminator'):
        then, now = (getattr(x.model, part).state_dict() for x in (learn, again))
        assert all(torch.equal(now[k], v.to(now[k])) for k, v in then.items())
    assert again.options['spectral'] is False
    other = pix2pixhd_learner(loaders((32, 64)), start=tmp_path, spectral=True)
    assert other.model.discriminator.config['spectral']
    with pytest.raises(ValueError, match="upsampling='resize' was asked for"): pix2pixhd_learner(loaders((32, 64)), start=tmp_path, upsampling='resize')


def test_a_metric_is_measured_and_shown(monkeypatch):
    from pix2pixhd_nb.evaluation.report import METRICS, Metric, figures_text, grade, notes_of
    from pix2pixhd_nb.evaluation.scores import Segmenter
    def brightness(images): return torch.stack([x.mean() for x in images]).mean().item()
    light = Metric(lambda g: dict(generated=brightness(g.pictures), real=brightness(g.photos)), rows=lambda f: [('brightness', f['generated'], f['real'], 0.5)],
                   lines=lambda f: ['measured by hand'], notes=lambda f: ['light is not all'])
    monkeypatch.setitem(METRICS, 'light', light)
    monkeypatch.setitem(METRICS, 'never', Metric(lambda g: None, lines=lambda f: ['not shown']))
    scenes = SyntheticScenes(1, size=(32, 64))
    torch.manual_seed(0)
    figures = grade([scenes[0].image * 0], scenes, Segmenter(9).eval())
    assert figures['light'] == dict(generated=0., real=pytest.approx(scenes[0].image.mean().item())) and 'never' not in figures
    text = figures_text(figures)
    assert any(line.startswith('brightness') and line.split()[1] == '0.000' for line in text.splitlines())
    assert 'measured by hand' in text and 'Note: light is not all' in text and 'not shown' not in text
    assert notes_of(figures)[-1] == 'light is not all'


def test_an_alarm_of_ones_own_is_asked_at_its_moment(monkeypatch, capsys):
    from pix2pixhd_nb.training.monitor import ALARMS, GANMonitor
    def too_long(history, window=100, **terms): return f'{len(history)} of {window} batches, {terms["kind"]}' if len(history) == 2 else None
    def dull(generated, real): return f'{len(generated)} dull images' if generated[0].shape == real[0].shape else None
    def unseen(history, held_out, **terms): return f'held out after {list(held_out)}'
    for moment, rule in (('window', too_long), ('preview', dull), ('epoch', unseen)): monkeypatch.setitem(ALARMS, moment, [rule])
    learn = pix2pixhd_learner(loaders((32, 64), 4), cbs=GANMonitor(live=False, window=4), **TINY)
    with learn.no_bar(), learn.no_logging(): learn.fit(1)
    assert [(a.cause, a.message, a.batch) for a in learn.gan_monitor.alarms] == [
        ('too_long', '2 of 4 batches, lsgan', 1), ('unseen', 'held out after [2]', 1), ('dull', '1 dull images', 1)]
    assert 'Alarm at batch 1: 1 dull images' in capsys.readouterr().out


def test_a_tool_of_the_studio_has_a_button_and_acts(monkeypatch):
    from pix2pixhd_nb.apps.base import Tool
    from pix2pixhd_nb.apps.studio import TOOLS, SceneStudio
    throw = Tool('Throw', 't', 'Drag from an object to nowhere', drag=lambda studio, start, end: studio.remove(studio.editor.at(*start)), classes=lambda studio: [2, 3])
    monkeypatch.setitem(TOOLS, 'throw', throw)
    torch.manual_seed(0)
    studio = SceneStudio(Pix2PixHD(pix2pixhd_networks(9, **TINY)[0], LABEL_SPACE), synthetic_scene(3, (32, 64)))
    assert studio.about['tools'][-1] == dict(name='throw', word='Throw', key='t', tip='Drag from an object to nowhere', icon='throw', gestures=['drag'], classes=[2, 3])
    studio.take('throw')
    studio.take(cls='road')
    assert studio.tool == 'throw', 'a tool that takes a class stays in the hand'
    def use(gesture, *points): studio._handle_custom_msg(dict(do='use', tool=studio.tool, gesture=gesture, points=[list(p) for p in points]), [])
    thing = next(i for i in studio.editor.objects if i >= 1000)
    rows, cols, mask = studio.editor.mask_of(thing)
    y, x = (np.argwhere(mask)[0] + (rows.start, cols.start)).tolist()
    use('drag', (x, y), (0, 0))
    assert thing not in studio.editor.objects and studio.editor.done[-1].name == 'remove'
    use('click', (x, y))
    assert studio.refused and 'throw knows no gesture' in studio.message
    studio.undo()
    assert thing in studio.editor.objects


def test_a_layout_is_recognised_examined_and_read(monkeypatch, tmp_path):
    from pix2pixhd_nb.core import LabelSpace
    from pix2pixhd_nb.data import layouts
    from pix2pixhd_nb.data.doctor import examine
    class Atlas(layouts.SceneFolder):
        layout = 'maps beside views (Atlas)'
        recognises = staticmethod(lambda folder: (Path(folder) / 'maps').is_dir())
        splits = staticmethod(lambda folder: ['train'])
        find = staticmethod(lambda folder, split: dict(label=layouts.pictures_in(folder / 'maps'), inst={}, image=layouts.pictures_in(folder / 'views')))
        default_space = staticmethod(lambda folder: LabelSpace(['sea', 'land']))
    with pytest.raises(Exception, match='none of the known layouts') as refused: layouts.recognise(tmp_path)
    monkeypatch.setattr(layouts, 'LAYOUTS', [Atlas, *layouts.LAYOUTS])
    with pytest.raises(Exception, match='maps beside views'): layouts.recognise(tmp_path)
    assert 'Atlas' not in str(refused.value)
    for kind, mode in (('maps', 'L'), ('views', 'RGB')):
        (tmp_path / kind).mkdir()
        for k in range(3): Image.new(mode, (64, 32), 1 if mode == 'L' else (9, 99, 200)).save(tmp_path / kind / f'{k}.png')
    scenes = layouts.open_dataset(tmp_path)
    assert type(scenes) is Atlas and len(scenes) == 3 and scenes[0].label_map.unique().tolist() == [1]
    report = examine(tmp_path)
    assert report.reader is Atlas and not report.verdict.startswith('Not fit')


def with_class(entry):
    "The synthetic world with one more entry in its table of classes."
    text = Path(toy.__file__).read_text()
    table_end = re.compile(r'\n}\n(?=\s*(?:# %%.*\n)?LABEL_SPACE)')
    assert len(table_end.findall(text)) == 1
    world = types.ModuleType('pix2pixhd_nb.data.a_wider_world')
    world.__package__ = 'pix2pixhd_nb.data'
    sys.modules[world.__name__] = world
    exec(compile(table_end.sub(lambda _: f'\n{entry}\n}}\n', text), 'a_wider_world', 'exec'), world.__dict__)
    return world


def test_a_class_of_the_world_is_one_entry_and_leaves_the_others_as_they_were():
    world = with_class("""'ball': Kind((9, 99, 9), {'red': (200, 0, 0)}, thing=True, shadow=(0.5, 0.5, 0), place=lambda rng, put, w: put('ball', 1., 7.),
        paint=lambda canvas, t: _stamp(canvas, t, [(_DISC * (1., 1., 0) + (t.x, 1., t.z), STYLES['ball'][t.style])])),""")
    assert world.LABEL_SPACE.names == (*LABEL_SPACE.names, 'ball') and world.LABEL_SPACE.things[-1] and world.STYLES['ball'] == {'red': (200, 0, 0)}
    for seed in range(3):
        old, new = synthetic_scene(seed, (64, 128)), world.synthetic_scene(seed, (64, 128))
        ball = new.label_map == 9
        assert ball.sum() > 50 and new.instance_map[ball].unique().tolist() == [9000] and new.true_styles[9000] == 'red'
        assert torch.equal(old.label_map[~ball], new.label_map[~ball]) and torch.equal(old.instance_map[~ball], new.instance_map[~ball])
        moved = (old.image - new.image).abs().amax(0, keepdim=True) > 0
        assert moved[ball].any() and moved.float().mean() < 0.5, 'only the ball and its shadow are new'
        assert new.image[:, ball[0]].mean(1)[0] > new.image[:, ball[0]].mean(1)[1:].max() + 0.5, 'it is red'


def test_a_stuff_class_that_is_placed_in_the_street_has_one_id():
    world = with_class("""'puddle': Kind((9, 9, 99), {'grey': (90, 90, 120)}, place=lambda rng, put, w: [put('puddle', x, 8.) for x in (-1., 1.)],
        paint=lambda canvas, t: _stamp(canvas, t, [([(t.x - 1, 0, 7), (t.x + 1, 0, 7), (t.x + 1, 0, 9), (t.x - 1, 0, 9)], STYLES['puddle'][t.style])])),""")
    scene = world.synthetic_scene(0, (64, 128))
    assert scene.instance_map[scene.label_map == 9].unique().tolist() == [9] and (scene.label_map == 9).sum() > 20

def test_a_start_that_does_not_fit_the_scenes_is_said_at_once(tmp_path):
    scenes, options = SyntheticScenes(2, size=(32, 64)), dict(width=4, n_downsample=2, n_blocks=1, discriminator_width=4, n_scales=2)
    def loaders(**parts):
        given = ScenesInMemory([replace(s, **{k: f(s) for k, f in parts.items()}) for s in scenes], scenes.label_space)
        return scene_dataloaders(given, given, bs=1, seed=0, device='cpu')
    grey, styled = loaders(image=lambda s: s.image[:1]), loaders(styles=lambda s: {i: torch.zeros(2) for i in s.instance_map.unique().tolist()})
    for n in (0, 3):
        Pix2PixHD.from_learner(pix2pixhd_learner(loaders(), feature_channels=n, **options), with_discriminators=True).save(tmp_path / f'{n}')
        with pytest.raises(ValueError, match='makes images of 3 channels, but those of the scenes have 1'): pix2pixhd_learner(grey, start=tmp_path / f'{n}')
        with pytest.raises(ValueError, match=f'generates from styles of {n} numbers, but those of the scenes have 2'): pix2pixhd_learner(styled, start=tmp_path / f'{n}')
