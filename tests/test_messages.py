"""What goes wrong is one message with status 2; only what nobody foresaw is another, with a file that holds the traceback."""
import json
import os
import subprocess
import sys
import numpy as np
import pytest
import torch
from PIL import Image
from pix2pixhd_nb.commands import training
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.core import LabelSpace
from pix2pixhd_nb.data.layouts import save_scenes
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.engine import distributed
from pix2pixhd_nb.engine.distributed import meeting, RankLost
from pix2pixhd_nb.training.checkpoints import FORMAT, read_checkpoint, write_checkpoint
from pix2pixhd_nb.training.learner import pix2pixhd_learner

TINY = '--batch 2 --width 4 --n-downsample 2 --n-blocks 1 --feature-channels 0 --n-scales 1 --discriminator-width 4 --no-keep-best --steps 2'.split()

def streets(d, n=3):
    save_scenes(SyntheticScenes(n, size=(32, 64)), d, LABEL_SPACE, 'train')
    return d

def said(capsys, *words):
    status = main([str(w) for w in words])
    return status, capsys.readouterr().err

def raised(error):
    def fail(*args, **kwargs): raise error
    return fail

WORKER = 'Caught {0} in DataLoader worker process 1.\nOriginal Traceback (most recent call last):\n  File "x.py", line 1, in f\n{1}'

@pytest.mark.parametrize('error,status,message', [
    (PermissionError(13, 'Permission denied', 'photo.png'), 2, 'photo.png may not be read or written'),
    (OSError(28, 'No space left on device', 'a.png'), 2, 'a.png could not be written: no space left'),
    (OSError(28, 'No space left on device'), 2, 'A file could not be written: no space left'),
    (IsADirectoryError(21, 'Is a directory', 'm/x'), 2, 'm/x is a folder, expected a file'),
    (NotADirectoryError(20, 'Not a directory', 'm/x'), 2, 'm/x leads through a file'),
    (UnicodeDecodeError('utf-8', b'\xff', 0, 1, 'invalid start byte'), 2, 'is not in UTF-8'),
    (ValueError('a line\nfastai.Error: a.png is bad'), 2, ': a.png is bad\n'),
    (RuntimeError(WORKER.format('UnicodeDecodeError', "UnicodeDecodeError: 'utf-8' codec cannot decode byte")), 2, ": 'utf-8' codec cannot decode"),
    (RuntimeError(WORKER.format('DatasetError', 'pix2pixhd_nb.data.pictures.DatasetError: b.png is bad')), 2, ': b.png is bad\n'),
    (OSError(WORKER.format('OSError', 'OSError: [Errno 5] Input/output error: c.png')), 2, ': [Errno 5] Input/output error: c.png\n'),
    (RuntimeError('DataLoader worker (pid 77) is killed by signal: Killed. '), 2, '--workers 0'),
    (RuntimeError('DataLoader worker (pid(s) 77, 78) exited unexpectedly'), 2, '--workers 0'),
    (RuntimeError(WORKER.format('ZeroDivisionError', 'ZeroDivisionError: division by zero')), 3, 'division by zero'),
    (RuntimeError('CUDA error: out of memory'), 2, 'not enough memory'), (MemoryError(), 2, 'not enough memory'),
    (ZeroDivisionError('division by zero'), 3, 'ZeroDivisionError'), (AssertionError(), 3, 'AssertionError')], ids=str)
def test_an_error_becomes_one_message(monkeypatch, capsys, error, status, message):
    monkeypatch.setattr(training, 'examine', raised(error))
    found, err = said(capsys, 'doctor', 'somewhere')
    assert found == status and message in err and err.count('\n') == 1 and 'Traceback' not in err
    if status == 3:
        path = err.split('): ')[1].split(' holds')[0]
        assert 'Traceback' in open(path).read()
        os.unlink(path)

@pytest.mark.parametrize('workers', ['0', '2'])
def test_a_file_that_breaks_while_it_trains_is_named(tmp_path, capsys, workers):
    "The heads of all files are read at the start, the rest by the processes that read scenes."
    d = streets(tmp_path / 'd', 6)
    path = d / 'train/image/toy_000001.png'
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) // 2])
    status, err = said(capsys, 'train', d, tmp_path / 'm', *TINY, '--workers', workers)
    assert status == 2 and 'toy_000001.png' in err and err.strip().count('\n') == 0

def test_another_exception_of_a_reading_process(tmp_path, capsys, monkeypatch):
    "One that cannot be rebuilt from its text."
    from pix2pixhd_nb.data import loaders
    def fail(*args): raise UnicodeDecodeError('utf-8', b'\xff', 0, 1, 'invalid start byte')
    monkeypatch.setattr(loaders, 'scene_item', fail)
    status, err = said(capsys, 'train', streets(tmp_path / 'd', 6), tmp_path / 'm', *TINY, '--workers', '1')
    assert status == 2 and 'UTF-8' in err.upper() and err.strip().count('\n') == 0, err

@pytest.mark.parametrize('error,message', [(MemoryError(), 'not enough memory'), (ValueError(), 'ValueError, without a word more'), (OSError(28, 'No space left on device', 'a.pth'), 'a.pth could not be written')], ids=str)
def test_an_error_in_a_callback_of_fastai(tmp_path, capsys, monkeypatch, error, message):
    "fastai passes it on with words of its own, and stumbles where it has none."
    monkeypatch.setattr(training.GANMonitor, 'before_epoch', raised(error), raising=False)
    status, err = said(capsys, 'train', streets(tmp_path / 'd'), tmp_path / 'm', *TINY)
    assert status == 2 and message in err and err.strip().count('\n') == 0, err

# ranks

class Store(dict):
    def set(self, k, v): self[k] = v.encode()
    def get(self, k): return self[k]
    def check(self, keys): return all(k in self for k in keys)

def test_a_rank_repeats_why_another_ended(monkeypatch, capsys):
    store = Store()
    monkeypatch.setattr(distributed, 'world_size', lambda: 2)
    monkeypatch.setattr(distributed.dist.distributed_c10d, '_get_default_store', lambda: store)
    with pytest.raises(RankLost, match='lost another rank .*Connection closed'):
        with meeting(): raise RuntimeError('Connection closed by peer')
    monkeypatch.setattr(training, 'examine', raised(ValueError('a.png is bad')))
    assert said(capsys, 'doctor', 'somewhere')[0] == 2
    with pytest.raises(RankLost, match='ends, since another ended: rank 0: a.png is bad'):
        with meeting(): raise RuntimeError('Connection closed by peer')

def test_an_error_of_one_rank_arrives_at_both(tmp_path):
    "Two processes; only the second one meets the broken file."
    program = tmp_path / 'program.py'
    program.write_text('''
from pix2pixhd_nb.engine.distributed import from_first, join_ranks, last_word, leave_ranks, leave_word, rank, RankLost
join_ranks()
try:
    if rank(): raise ValueError('scene_7.png is broken')
    while True: from_first(1)
except (ValueError, RankLost) as e:
    print(f'said: {e}', flush=True)
    leave_word(e)
    leave_ranks(2)
''')
    done = subprocess.run([sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2', program], capture_output=True, text=True, timeout=240, env=os.environ | dict(OMP_NUM_THREADS='1'))
    lines = [line for line in done.stdout.splitlines() if line.startswith('said: ')]
    assert done.returncode and 'said: scene_7.png is broken' in lines, done.stderr
    assert all('scene_7.png is broken' in line for line in lines), lines # the first rank may be ended by torchrun before it speaks

# files of newer versions

def test_a_newer_format_says_update(tmp_path, capsys):
    (tmp_path / 'm').mkdir()
    (tmp_path / 'm' / 'pipeline.json').write_text(json.dumps(dict(format='pix2pixhd_nb pipeline 99')))
    status, err = said(capsys, 'styles', tmp_path / 'm', tmp_path / 's.png')
    assert status == 2 and 'newer version: update with pip install -U' in err
    path = write_checkpoint(dict(format=FORMAT[:-1] + '3', stage=0, epoch=1, batch=0), tmp_path)
    with pytest.raises(ValueError, match='newer version: update'): read_checkpoint(path)

# words that can be followed

def test_a_mask_of_two_values_is_not_told_to_ignore_its_object():
    two = LabelSpace(['back', 'object'])
    with pytest.raises(ValueError, match='write 1 for 255') as e: two.check(np.array([0, 255]))
    assert 'ignore' not in str(e.value)
    with pytest.raises(ValueError, match='pass ignore_id=255'): two.check(np.array([0, 1, 255])) # pixels without a class
    with pytest.raises(ValueError, match=r'"ignore_ids": \[255\] into meta.json'): LabelSpace(['a', 'b', 'c']).check(np.array([0, 2, 255]))

@pytest.mark.parametrize('layout,form', [('beside/train/{0}.png', 'side-by-side'), ('apart/{1}/train/{0}.png', 'two-folders'), ('cycle/train{1}/{0}.png', 'two-folders')])
def test_pairs_are_told_the_command_that_arranges_them(tmp_path, capsys, layout, form):
    base = tmp_path / layout.split('/')[0]
    for side, value in zip('AB', (60, 200)):
        for i in range(3):
            path = tmp_path / layout.format(i, side)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((32, 64), value + i, np.uint8)).convert('RGB').save(path)
    assert main(['doctor', str(base)]) == 1
    command = f'pix2pixhd convert {form} {base} OUT'
    assert command in capsys.readouterr().out
    assert main([*command.replace('OUT', str(tmp_path / 'new')).split()[1:]]) == 0
    assert main(['doctor', str(tmp_path / 'new')]) == 0

# Ctrl-C where no step is going on

def test_stopped_while_the_model_is_written(tmp_path, capsys, monkeypatch):
    m, real = tmp_path / 'm', training.save_surely
    monkeypatch.setattr(training, 'save_surely', raised(KeyboardInterrupt()))
    status, err = said(capsys, 'train', streets(tmp_path / 'd'), m, *TINY)
    assert status == 130 and '--resume' in err and str(m) in err and not [*m.rglob('.*.part')]
    monkeypatch.setattr(training, 'save_surely', real)
    assert said(capsys, 'train', tmp_path / 'd', m, *TINY, '--resume')[0] == 0 and (m / 'pipeline.json').is_file()

# fastai's habits

def learner(**options):
    scenes = SyntheticScenes(4, size=(32, 64))
    return pix2pixhd_learner(scene_dataloaders(scenes, scenes, bs=2, seed=0), width=4, n_downsample=2, n_blocks=1, n_scales=1, discriminator_width=4, **options)

@pytest.mark.parametrize('habit', ['predict', 'export', 'freeze', 'unfreeze', 'freeze_to', 'fine_tune', 'tta'])
def test_a_habit_says_what_to_do_instead(habit):
    with pytest.raises(ValueError, match=f'learn.{habit} .*(Pix2PixHD.from_learner|grow_learner)'): getattr(learner(), habit)(1)

def test_further_scenes_are_loaded_like_the_others():
    learn = learner()
    with learn.no_bar(): images, targets = learn.get_preds(dl=learn.dls.test_dl(list(SyntheticScenes(3, size=(32, 64), seed=2))))
    assert images.shape == targets.shape == (3, 3, 32, 64)
    assert learn.dls.c == 9 and learn.dls.vocab == list(LABEL_SPACE.names)

def test_a_cycle_leaves_the_first_beta_as_it_was():
    learn = learner()
    beta = lambda: [g['betas'][0] for o in learn.opt.both for g in o.opt.param_groups]
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(1, 2e-4)
        assert set(beta()) == {0.5}
        learn.opt.set_hyper('mom', 0.6)
        learn.fit_flat_linear(1, 0)
    assert set(beta()) == {0.6}
    assert torch.isfinite(next(learn.model.parameters())).all()

@pytest.mark.parametrize('where', ['train', 'val'])
def test_an_id_of_no_class_stops_a_training_before_its_first_step(tmp_path, capsys, where):
    "In any label map, of the training scenes or of those held out; nothing is made."
    d = streets(tmp_path / 'd', 4)
    save_scenes(SyntheticScenes(2, size=(32, 64)), d, LABEL_SPACE, 'val')
    path = sorted((d / where / 'label').glob('*.png'))[-1]
    ids = np.array(Image.open(path))
    ids[:4] = 99
    Image.fromarray(ids).save(path)
    status = main(['train', str(d), str(tmp_path / 'm'), *TINY])
    out, err = capsys.readouterr()
    assert status == 2 and path.name in err and '99' in err and 'stage 1' not in out and not (tmp_path / 'm').exists()

def test_of_many_label_maps_a_thousand_are_checked(tmp_path, monkeypatch):
    from pix2pixhd_nb.data.layouts import open_dataset
    scenes = open_dataset(streets(tmp_path / 'd', 4), 'train')
    scenes.names, seen = [f'{i:05d}' for i in range(2501)], []
    scenes.files = dict(label={n: n for n in scenes.names})
    monkeypatch.setattr(type(scenes), 'ids_of_label', lambda self, path, space: seen.append(path) or np.zeros((2, 2), int))
    training.check_ids(scenes)
    assert len(seen) == 1000 and seen[0] == '00000' and seen[-1] > '02490'

@pytest.mark.parametrize('words,message', [
    (['train', 'd', 'm', '--widht', '8'], 'no option is called --widht: did you mean --width? pix2pixhd train --help'),
    (['train', 'd', 'm', '--encode-at=full'], 'no option is called --encode-at'),
    (['train', 'd'], 'the following arguments are required: model. pix2pixhd train --help'),
    (['train', 'd', 'm', '--size', '64'], "'64' is no size: write WIDTHxHEIGHT"),
    (['plan', '--batch', 'many'], "argument --batch: invalid int value: 'many'. pix2pixhd plan --help"),
    (['trian', 'd', 'm'], 'no command is called trian: did you mean train? pix2pixhd --help'),
    (['convert_2018', 'd', 'm'], 'no command is called convert_2018: did you mean convert-2018?'), ([], 'required: COMMAND')], ids=str)
def test_a_mistake_in_the_arguments_is_one_message(capsys, words, message):
    with pytest.raises(SystemExit) as e: main(words)
    err = capsys.readouterr().err
    assert e.value.code == 2 and message in err and err.count('\n') == 1 and err.startswith('pix2pixhd: ')

def test_messages_name_options_as_they_are_typed(tmp_path, capsys):
    d = streets(tmp_path / 'd', 4)
    for more, message in [(['--valid', '2'], '--valid is 2'), (['--valid', 'train'], "--valid is 'train'"),
                          (['--recipe', 'large'], "--recipe is 'large'"), (['--batch', '9'], 'a smaller --batch.'),
                          (['--image-mode', 'RBG'], "--image-mode is 'RBG'"),
                          (['--precision', 'fp8'], "--precision is 'fp8', expected one of fp32, bf16, fp16; for a training also auto")]:
        status, err = said(capsys, 'train', d, tmp_path / 'm', *TINY, *more)
        assert status == 2 and message in err and 'bs' not in err, err

def test_what_a_model_without_styles_cannot_do_is_said_in_options(tmp_path, capsys):
    d = streets(tmp_path / 'd', 4)
    assert main(['train', str(d), str(tmp_path / 'm'), *TINY]) == 0
    status, err = said(capsys, 'styles', tmp_path / 'm', tmp_path / 's.png')
    assert status == 2 and '--feature-channels 3' in err
    status, err = said(capsys, 'synthesize', tmp_path / 'm', d, tmp_path / 'out', '--split', 'train', '--styles', 'target')
    assert status == 2 and 'leave --styles target out' in err

def test_a_run_that_is_finished_says_so(tmp_path, capsys):
    d, m = streets(tmp_path / 'd', 4), tmp_path / 'm'
    assert main(['train', str(d), str(m), *TINY]) == 0
    assert 'already' not in capsys.readouterr().out
    assert main(['train', str(d), str(m), *TINY, '--resume']) == 0
    out = capsys.readouterr().out
    assert 'already at 2 of 2 epochs: nothing is left to train; give more --steps or --epochs' in out and 'train_loss' not in out
    assert main(['train', str(d), str(m), *TINY[:-1], '4', '--resume']) == 0
    assert 'already' not in capsys.readouterr().out
