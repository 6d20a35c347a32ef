"Nothing that is loaded can run code: every function that reads a file refuses one with a pickled payload, with an error message, and the payload does not run."
import json
import pickle
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from pix2pixhd_nb.training.checkpoints import FORMAT, checksum, latest_checkpoint, read_checkpoint
from pix2pixhd_nb.data.toy import LABEL_SPACE
from pix2pixhd_nb.synthesis.weights_2018 import read_2018_discriminator, read_2018_encoder, read_2018_generator
from pix2pixhd_nb.training.losses import PerceptualLoss
from pix2pixhd_nb.commands.editing import _files_of_states, edit
from pix2pixhd_nb.editing.editor import SceneEditor
from pix2pixhd_nb.models.generators import GlobalGenerator
from pix2pixhd_nb.models.synthesizer import Synthesizer
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.evaluation.segmenters import load_segmenter, photo_segmenter
from pix2pixhd_nb.synthesis.styles import FeatureTable, read_2018_style_book


class Payload:
    "Whoever unpickles it makes a directory."
    def __init__(self, mark): self.mark = str(mark)
    def __reduce__(self): return Path.mkdir, (Path(self.mark),)


@pytest.fixture
def mark(tmp_path): return tmp_path/'the payload ran'


def refused(mark, read, says=None):
    with pytest.raises(ValueError, match=says) as error: read()
    assert not mark.exists() and len(str(error.value).splitlines()) == 1


def torch_file(tmp_path, mark, **more):
    path = tmp_path/'file.pth'
    torch.save(more | dict(weight=Payload(mark)), path)
    return path


def test_the_payload_is_a_real_one(tmp_path, mark):
    torch.load(torch_file(tmp_path, mark), weights_only=False)
    assert mark.exists()


def test_a_checkpoint(tmp_path, mark):
    path = torch_file(tmp_path, mark, format=FORMAT)
    named = path.rename(tmp_path/f'stage0-epoch00001-batch0000000-{checksum(path)}.pth')
    refused(mark, lambda: read_checkpoint(named), 'holds more than numbers')
    with pytest.raises(FileNotFoundError, match='no whole checkpoint'): latest_checkpoint(tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize('read', [read_2018_generator, read_2018_encoder, read_2018_discriminator])
def test_files_of_2018(tmp_path, mark, read): refused(mark, lambda: read(torch_file(tmp_path, mark)), 'could run code')


def test_a_style_book_of_2018(tmp_path, mark):
    np.save(tmp_path/'features.npy', {1: Payload(mark)}, allow_pickle=True)
    refused(mark, lambda: read_2018_style_book(tmp_path/'features.npy', LABEL_SPACE), 'is no style book of the 2018 code')


@pytest.mark.parametrize('read', [PerceptualLoss, partial(photo_segmenter, 3)])
def test_weights_of_other_packages(tmp_path, mark, read): refused(mark, lambda: read(torch_file(tmp_path, mark)), 'cannot be read as weights')


@pytest.mark.parametrize('read', [load_segmenter, FeatureTable.load])
@pytest.mark.parametrize('write', [lambda path, mark: torch.save(Payload(mark), path), lambda path, mark: path.write_bytes(pickle.dumps(Payload(mark)))])
def test_files_of_this_package(tmp_path, mark, read, write):
    write(path := tmp_path/'file.safetensors', mark)
    refused(mark, lambda: read(path))


def test_a_pipeline(tmp_path, mark):
    n = LABEL_SPACE.n_classes
    Pix2PixHD(Synthesizer(GlobalGenerator(n + 1, width=4, n_downsample=1, n_blocks=1), n), LABEL_SPACE).save(tmp_path/'model')
    weights, = (tmp_path/'model').glob('*.safetensors')
    shutil.copy(torch_file(tmp_path, mark), weights)
    refused(mark, lambda: Pix2PixHD.load(tmp_path/'model'))


@pytest.mark.parametrize('name', ['x/../../../escaped/pwned', '..', '/tmp/pwned', 'a\\b', 'C:x', '', 'x' * 300, 'x\n', 'x\0', 7])
def test_the_steps_of_an_edit_name_no_file_elsewhere(tmp_path, name):
    n = LABEL_SPACE.n_classes
    Pix2PixHD(Synthesizer(GlobalGenerator(n + 1, width=4, n_downsample=1, n_blocks=1), n), LABEL_SPACE).save(tmp_path/'model')
    editor = SceneEditor(np.ones((16, 32), int), label_space=LABEL_SPACE)
    editor.paint([(8, 8)], 'road')
    d = json.loads(editor.to_json())
    d['done'][0]['name'] = name
    (tmp_path/'edits.json').write_text(json.dumps(d))
    before = set(tmp_path.rglob('*'))
    refused(tmp_path/'none', lambda: edit(tmp_path/'model', tmp_path/'edits.json', tmp_path/'deep'/'er'/'states'), 'a step is')
    assert set(tmp_path.rglob('*')) - before <= {tmp_path/'deep', tmp_path/'deep'/'er', tmp_path/'deep'/'er'/'states'}


def test_a_step_that_was_named_in_python_leads_nowhere():
    editor = SceneEditor(np.ones((16, 32), int), label_space=LABEL_SPACE)
    editor.paint([(8, 8)], 'road')
    editor.done[0].name = '../../a\\b c' + 'x' * 300
    folder = Path('states')
    assert all(f.parent == folder and len(f.name) < 100 and f.suffix == '.png' for pair in _files_of_states(editor, folder) for f in pair)
