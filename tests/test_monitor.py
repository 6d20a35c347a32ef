"What the monitor says: of a training that goes on, of a history that another learner has, and with another weight of the adversarial loss."
import torch
from fastai.callback.core import Callback, CancelFitException
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.training.checkpoints import Checkpoint, latest_checkpoint
from pix2pixhd_nb.training.learner import pix2pixhd_learner
from pix2pixhd_nb.training.monitor import ALARMS, GANMonitor, loss_meaning, plot_history

TINY = dict(width=4, n_downsample=2, n_blocks=1, discriminator_width=4, n_scales=2)

def learner(size=(32, 64), **options):
    torch.manual_seed(0)
    scenes = ScenesInMemory(SyntheticScenes(5, size=size))
    return pix2pixhd_learner(scene_dataloaders(scenes[:4], scenes[4:], bs=2, seed=0, device='cpu'), **TINY | options)

def fit(learn, n, *cbs):
    with learn.no_bar(), learn.no_logging(): learn.fit(n, cbs=cbs)
    return learn

class StopAfter(Callback):
    "Breaks off after so many epochs, when they are saved."
    order = 70
    def __init__(self, n): self.n = n
    def after_epoch(self):
        if self.epoch + 1 == self.n: raise CancelFitException


def test_going_on_leaves_the_previews_that_are_there(tmp_path, capsys):
    previews, saved = tmp_path / 'previews', tmp_path / 'saved'
    fit(learner(), 4, Checkpoint(saved), GANMonitor(folder=previews, live=False), StopAfter(2))
    before = {p.name: p.read_bytes() for p in previews.glob('epoch_*.png')}
    assert sorted(before) == ['epoch_0001.png', 'epoch_0002.png'] and 'Epoch 2' in capsys.readouterr().out
    monitor = GANMonitor(folder=previews, live=False)
    fit(learner(), 4, Checkpoint(saved, resume=latest_checkpoint(saved)), monitor)
    assert all((previews / name).read_bytes() == old for name, old in before.items())
    assert sorted(monitor.previews) == [3, 4] and (previews / 'epoch_0004.png').is_file()
    said = capsys.readouterr().out
    assert 'Epoch 3' in said and 'Epoch 4' in said and 'Epoch 1' not in said and 'Epoch 2' not in said
    assert monitor.held_out[4] == {} and sorted(monitor.held_out) == [4, 6, 8] # the first epoch began at the fourth batch


def test_an_alarm_is_counted_as_in_the_history(monkeypatch):
    def always(history, **terms): return f'{len(history)} batches'
    monkeypatch.setitem(ALARMS, 'window', [always])
    monkeypatch.setitem(ALARMS, 'epoch', [])
    monkeypatch.setitem(ALARMS, 'preview', [])
    monitor, learn = GANMonitor(live=False, window=8, again=3), learner()
    fit(learn, 1) # without it
    fit(learn, 1, monitor)
    assert [(a.batch, a.message) for a in monitor.alarms] == [(3, '4 batches')]
    fit(learner(), 1, monitor) # a learner with a history of its own
    assert [a.batch for a in monitor.alarms] == [3, 1] and sorted(monitor.held_out) == [2]


def test_levels_are_those_of_the_weight():
    assert '0.50; if it stays near 2.00' in loss_meaning('gan', n_scales=2)
    assert '1.00; if it stays near 4.00' in loss_meaning('gan', n_scales=2, gan_weight=2.)
    assert loss_meaning('d_real', gan_weight=2.) == loss_meaning('d_real')
    learn = learner(gan_weight=2.)
    monitor = GANMonitor(live=False)
    fit(learn, 1, monitor)
    monitor.learn = learn
    assert monitor.terms == dict(kind='lsgan', n_scales=2, gan_weight=2.)
    assert 'above 1.00' in monitor.loss_lines()[0]
    panel, *_ = plot_history(learn).axes
    assert 1. in [line.get_ydata()[0] for line in panel.lines] and 'stays near 4.00' in ' '.join(panel.get_xlabel().split())


def test_losses_below_zero_are_shown():
    panel, *_ = plot_history([dict(gan=-1.), dict(gan=-0.2)] * 5, kind='hinge').axes
    low, high = panel.get_ylim()
    assert low < -1 and high > 0

def test_a_validation_is_no_epoch():
    learn = learner(cbs=GANMonitor(live=False))
    with learn.no_bar(), learn.no_logging():
        for look in (learn.validate, learn.get_preds):
            learn.fit(1)
            look()
        learn.fit(1)
    assert list(learn.gan_monitor.previews) == [1, 2, 3]

def test_previews_wait_for_the_styles_as_the_training_does():
    learn = learner(feature_channels=2, encoder_width=4, styles_after=3)
    monitor = GANMonitor(live=False)
    for _ in range(2):
        fit(learn, 1, monitor)
        assert torch.allclose(list(monitor.previews.values())[-1][0], learn.get_preds()[0][0], atol=1e-6)
