"Styles are measured where the training saw them, in pixels of the scene alone; what a model cannot take is refused."
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastai.callback.schedule import ParamScheduler, SchedNo
from PIL import Image

from pix2pixhd_nb.core import Scene, to_pil
from pix2pixhd_nb.data.loaders import SceneItems, WholeScenes, scene_dataloaders
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.engine.files import locked
from pix2pixhd_nb.models.discriminators import MultiscaleDiscriminator
from pix2pixhd_nb.models.generators import GlobalGenerator, grow
from pix2pixhd_nb.synthesis import pipeline
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD, street_model
from pix2pixhd_nb.synthesis.styles import measure_features, styles_of
from pix2pixhd_nb.training import distributed
from pix2pixhd_nb.training.cuda_graphs import GraphedTraining
from pix2pixhd_nb.training.learner import pix2pixhd_learner

OPTIONS = dict(width=4, n_downsample=2, n_blocks=1, discriminator_width=4, n_scales=1)


@pytest.fixture(scope='module')
def street(): return street_model()


def test_a_style_book_is_measured_at_the_size_of_the_training(monkeypatch):
    scenes, seen = SyntheticScenes(10, size=(128, 256)), []
    dls = scene_dataloaders(scenes, None, size=(64, 128), policy='resize', seed=0, device='cpu', multiple_of=16)
    learn = pix2pixhd_learner(dls, feature_channels=3, encoder_width=4, **OPTIONS)
    monkeypatch.setattr(pipeline, 'measure_features', lambda model, s: (seen.extend(s[i] for i in range(len(s))), measure_features(model, s))[1])
    Pix2PixHD.from_learner(learn)
    assert {s.size for s in seen} == {(64, 128)} and all(s.image.shape[-2:] == (64, 128) for s in seen)
    assert [s.name for s in seen] == [scenes[i].name for i in dls.train.dataset.indices] and len(seen) == 9 # the held-out tenth is not among them


def test_whole_scenes_are_not_cropped():
    items = SceneItems(SyntheticScenes(2, size=(32, 64)), policy='resize_and_crop', size=(16, 16), load_size=(24, 40))
    assert WholeScenes(items)[1].size == (24, 40) and len(WholeScenes(items, 1)) == 1


@pytest.mark.parametrize('sizes,size', [
    (dict(policy='crop', size=(32, 32)), (64, 96)), # to the size of a crop, everything would come to a half of its scale
    (dict(policy='resize_and_crop', size=(32, 48), load_size=(36, 54)), (32, 48)), # a jitter
    (dict(policy='scale_width_and_crop', size=(32, 32), load_size=80), (53, 80)),
    (dict(policy='none'), (64, 96))])
def test_a_model_notes_the_size_at_which_it_saw_scenes(sizes, size):
    scenes = SyntheticScenes(3, size=(64, 96))
    learn = pix2pixhd_learner(scene_dataloaders(scenes, scenes, bs=1, seed=0, device='cpu', multiple_of=4, **sizes), **OPTIONS)
    assert Pix2PixHD.from_learner(learn).size == size


def test_what_is_padded_counts_for_no_style(street):
    scene = SyntheticScenes(1, size=(64, 96))[0]
    row = scene.image.clone()
    row[:, -1] = 1. # the last row is repeated by the padding; it must count once
    scene = replace(scene, image=row[:, :60], label_map=scene.label_map[:, :60], instance_map=scene.instance_map[:, :60])
    with torch.no_grad():
        m = street.synthesizer
        padded = torch.cat([scene.image, scene.image[:, -1:].expand(-1, 4, -1)], 1)[None]
        pixels = m.pixel_features(padded)[0, :, :60]
    means = {int(i): pixels[:, scene.instance_map[0] == i].mean(1) for i in scene.instance_map.unique()}
    for found in (styles_of(m, scene.image[None], scene.instance_map[None]), street.styles_of(to_pil(scene.image), scene.label_map, scene.instance_map)):
        assert max((found[i] - v).abs().max().item() for i, v in means.items()) < 0.02 # to_pil rounds
    table = measure_features(m, [scene])
    assert max((v - means[int(i)]).abs().max().item() for i, v in zip(table.instance, table.vector)) < 1e-4


def test_synthesize_keeps_the_styles_of_scenes(street, tmp_path):
    scene = SyntheticScenes(1, size=(64, 128))[0]
    scene = replace(scene, styles={int(i): torch.full((3,), 0.5) for i in scene.instance_map.unique()})
    written, = street.synthesize([scene], tmp_path, seed=5)
    assert np.array_equal(np.array(Image.open(written)), np.array(street.predict(scene)))


def test_styles_that_cannot_be_taken_are_refused(street):
    scene = SyntheticScenes(1, size=(32, 64))[0]
    plain = Pix2PixHD.from_learner(pix2pixhd_learner(scene_dataloaders(SyntheticScenes(2, size=(32, 64)), SyntheticScenes(1, size=(32, 64)), bs=1, device='cpu'), **OPTIONS))
    for given in (dict(reference='no/such/photo.png'), dict(styles={1: 'x'}), dict(reference=to_pil(scene.image))):
        with pytest.raises(ValueError, match=f'generates without styles, .*: leave {next(iter(given))} out'): plain.predict(scene.label_map, scene.instance_map, **given)
    ids = scene.instance_map.unique().tolist()
    with pytest.raises(ValueError, match='expected finite numbers'): street.predict(scene.label_map, scene.instance_map, styles={i: [float('nan')] * 3 for i in ids})
    with pytest.raises(ValueError, match='styles is a str, expected a dict'): street.predict(scene.label_map, scene.instance_map, styles='abc')
    for seed in ('a', 1.5, True, -1):
        with pytest.raises(ValueError, match='seed is .*, expected a whole number from 0'): street.predict(scene.label_map, scene.instance_map, seed=seed)
    plain.predict(Scene(scene.label_map, scene.instance_map, None, 'a', styles={i: torch.zeros(3) for i in ids})) # that a scene carries some is no request


def test_a_graph_does_not_hold_a_momentum_that_a_schedule_moves():
    learn = pix2pixhd_learner(scene_dataloaders(SyntheticScenes(2, size=(32, 64)), SyntheticScenes(1, size=(32, 64)), bs=1, device='cpu'), **OPTIONS)
    for moved, said in ((['lr'], None), (['lr', 'mom'], 'a schedule moves mom')):
        cbs = [ParamScheduler({k: SchedNo(1e-4, 1e-4) for k in moved}), graphed := GraphedTraining()]
        with learn.added_cbs(cbs): why = graphed.obstacle()
        assert why is None if said is None else said in why


def test_ranks_meet_in_training_alone(monkeypatch):
    "In validation they have different numbers of batches: one would wait for ever."
    met = []
    monkeypatch.setattr(distributed, 'highest_over_ranks', met.append)
    model = SimpleNamespace(parameters=lambda: iter([SimpleNamespace(is_cuda=True)]))
    for training in (True, False):
        callback = distributed.Distributed()
        callback.learn = SimpleNamespace(training=training, model=model)
        callback.after_batch()
    assert met == [0]


def test_wide_discriminators_and_enhancers_without_blocks():
    assert MultiscaleDiscriminator(5, width=600, n_layers=1, n_scales=1)(torch.zeros(1, 5, 16, 16))[0][0].shape[1] == 512
    assert grow(GlobalGenerator(5, width=4, n_downsample=1, n_blocks=1), n_enhancer_blocks=0).config['n_enhancer_blocks'] == 0


def test_a_lock_on_a_deleted_file_is_none(tmp_path, monkeypatch):
    import fcntl
    flock = fcntl.flock
    def late(f, how): # the one that held it ends between our opening and our locking
        (tmp_path/'.training.lock').unlink()
        flock(f, how)
    monkeypatch.setattr(fcntl, 'flock', late)
    with pytest.raises(ValueError, match='has just begun or ended'), locked(tmp_path): pass
