"""The perceptual loss: the weight of each slice, and real VGG19 weights where they are to be had: PIX2PIXHD_DATA, or ../shared/data beside the checkout."""
import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pix2pixhd_nb.data.toy import draw_scene
from pix2pixhd_nb.losses import VGG_SLICES, PerceptualLoss

DATA = Path(os.environ.get('PIX2PIXHD_DATA', Path(__file__).parents[2]/'shared'/'data'))
WEIGHTS = DATA/'weights'/'vgg19_imagenet_to_relu3_4.pth'
with_real_weights = pytest.mark.skipif(not WEIGHTS.is_file(), reason=f'no VGG19 weights at {WEIGHTS}; set PIX2PIXHD_DATA')


def torchvision_loss(fake, real, normalize):
    "The first three slices through torchvision's own VGG19."
    from torchvision.models import vgg19
    layers = vgg19(weights=None).features[:18].eval()
    missing, surplus = layers.load_state_dict({k.removeprefix('features.'): v for k, v in torch.load(WEIGHTS, weights_only=True).items()}, strict=False)
    assert not missing and not surplus
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    if normalize: fake, real = (((x + 1) / 2 - mean) / std for x in (fake, real))
    return 10 * sum(w * F.l1_loss(layers[:n](fake), layers[:n](real)) for n, w in ((2, 1/32), (7, 1/16), (12, 1/8)))


@with_real_weights
@pytest.mark.parametrize('normalize', [True, False])
@torch.no_grad()
def test_equals_torchvision(normalize):
    real, fake = draw_scene(1, size=(64, 128)).image[None], draw_scene(2, size=(64, 128)).image[None]
    with pytest.warns(UserWarning, match='perceptual, 3 slices: the weights stop early, kept relu1_1, relu2_1, relu3_1, left out relu4_1, relu5_1'):
        loss = PerceptualLoss(WEIGHTS, normalize=normalize)
    assert torch.allclose(loss(fake, real), torchvision_loss(fake, real, normalize), rtol=1e-4)


@with_real_weights
def test_three_slices_on_purpose_are_silent(recwarn):
    PerceptualLoss(WEIGHTS, layers=3)
    assert not recwarn.list


@pytest.mark.parametrize('slice_, weight', list(enumerate([1/32, 1/16, 1/8, 1/4, 1])))
def test_weight_of_each_slice(slice_, weight):
    "Feature maps that differ by 1 in one slice alone."
    numbers = [n for ns in VGG_SLICES.values() for n in ns]
    loss = PerceptualLoss({f'{n}.{k}': torch.zeros((4, 3 if n == 0 else 4, 3, 3) if k == 'weight' else 4) for n in numbers for k in ('weight', 'bias')})
    assert len(loss.slices) == 5
    loss.features = lambda image: [image if i == slice_ else torch.zeros(1) for i in range(5)]
    assert loss(torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)) == 10 * weight
