"What a training that goes on takes from its checkpoint: rates, order of the scenes, precision; stages; and the best of each."
import json
import pytest
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.training import GradientAccumulation
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.training import learner as learners
from pix2pixhd_nb.training.checkpoints import Checkpoint, best_checkpoint, checkpoints_in, latest_checkpoint
from pix2pixhd_nb.training.coarse_to_fine import fit_coarse_to_fine
from pix2pixhd_nb.training.learner import pix2pixhd_learner

TINY = dict(width=4, n_downsample=2, n_blocks=1, discriminator_width=4, n_scales=1)
SCENES = ScenesInMemory(SyntheticScenes(7, size=(32, 64)))

def loaders(size=(32, 64), seed=0, bs=2):
    return scene_dataloaders(SCENES[:6], SCENES[6:], bs=bs, seed=seed, size=size, policy='resize', flip=False, device='cpu')

def learner(dls=None, **options): return pix2pixhd_learner(dls or loaders(), **TINY | options)

def fit(learn, n, *cbs, **kwargs):
    with learn.no_bar(), learn.no_logging(): learn.fit(n, cbs=cbs, **kwargs)
    return learn

class Stop(Callback):
    "Breaks off after so many batches, or once the first epoch is saved."
    order = 70
    def __init__(self, batches=None): self.batches = batches
    def after_batch(self):
        if self.training and len(self.gan_training.history) == self.batches: raise CancelFitException
    def after_epoch(self):
        if self.batches is None: raise CancelFitException

class Rates(Callback):
    "The rates of every step; before the first one they may be lowered, as a callback would."
    def __init__(self, lower=None): self.lower, self.seen = lower, []
    def before_step(self):
        if self.lower: self.opt.set_hyper('lr', self.lower)
        self.seen.append(self.opt.hypers[0]['lr'])


def went_on(folder, n=2, **kwargs):
    rates = Rates()
    learn = fit(learner(), n, Checkpoint(folder, resume=latest_checkpoint(folder)), rates, **kwargs)
    return learn, set(rates.seen)

def test_rates_that_are_asked_for_anew_are_taken(tmp_path):
    fit(learner(), 2, Checkpoint(tmp_path), Rates(lower=5e-5), Stop())
    assert latest_checkpoint(tmp_path)['asked'][0]['lr'] == 2e-4
    assert went_on(tmp_path)[1] == {5e-5}, 'nothing else was asked for: it goes on as it was'

def test_other_rates_are_taken(tmp_path):
    fit(learner(), 2, Checkpoint(tmp_path), Stop())
    learn, seen = went_on(tmp_path, lr=[1e-5, 3e-5])
    assert seen == {1e-5} and [h['lr'] for h in learn.opt.hypers] == [1e-5, 3e-5]
    assert learn.opt.both[0].opt.state_dict()['state'][0]['step'] == 6 # Adam goes on

def test_a_checkpoint_of_before_goes_on(tmp_path):
    fit(learner(), 2, Checkpoint(tmp_path), Stop())
    state = latest_checkpoint(tmp_path)
    for k in ('asked', 'seed', 'precision'): del state[k]
    assert len(fit(learner(), 2, Checkpoint(tmp_path, resume=state)).gan_training.history) == 6


def test_the_rest_of_an_epoch_has_the_order_it_began_with(tmp_path):
    class Seen(Callback):
        def __init__(self): self.images = []
        def before_batch(self):
            if self.training: self.images += [x.mean().item() for x in self.yb[0]]
    first, second, whole = Seen(), Seen(), sorted(s.image.mean().item() for s in SCENES[:6])
    torch.manual_seed(1)
    fit(learner(loaders(seed=None, bs=1)), 1, Checkpoint(tmp_path, every=1), first, Stop(3))
    torch.manual_seed(2)
    fit(learner(loaders(seed=None, bs=1)), 1, Checkpoint(tmp_path, resume=latest_checkpoint(tmp_path)), second)
    assert len(first.images) == 3 == len(second.images) and sorted(first.images + second.images) == whole


def test_the_precision_that_was_measured_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(learners, 'fastest_precision', lambda device: 'bf16')
    fit(learner(precision='auto'), 2, Checkpoint(tmp_path), Stop())
    monkeypatch.setattr(learners, 'fastest_precision', lambda device: 'fp32') # a busy machine
    for asked, found in (('auto', 'bf16'), ('fp32', 'fp32')):
        learn = learner(precision=asked)
        assert learn.model.precision == 'fp32'
        fit(learn, 2, Checkpoint(tmp_path, resume=latest_checkpoint(tmp_path)))
        assert learn.model.precision == found


def test_each_further_fit_is_a_stage(tmp_path):
    saver = Checkpoint(tmp_path, keep=9, metric='feature_matching')
    fit_coarse_to_fine([loaders((16, 32)), loaders()], 1, 0, cbs=saver, learner=dict(), **TINY)
    assert [p.name.split('-batch')[0] for p in reversed(checkpoints_in(tmp_path))] == [f'stage{k}-epoch00001' for k in range(3)]
    assert latest_checkpoint(tmp_path)['stage'] == 2 and best_checkpoint(tmp_path).name.startswith('stage2-')

def test_the_best_of_another_metric_or_stage_is_no_measure(tmp_path):
    "A value of -1 would stay the lowest for ever."
    for note in (dict(metric='d_real'), dict(metric='gan', stage=1), dict(metric='gan', stage=0)):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (other := folder / f"stage{note.get('stage', 0)}-epoch00009-batch0000000-00.pth").touch()
        (folder / 'best.json').write_text(json.dumps(dict(file=other.name, value=-1., metric=note['metric'])))
        saver = Checkpoint(folder, metric='gan', keep=9)
        saver.learn = fit(learner(), 1)
        saver._mark_best(saver._save(1, 0))
        stays = note.get('stage') == 0
        assert (best_checkpoint(folder) == other) == stays

# looking at a model between fits

def test_only_a_fit_writes_checkpoints(tmp_path):
    learn = learner(cbs=Checkpoint(tmp_path, keep=2, metric='valid_loss'))
    def look():
        with learn.no_bar(), learn.no_logging(): return learn.validate()[0], learn.get_preds()[0].shape
    look()
    assert not checkpoints_in(tmp_path)
    fit(learn, 2)
    files = checkpoints_in(tmp_path), best_checkpoint(tmp_path)
    look()
    assert (checkpoints_in(tmp_path), best_checkpoint(tmp_path)) == files and all(p.name.startswith('stage0') for p in files[0])
    fit(learn, 1)
    assert latest_checkpoint(tmp_path)['stage'] == 1, 'a fit of its own writes again'

def test_a_graph_is_no_part_of_a_validation():
    learn = learner(cuda_graph='on')
    with learn.no_bar(), learn.no_logging(): assert learn.validate()[0] > 0
    assert 'GraphedTraining' in {type(cb).__name__ for cb in learn.cbs}

def test_the_rest_of_an_epoch_has_the_rates_of_the_epochs_that_are_asked_for(tmp_path):
    class Seen(Rates):
        def before_step(self): self.seen.append((self.epoch, self.iter, self.opt.hypers[0]['lr']))
    def rates(n_decay, *cbs):
        seen = Seen()
        with (learn := learner()).no_bar(), learn.no_logging(): learn.fit_flat_linear(1, n_decay, cbs=[seen, *cbs])
        return [lr for *_, lr in seen.seen]
    rates(2, Checkpoint(tmp_path, every=1), Stop(batches=5)) # in the midst of the second of three epochs
    state, whole = latest_checkpoint(tmp_path), rates(4)
    assert (state['epoch'], state['batch']) == (1, 2)
    assert torch.allclose(torch.tensor(rates(4, Checkpoint(tmp_path, resume=state))), torch.tensor(whole[5:]), atol=1e-12)

def test_a_loaded_learner_goes_on_from_its_checkpoint(tmp_path):
    options = dict(ema=0.9, learner=dict(path=tmp_path))
    fit(learner(**options), 1).save('weights', with_opt=False)
    def run(*cbs): return fit(learner(**options).load('weights', with_opt=False), 2, *cbs)
    whole, _ = run(), run(Checkpoint(tmp_path / 'run'), Stop())
    again = fit(learner(**options), 2, Checkpoint(tmp_path / 'run', resume=latest_checkpoint(tmp_path / 'run')))
    assert all(torch.equal(again.model.state_dict()[k], v) for k, v in whole.model.state_dict().items())


class NaNs(Callback):
    "Spoils the images of the given batches."
    order = -20
    def __init__(self, *batches): self.batches = batches
    def before_batch(self):
        if self.training and len(self.gan_training.history) in self.batches: self.learn.yb = (self.yb[0] * float('nan'),)

@pytest.mark.parametrize('batches', [3, 5, None])
def test_a_step_of_several_batches_that_was_not_done_is_taken_up(tmp_path, batches):
    "Four scenes a step, one a batch, six an epoch: stopped amid a step, in the first epoch or at its end."
    def trained(*cbs):
        torch.manual_seed(0)
        return fit(learner(loaders(bs=1)), 2, GradientAccumulation(4), *cbs)
    whole = trained()
    trained(Checkpoint(tmp_path, every=1), Stop(batches))
    state = latest_checkpoint(tmp_path)
    assert state['ranks'][0]['accumulated']['count'] == (batches or 6) % 4
    again = trained(Checkpoint(tmp_path, resume=state))
    for (k, a), b in zip(whole.model.state_dict().items(), again.model.state_dict().values()): assert torch.equal(a, b), k

def test_losses_that_were_not_finite_are_counted_on(tmp_path):
    fit(learner(), 2, NaNs(1, 2), Checkpoint(tmp_path), Stop())
    learn = learner()
    with pytest.raises(ValueError, match='three batches in a row'):
        fit(learn, 2, NaNs(3), Checkpoint(tmp_path, resume=latest_checkpoint(tmp_path)))
    assert learn.gan_training.not_finite == 3

def test_loaders_that_do_not_double_stop_before_the_first_step():
    for sizes in ([(32, 64), (32, 64)], [(32, 64), (16, 32)], [(16, 32), (32, 64), (32, 64)]):
        with pytest.raises(ValueError, match='each twice the size of the one before'):
            fit_coarse_to_fine([loaders(s) for s in sizes], 1, 0, learner=dict(cbs=FailsAtOnce()), **TINY)

class FailsAtOnce(Callback):
    def before_fit(self): raise AssertionError('it began to train')
