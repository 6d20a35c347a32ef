"""What version 0.0.1 saved still loads, and its training goes on: a pipeline, a checkpoint, a table of styles, an edit.

`first_release/` was written by that version: six synthetic streets of 64x32, a generator of width 4 grown once, three epochs of three steps."""
import json
import random
from pathlib import Path
import numpy as np
import pytest
import torch
from PIL import Image
from pix2pixhd_nb.core import to_pil
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.editing.editor import SceneEditor
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD, street_model
from pix2pixhd_nb.synthesis.styles import FeatureTable, encoder_fingerprint
from pix2pixhd_nb.training.checkpoints import Checkpoint, latest_checkpoint
from pix2pixhd_nb.training.coarse_to_fine import grow_learner
from pix2pixhd_nb.training.learner import pix2pixhd_learner

SAVED = Path(__file__).with_name('first_release')
TINY = dict(width=4, n_downsample=2, n_blocks=1, feature_channels=3, encoder_width=2, discriminator_width=4, n_scales=2, ema=0.9)
TRAIN, VALID = SyntheticScenes(6, size=(32, 64)), SyntheticScenes(2, size=(32, 64), seed=1)


@pytest.fixture(scope='module')
def pipe(): return Pix2PixHD.load(SAVED/'model')


def assert_looks_like(picture, name):
    "Equal up to rounding: another processor adds in another order."
    found, expected = (np.asarray(p).astype(int) for p in (picture, Image.open(SAVED/name)))
    assert found.shape == expected.shape and abs(found - expected).max() <= 2


def test_a_pipeline_generates_the_same_images(pipe):
    scene = VALID[0]
    assert pipe.label_space == TRAIN.label_space
    rng = np.random.default_rng(3) # the first release sampled with one stream, in order of ids
    class_of = lambda i: int(scene.label_map[scene.instance_map == i].mode().values)
    styles = {int(i): pipe.style_book._any_style(class_of(i), rng) for i in scene.instance_map.unique()}
    assert_looks_like(pipe.predict(scene.label_map, scene.instance_map, styles=styles), 'sampled.png')
    assert_looks_like(pipe.predict(scene.label_map, scene.instance_map, reference=to_pil(scene.image)), 'photo.png')


def test_a_pipeline_is_saved_again_with_the_same_weights(pipe, tmp_path):
    again = Pix2PixHD.load(pipe.save(tmp_path))
    for (name, a), b in zip(pipe.synthesizer.state_dict().items(), again.synthesizer.state_dict().values()): assert torch.equal(a, b), name


def test_the_model_that_ships_generates():
    scene = SyntheticScenes(1, size=(64, 128))[0]
    assert street_model().predict(scene.label_map, scene.instance_map, seed=0).size == (128, 64)


def test_a_table_of_styles_belongs_to_its_encoder(pipe):
    table = FeatureTable.load(SAVED/'features.safetensors')
    assert table.model == encoder_fingerprint(pipe.synthesizer) and len(table) > 6


def test_an_edit_goes_on_and_back():
    editor = SceneEditor.from_json((SAVED/'edit.json').read_text())
    assert (editor.instance_map == np.load(SAVED/'edited.npy')).all()
    editor.redo()
    editor.undo(); editor.undo()
    assert (editor.instance_map == VALID[0].instance_map[0].numpy()).all()


def learner(seed):
    torch.manual_seed(seed); random.seed(seed); np.random.seed(seed)
    small = scene_dataloaders(TRAIN, VALID, bs=2, device='cpu', seed=0, size=(16, 32), policy='resize')
    return grow_learner(pix2pixhd_learner(small, **TINY), scene_dataloaders(TRAIN, VALID, bs=2, device='cpu', seed=0), add_discriminator=False) # the first release had as many at every size


def test_a_training_goes_on(tmp_path):
    "From the second batch of the second epoch to the end, with other first weights: the losses of all nine steps are those of the run that was not stopped."
    learn = learner(seed=7)
    with learn.no_bar(), learn.no_logging(): learn.fit(3, cbs=Checkpoint(tmp_path, resume=latest_checkpoint(SAVED)))
    expected = json.loads((SAVED/'history.json').read_text())
    assert len(learn.gan_training.history) == len(expected) == 9
    for found, step in zip(learn.gan_training.history, expected): assert found == pytest.approx(step, rel=1e-3)


def test_without_the_checkpoint_the_losses_are_others():
    learn = learner(seed=7)
    with learn.no_bar(), learn.no_logging(): learn.fit(3)
    assert learn.gan_training.history[-1] != pytest.approx(json.loads((SAVED/'history.json').read_text())[-1], rel=1e-2)
