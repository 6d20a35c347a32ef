"What the commands do beyond training once: start from a model, hold scenes out, keep the best epoch, styles, edits, help."
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pixhd_nb.commands.main import COMMANDS, as_notes, build_parser, command_of, main
from pix2pixhd_nb.core import LabelSpace, Scene
from pix2pixhd_nb.data.layouts import open_dataset, save_scenes
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.editing.editor import SceneEditor
from pix2pixhd_nb.models.saved import condition_layers
from pix2pixhd_nb.synthesis import pipeline
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.learner import pix2pixhd_learner
from pix2pixhd_nb.training.monitor import plot_history

SIZE = 32, 64
TINY = dict(width=8, n_downsample=2, n_blocks=1, feature_channels=3, encoder_width=4, discriminator_width=8, n_scales=2)
ARGUMENTS = [a for k, v in TINY.items() for a in ('--' + k.replace('_', '-'), str(v))]


def dataset(folder, **splits):
    for split, (n, seed) in splits.items():
        scenes = SyntheticScenes(n, size=SIZE, seed=seed)
        save_scenes(scenes, folder, scenes.label_space, split)
    return folder


@pytest.fixture(scope='module')
def streets(tmp_path_factory): return dataset(tmp_path_factory.mktemp('streets'), train=(4, 0), val=(2, 1), test=(2, 2))

@pytest.fixture(scope='module')
def model(streets, tmp_path_factory):
    "Trained for two epochs with an encoder, its discriminators beside it."
    folder = tmp_path_factory.mktemp('model') / 'model'
    assert main(['train', str(streets), str(folder), '--steps', '4', '--batch', '2', '--with-discriminators', *ARGUMENTS]) == 0
    return folder

def loaders(names=None):
    scenes = ScenesInMemory(SyntheticScenes(4, size=SIZE))
    if names: scenes.label_space = LabelSpace(names)
    return scene_dataloaders(scenes, scenes, bs=2, seed=0)


# start

def test_the_same_classes_take_everything(model, capsys):
    learn = pix2pixhd_learner(loaders(), start=model)
    saved = Pix2PixHD.load(model).synthesizer.state_dict()
    assert all(torch.equal(v, saved[k]) for k, v in learn.model.synthesizer.state_dict().items())
    said = capsys.readouterr().out
    assert 'generator, encoder and discriminators are taken.' in said and 'anew' not in said
    from safetensors.torch import load_file
    saved = load_file(next(model.glob('discriminator-*')))
    assert all(torch.equal(v, saved[k]) for k, v in learn.model.discriminator.state_dict().items())


def test_other_classes_keep_the_trunk(model, capsys):
    old = Pix2PixHD.load(model)
    names = [*reversed(old.label_space.names), 'window', 'door']
    learn = pix2pixhd_learner(loaders(names), start=model)
    said = capsys.readouterr().out
    assert '2 classes that it does not know (window, door)' in said
    before, after = old.synthesizer.generator.state_dict(), learn.model.synthesizer.generator.state_dict()
    layers, n = condition_layers(old.synthesizer.generator), old.label_space.n_classes
    assert layers and all(torch.equal(v, before[k]) for k, v in after.items() if k not in layers)
    for k in layers:
        assert torch.equal(after[k][:, :n], before[k][:, :n].flip(1)), 'a class keeps its channel, wherever it stands now'
        assert torch.equal(after[k][:, n + 2:], before[k][:, n:]), 'boundary and styles'
    with learn.no_bar(), learn.no_logging(): learn.fit(1)


def test_a_started_training_keeps_recipe_and_networks(streets, tmp_path, capsys):
    first, second = tmp_path / 'first', tmp_path / 'second'
    assert main(['train', str(streets), str(first), '--recipe', 'small', '--steps', '4', '--no-keep-best', *ARGUMENTS]) == 0
    assert main(['train', str(streets), str(second), '--start', str(first), '--steps', '4', '--no-keep-best', '--enhancers', '1']) == 0
    said = capsys.readouterr().out
    assert 'the discriminators start anew, since none were saved' in said
    d = Pix2PixHD.load(second)
    assert d.training['options']['recipe'] == 'small' and d.training['options']['gan_weight'] == 2. and d.training['options']['start'] == str(first)
    assert d.synthesizer.generator.config['n_enhancers'] == 1 and d.synthesizer.generator.config['width'] == TINY['width'] // 2
    assert main(['train', str(streets), str(tmp_path / 'third'), '--start', str(first), '--width', '16']) == 2
    assert 'width=16 was asked for' in capsys.readouterr().err
    assert main(['train', str(streets), str(tmp_path / 'fourth'), '--start', str(tmp_path)]) == 2


# held-out scenes and the best epoch

def trained(streets, out, *more, steps='4'):
    return main(['train', str(streets), str(out), '--steps', steps, '--batch', '2', *ARGUMENTS, *more])


def test_a_val_split_is_used_by_itself_and_a_share_where_it_is_asked_for(streets, tmp_path, capsys):
    for more, said in (([], '2 scenes of val are held out'), (['--valid', 'test'], '2 scenes of test are held out'), (['--valid', '0.5'], 'The last 2 of 4 scenes of train are held out'),
                       (['--valid', '0'], 'No scene is held out')):
        assert trained(streets, tmp_path / f'm{len(said)}', '--no-keep-best', *more) == 0
        assert said in capsys.readouterr().out
    for wrong, said in (('1.5', 'from 0 to below 1'), ('train', 'the split to train on')):
        assert trained(streets, tmp_path / 'wrong', '--valid', wrong) == 2
        assert said in capsys.readouterr().err


def test_one_pair_is_trained_in_the_shell(tmp_path, capsys):
    one = dataset(tmp_path / 'one', train=(1, 0))
    assert main(['train', str(one), str(tmp_path / 'm'), '--steps', '2', *ARGUMENTS]) == 2
    assert '--valid 0' in capsys.readouterr().err
    assert main(['train', str(one), str(tmp_path / 'm'), '--steps', '2', '--valid', '0', *ARGUMENTS]) == 0


def test_the_best_epoch_is_saved_and_not_the_last(streets, tmp_path, monkeypatch, capsys):
    from pix2pixhd_nb.commands import training
    scores = iter([0.2, 0.7, 0.4, 0.3])
    class Scripted(training.GeneratedScore):
        value = property(lambda self: next(self.script) if torch.is_tensor(self.confusion) else None)
        script = scores
    monkeypatch.setattr(training, 'GeneratedScore', Scripted)
    assert trained(streets, tmp_path / 'm', '--keep', '9', steps='8') == 0
    assert 'Epoch 2 is saved, the best one: mean IoU 0.700' in capsys.readouterr().out
    from pix2pixhd_nb.training.checkpoints import checkpoints_in, read_checkpoint
    states = {s['epoch']: s['model'] for s in map(read_checkpoint, checkpoints_in(tmp_path / 'm/checkpoints'))}
    saved = Pix2PixHD.load(tmp_path / 'm').synthesizer.state_dict()
    same = lambda state: all(torch.equal(v, state[f'synthesizer.{k}']) for k, v in saved.items())
    assert same(states[2]) and not same(states[4])


def test_a_resumed_run_keeps_the_same_best(streets, tmp_path, capsys):
    from pix2pixhd_nb.training.checkpoints import checkpoints_in
    out = tmp_path / 'm'
    assert trained(streets, out, '--keep', '9', steps='8') == 0
    said = capsys.readouterr().out.splitlines()[-2:]
    before = Pix2PixHD.load(out).synthesizer.state_dict()
    for path in checkpoints_in(out / 'checkpoints')[:2]: path.unlink()
    assert trained(streets, out, '--keep', '9', steps='8') == 2 and 'has checkpoints of an earlier run' in capsys.readouterr().err
    assert trained(streets, out, '--keep', '9', '--resume', steps='8') == 0
    assert capsys.readouterr().out.splitlines()[-2:] == said
    assert all(torch.equal(v, before[k]) for k, v in Pix2PixHD.load(out).synthesizer.state_dict().items())


def test_the_last_epoch_is_saved_where_that_is_asked_for(streets, tmp_path):
    assert trained(streets, tmp_path / 'm', '--no-keep-best') == 0
    assert not (tmp_path / 'm/segmenter.safetensors').exists() and not (tmp_path / 'm/checkpoints/best.json').exists()


def test_each_stage_has_its_previews(streets, tmp_path):
    assert trained(streets, tmp_path / 'm', '--enhancers', '1', '--frozen', '1', '--no-keep-best') == 0
    for stage in ('stage1', 'stage2', 'stage3'): assert {'losses.png', 'previews.png', 'epoch_0001.png'} <= {p.name for p in (tmp_path / 'm/previews' / stage).iterdir()}


def test_styles_are_measured_before_the_model_leaves_its_device(monkeypatch):
    learn, moved, seen = pix2pixhd_learner(loaders(), **TINY), [], []
    measure, cpu = pipeline.measure_features, torch.nn.Module.cpu
    monkeypatch.setattr(torch.nn.Module, 'cpu', lambda self: (moved.append(type(self).__name__), cpu(self))[1])
    monkeypatch.setattr(pipeline, 'measure_features', lambda *a: (seen.append(list(moved)), measure(*a))[1])
    Pix2PixHD.from_learner(learn)
    assert seen == [[]] and 'Synthesizer' in moved


# scenes of several shapes

def test_scenes_of_several_shapes_are_named(streets, model, tmp_path, capsys):
    mixed = dataset(tmp_path / 'mixed', train=(3, 0), val=(2, 1))
    for kind in ('label', 'inst', 'image'):
        path = sorted((mixed / 'train' / kind).iterdir())[-1]
        with Image.open(path) as p: p.resize((32, 32), Image.NEAREST).save(path)
    said = 'The scenes have 2 shapes: 64x32 (2), 32x32 (1); by the policy resize, all are brought to 64x32, which changes the proportions of 1 of them'
    assert main(['train', str(mixed), str(tmp_path / 'm'), '--steps', '2', '--no-keep-best', *ARGUMENTS]) == 0
    assert capsys.readouterr().out.count(said) == 1
    assert main(['synthesize', str(model), str(mixed), str(tmp_path / 'out'), '--split', 'train']) == 0
    assert capsys.readouterr().out.count(said) == 1
    other = dataset(tmp_path / 'other', train=(4, 0), val=(2, 1))
    for kind in ('label', 'inst', 'image'):
        path = sorted((other / 'val' / kind).iterdir())[-1]
        with Image.open(path) as p: p.resize((32, 32), Image.NEAREST).save(path)
    assert main(['evaluate', str(model), str(other), str(tmp_path / 'graded'), '--steps', '2']) == 0
    assert capsys.readouterr().out.count('The scenes have 2 shapes: ') == 1


# styles and edits

def test_a_sheet_of_styles(model, streets, tmp_path, capsys):
    for more in ([], ['--folder', str(streets)]):
        out = tmp_path / f'styles{len(more)}.png'
        assert main(['styles', str(model), str(out), *more]) == 0
        sheet = np.asarray(Image.open(out).convert('RGB'))
        assert sheet.shape[0] >= 72 * 4 and sheet[:, 130:].std() > 5
    plain = tmp_path / 'plain'
    assert main(['train', str(streets), str(plain), '--steps', '2', '--no-keep-best', *ARGUMENTS, '--feature-channels', '0']) == 0
    assert main(['styles', str(plain), str(tmp_path / 'x.png')]) == 2
    assert 'has no style book' in capsys.readouterr().err


def test_an_edit_file_is_applied(model, streets, tmp_path, capsys):
    pipe = Pix2PixHD.load(model)
    scene = open_dataset(streets, 'test')[0]
    editor = SceneEditor(scene.label_map, label_space=pipe.label_space, style_book=pipe.style_book)
    before = np.asarray(editor.generate(pipe))
    editor.paint([(5, 20), (60, 20)], 'pavement', 10)
    (tmp_path / 'edits.json').write_text(editor.to_json())
    assert main(['edit', str(model), str(tmp_path / 'edits.json'), str(tmp_path / 'edited.png')]) == 0
    edited = np.asarray(Image.open(tmp_path / 'edited.png'))
    assert np.abs(edited.astype(int) - np.asarray(editor.generate(pipe))).max() <= 1
    assert main(['edit', str(model), str(tmp_path / 'edits.json'), str(tmp_path / 'states')]) == 0
    assert sorted(p.name for p in (tmp_path / 'states').iterdir()) == ['00_before.png', '00_before_label.png', '01_paint.png', '01_paint_label.png']
    assert (np.asarray(Image.open(tmp_path / 'states/00_before.png')) != edited).any() and before.shape == edited.shape
    text = json.loads((tmp_path / 'edits.json').read_text())
    text['label_space']['classes'][0]['name'] = 'heaven'
    (tmp_path / 'edits.json').write_text(json.dumps(text))
    assert main(['edit', str(model), str(tmp_path / 'edits.json'), str(tmp_path / 'no.png')]) == 2
    assert 'not those of the model' in capsys.readouterr().err


# help

@pytest.mark.parametrize('name', COMMANDS)
def test_the_help_of_a_command_has_an_example_that_can_be_typed(name):
    examples = re.findall(r'^ +pix2pixhd (.+)$', command_of(name).__doc__, re.M)
    assert examples and 'For example' in command_of(name).__doc__
    for line in examples: build_parser([name]).parse_args(line.split())


def test_the_options_of_train_stand_in_groups(capsys):
    with pytest.raises(SystemExit): main(['train', '--help'])
    said = capsys.readouterr().out
    groups = [said.index(f'{title}:') for title in ('recipe, start and rate', 'options of the losses', 'options of the networks', 'options of the model')]
    assert groups == sorted(groups) and said.index('--n-blocks', groups[2]) < groups[3] and said.index('--epochs', said.index('options:')) < groups[0]
    assert 'default: None' not in said


# in Python

@pytest.fixture(scope='module')
def pipe(model): return Pix2PixHD.load(model)

def test_a_scene_is_enough_and_several_are_a_batch(pipe, streets):
    scenes = open_dataset(streets, 'test')
    from pix2pixhd_nb.core import to_pil
    one = [np.asarray(pipe.predict(s.label_map, s.instance_map, seed=7 + i)).astype(int) for i, s in enumerate(scenes)]
    calls, before = [], pipe.generating
    pipe.generating = lambda *x: (calls.append(len(x[0])), before(*x))[1]
    try: many = pipe.predict([scenes[0], scenes[1]], seed=7)
    finally: pipe.generating = before
    assert calls == [2] and len(many) == 2
    for a, b in zip(one, many): assert abs(a - np.asarray(b)).max() <= 1
    s = scenes[0]
    assert (np.asarray(pipe.predict(s, reference=True)) == np.asarray(pipe.predict(s.label_map, s.instance_map, to_pil(s.image)))).all()
    stacked = pipe.predict(torch.stack([x.label_map for x in (scenes[0], scenes[1])]), seed=7)
    assert len(stacked) == 2 and stacked[0].size == SIZE[::-1]
    with pytest.raises(ValueError, match='instance_map has 1 entries for 2 scenes'): pipe.predict([scenes[0], scenes[1]], [None])


def test_names_of_classes_stand_for_ids(pipe):
    book, space = pipe.style_book, pipe.label_space
    c = next(iter(book.centres)); name = space.names[c]
    assert torch.equal(book.style(name, 0), book.style(c, 0)) and book.nearest(name, book.style(c, 0)) == book.nearest(c, book.style(c, 0))
    with pytest.raises(ValueError, match="There is no class 'spaceship'"): book.nearest('spaceship', book.style(c, 0))
    assert space.id(c) == c and LabelSpace(['a', 'b'], unscored=['b']).unscored == (1,)
    with pytest.raises(ValueError, match='There is no class 99'): space.id(99)


def test_reprs_are_short(pipe, streets):
    scene = open_dataset(streets, 'test')[0]
    editor = SceneEditor(scene.label_map, label_space=pipe.label_space)
    for x, has in ((scene, '64x32'), (pipe, '64x32'), (pipe.label_space, 'classes'), (editor, 'objects')):
        assert has in repr(x) and len(repr(x)) < 200 and '\n' not in repr(x) and 'tensor(' not in repr(x)


def test_a_plot_knows_its_learner_and_another_run():
    a, b = (pix2pixhd_learner(loaders(), gan='hinge', **TINY) for _ in range(2))
    for learn in (a, b):
        with learn.no_bar(), learn.no_logging(): learn.fit(1)
    fig = plot_history(a, other=b)
    lines = [line for line in fig.axes[0].get_lines() if line.get_label() == 'other']
    assert len(lines) == 1 and len(lines[0].get_ydata()) == len(b.gan_training.history)
    d_real = next(ax for ax in fig.axes if ax.get_title() == 'd_real')
    assert any(set(line.get_ydata()) == {2.} for line in d_real.get_lines()), "hinge's level for two scales"
    with pytest.raises(ValueError, match='history is a str'): plot_history('history')


def test_a_warning_to_the_user_is_one_line(tmp_path):
    label = torch.ones(1, *SIZE, dtype=torch.long)
    label[:, 9:12] = 255
    source = save_scenes([Scene(label, None, torch.zeros(3, *SIZE), 'a')], tmp_path/'in', LabelSpace(['sky', 'road'], [(0, 0, 0), (1, 0, 0)], ignore_id=255))
    done = subprocess.run([sys.executable, '-m', 'pix2pixhd_nb.commands.main', 'convert', 'to-labelme', source, tmp_path/'out'], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr.count('\n') == 1
    assert done.stderr.startswith('pix2pixhd: note: 1 of 1 scenes have pixels without a class') and 'UserWarning' not in done.stderr


def test_a_warning_of_another_library_is_shown_as_it_is():
    shape = as_notes(lambda message, *place: f'plain {message}')
    assert shape('so', UserWarning, '/env/torch/onnx.py', 3, None) == 'plain so'
    assert shape('so', FutureWarning, '/env/pix2pixhd_nb/core.py', 3, None) == 'plain so'
    assert shape('so', UserWarning, '/env/pix2pixhd_nb/core.py', 3, None) == 'pix2pixhd: note: so\n'


def test_a_sequence_takes_no_styles_of_each_frame(pipe, tmp_path, capsys):
    assert main(['synthesize', 'model', 'data', str(tmp_path / 'out'), '--sequence', '--styles', 'target']) == 2
    assert 'leave one of the two out' in capsys.readouterr().err
    with pytest.raises(ValueError, match='leave one of the two out'): pipe.synthesize([], tmp_path / 'out', 0, True, sequence=True)


def test_a_size_that_is_rounded_is_said(streets, tmp_path, capsys):
    for size, said in (('63x31', '63x31 was asked for; sides must be multiples of 4, so 60x28.'), ('64x32', None)):
        assert main(['train', str(streets), str(tmp_path / size), '--size', size, '--steps', '2', '--batch', '2', '--no-keep-best', *ARGUMENTS]) == 0
        out = capsys.readouterr().out
        assert said in out if said else 'was asked for' not in out
        assert 'give --size' not in out
