"""The perceptual loss: the weight of each slice, and real VGG19 weights where they are to be had: PIX2PIXHD_DATA, or ../shared/data beside the checkout."""
import os
import weakref
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pix2pixhd_nb.data.toy import synthetic_scene
from pix2pixhd_nb.models.vgg19 import VGG_SLICES
from pix2pixhd_nb.training.losses import PerceptualLoss

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
    real, fake = synthetic_scene(1, size=(64, 128)).image[None], synthetic_scene(2, size=(64, 128)).image[None]
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
    loss = PerceptualLoss({f'{n}.{k}': torch.zeros((4, 3 if n == 0 else 4, 3, 3) if k == 'weight' else 4) for n in numbers for k in ('weight', 'bias')}, scale_check=False)
    assert len(loss.slices) == 5
    loss.features = lambda image: [image if i == slice_ else torch.zeros(1) for i in range(5)]
    assert loss(torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)) == 10 * weight


def random_vgg():
    numbers = [n for ns in VGG_SLICES.values() for n in ns]
    torch.manual_seed(0)
    return PerceptualLoss({f'{n}.{k}': torch.randn((4, 3 if n == 0 else 4, 3, 3) if k == 'weight' else 4) / 3 for n in numbers for k in ('weight', 'bias')}, scale_check=False)


def loss_and_waiting(loss, fake, real, of=None):
    "The loss, and how many outputs of slices are still alive after it."
    alive = []
    hooks = [s.register_forward_hook(lambda m, i, o: alive.append(weakref.ref(o.untyped_storage()))) for s in loss.slices]
    value = (of or loss)(fake, real)
    for h in hooks: h.remove()
    return value, sum(r() is not None for r in alive)


def test_no_feature_map_waits_for_the_backward_pass():
    "The gradient is that of the ordinary way, times whatever comes from above."
    loss, real, fake = random_vgg(), torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32, requires_grad=True)
    value, waiting = loss_and_waiting(loss, fake, real)
    assert waiting == 0
    assert loss_and_waiting(loss, fake, real, loss.distance)[1] >= 5, 'the ordinary way keeps them'
    assert torch.equal(value, loss.distance(fake, real))
    expected, = torch.autograd.grad(loss.distance(fake, real), fake)
    (3 * value).backward()
    assert torch.allclose(fake.grad, 3 * expected)
    assert not loss(fake.detach(), real).requires_grad
    with torch.no_grad(): assert not loss(fake, real).requires_grad


@pytest.mark.parametrize('dtype, at_once', [(torch.bfloat16, True), (torch.float16, False)])
def test_in_fp16_the_gradient_waits_for_the_scale_of_the_loss(dtype, at_once):
    loss, real, fake = random_vgg(), torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32, requires_grad=True)
    with torch.autocast('cpu', dtype): value, _ = loss_and_waiting(loss, fake, real)
    assert ('AtOnce' in type(value.grad_fn).__name__) == at_once


@with_real_weights
def test_weights_from_caffe_are_refused_and_mended_by_their_scale():
    "Caffe's VGG19 expects pixels from 0 to 255: all activations are 57.63 times as large."
    state = {k: v for k, v in torch.load(WEIGHTS, weights_only=True).items()}
    caffe = {k: v * 57.63 if k.endswith('bias') or k.split('.')[-2] == '0' else v for k, v in state.items()}
    for normalize in (True, False): # the 2018 way needs the check as much
        with pytest.raises(ValueError, match=r'is 29\.4, and that of .* is 0\.51: .*57\.6 times .*scale=57\.63'): PerceptualLoss(caffe, layers=3, normalize=normalize)
    real, fake = (synthetic_scene(i, size=(32, 64)).image[None] for i in (1, 2))
    assert torch.allclose(PerceptualLoss(caffe, layers=3, scale=57.63)(fake, real), PerceptualLoss(WEIGHTS, layers=3)(fake, real), rtol=1e-3)
    unchecked = PerceptualLoss(caffe, layers=3, scale_check=False)(fake, real)
    assert unchecked > 50 * PerceptualLoss(WEIGHTS, layers=3)(fake, real)


def test_the_small_network_needs_no_file_and_weighs_its_slices_alike():
    loss, (real, fake) = PerceptualLoss('small', weight=3.), (synthetic_scene(i, size=(32, 64)).image[None] for i in (1, 2))
    by_hand = sum(F.l1_loss(a, b) for a, b in zip(loss.features(fake), loss.features(real))) / 4
    assert torch.allclose(loss(fake, real), 3 * by_hand) and loss(real, real) == 0
    assert not any(p.requires_grad for p in loss.parameters())
    assert sum(p.numel() for p in loss.parameters()) < 500_000


@with_real_weights
def test_the_small_network_ranks_damage_as_vgg19_does():
    "Over scenes that are blurred, shifted, made brighter, given noise or a grid, distances of both networks go up and down together."
    small, vgg, pairs = PerceptualLoss('small'), PerceptualLoss(WEIGHTS, layers=3), []
    torch.manual_seed(0)
    for seed in range(6):
        image = synthetic_scene(seed, size=(64, 128)).image[None]
        damaged = [F.avg_pool2d(image, 5, 1, 2), F.avg_pool2d(image, 3, 1, 1), image.roll(2, -1), image + 0.1, image + 0.1 * torch.randn_like(image),
                   image + 0.1 * (torch.arange(128) % 2 * 2 - 1), image.flip(-1)]
        pairs += [(small(x, image).item(), vgg(x, image).item()) for x in damaged]
    ranks = torch.tensor(pairs).argsort(0).argsort(0).double()
    assert torch.corrcoef(ranks.T)[0, 1] > 0.8
