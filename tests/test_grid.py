"The measure of grids finds those that are put in, and none elsewhere."
import json
import sys
from pathlib import Path

import pytest
import torch

from pix2pixhd_nb.data.layouts import save_scenes
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.learner import pix2pixhd_networks

sys.path.insert(0, str(Path(__file__).parents[1] / 'benchmarks'))
from grid import grid, main, peak, power


@pytest.fixture(scope='module')
def targets(): return [s.image for s in SyntheticScenes(6, size=(64, 128), seed=3)]


def pattern(period, axis):
    "A wave of a period of so many pixels along rows (-1) or columns (-2)."
    n = (64, 128)[axis]
    wave = torch.cos(2 * torch.pi * torch.arange(n) / period)
    return wave if axis == -1 else wave[:, None]


def test_targets_have_no_grid_beside_themselves(targets):
    worst, peaks = grid(targets, targets)
    assert worst == pytest.approx(1) and len(peaks) == 6


@pytest.mark.parametrize('axis, name', [(-1, 'rows'), (-2, 'columns')])
@pytest.mark.parametrize('period, frequency', [(2, '0.5'), (4, '0.25'), (8 / 3, '0.375')])
def test_a_grid_is_found_where_it_is(targets, axis, name, period, frequency):
    worst, peaks = grid([t + 0.1 * pattern(period, axis) for t in targets], targets)
    assert worst > 2 and max(peaks, key=peaks.get) == f'{name} {frequency}'


def test_noise_and_blur_are_no_grid(targets):
    torch.manual_seed(0)
    assert grid([t + 0.1 * torch.randn_like(t) for t in targets], targets)[0] < 1.4


def test_power_of_a_plain_wave_is_at_its_frequency():
    wave = torch.cos(2 * torch.pi * torch.arange(64) / 4).expand(3, 8, 64)
    assert power([wave], -1).argmax() == 16
    assert peak(power([wave], -1), 1/4) > 100


def test_a_model_without_styles_is_measured(tmp_path, monkeypatch):
    pipe = Pix2PixHD(pix2pixhd_networks(LABEL_SPACE.n_classes, width=4, n_downsample=2, n_blocks=1)[0], LABEL_SPACE)
    pipe.save(tmp_path / 'model')
    save_scenes(SyntheticScenes(2, size=(32, 64)), tmp_path / 'data', LABEL_SPACE, 'val')
    monkeypatch.setattr(sys, 'argv', ['grid.py', str(tmp_path / 'model'), '--data', str(tmp_path / 'data'), '--out', str(tmp_path / 'found.json')])
    main()
    found = json.loads((tmp_path / 'found.json').read_text())
    assert list(found) == ['generated'] and found['generated']['grid'] > 0
