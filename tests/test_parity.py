"""The networks, given the weights of golden.pt, generate and score what the 2018 recipe generated and scored, three steps of training included."""
from pathlib import Path

import pytest
import torch

from pix2pixhd_nb.models.boundaries import instance_boundaries
from pix2pixhd_nb.core import one_hot
from pix2pixhd_nb.synthesis.weights_2018 import read_2018_discriminator, read_2018_encoder, read_2018_generator
from pix2pixhd_nb.training.losses import FeatureMatchingLoss, GANLoss, discriminator_losses, generator_losses
from pix2pixhd_nb.models.discriminators import MultiscaleDiscriminator
from pix2pixhd_nb.models.encoder import FeatureEncoder
from pix2pixhd_nb.models.generators import CoarseToFineGenerator, GlobalGenerator
from pix2pixhd_nb.models.pooling import instance_mean

GENERATORS = 'global_generator', 'one_enhancer', 'two_enhancers'
GOLDEN = torch.load(Path(__file__).parent/'golden.pt', weights_only=True)
CONFIG, STATE, TENSORS, STEPS = (GOLDEN[k] for k in ('config', 'state', 'tensors', 'steps'))


def assert_same(found, expected):
    "Largest difference at most 1e-4 of the largest expected value."
    found, expected = torch.as_tensor(found), torch.as_tensor(expected)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


def condition():
    return torch.cat([one_hot(TENSORS['label'], CONFIG['n_classes']), instance_boundaries(TENSORS['inst'])], 1)


def test_boundaries():
    assert_same(instance_boundaries(TENSORS['inst']), TENSORS['boundary'])


def test_pooling():
    assert_same(instance_mean(TENSORS['encoder_raw'], TENSORS['inst']), TENSORS['encoder_pooled'])


def test_training_leaves_the_weights_that_were_read():
    network = read_2018_encoder(STATE['encoder'])
    before = {k: v.clone() for k, v in STATE['encoder'].items()}
    with torch.no_grad(): [p.add_(1) for p in network.parameters()]
    assert all(torch.equal(v, before[k]) for k, v in STATE['encoder'].items())


@torch.no_grad()
def test_encoder():
    encoder = read_2018_encoder(STATE['encoder'])
    assert encoder.config == dict(in_channels=3, out_channels=CONFIG['feature_channels'], width=CONFIG['encoder']['base_width'],
                                  n_downsample=CONFIG['encoder']['n_downsample'], norm='instance')
    assert_same(encoder.raw(TENSORS['image']), TENSORS['encoder_raw'])
    assert_same(encoder(TENSORS['image'], TENSORS['inst']), TENSORS['encoder_pooled'])


@pytest.mark.parametrize('name', GENERATORS)
@torch.no_grad()
def test_generator(name):
    generator = read_2018_generator(STATE[name])
    expected = CONFIG[name]
    assert generator.config['width'] == expected['base_width']
    assert generator.config.get('n_enhancers', 0) == expected.get('n_enhancers', 0)
    assert_same(generator(torch.cat([condition(), TENSORS['encoder_pooled']], 1)), TENSORS[name])


@pytest.mark.parametrize('kind', ['real', 'fake'])
@torch.no_grad()
def test_discriminator_features(kind):
    discriminator = read_2018_discriminator(STATE['discriminator'])
    image = TENSORS['image' if kind == 'real' else 'one_enhancer']
    outputs = discriminator(torch.cat([condition(), image], 1))
    assert [len(o) for o in outputs] == [CONFIG['discriminator']['n_layers'] + 2] * CONFIG['discriminator']['n_scales']
    for i, features in enumerate(outputs):
        for j, feature in enumerate(features): assert_same(feature, TENSORS[f'd_{kind}_{i}_{j}'])


@pytest.mark.parametrize('build, n', [
    (lambda: GlobalGenerator(39), 182_556_163), (lambda: GlobalGenerator(36), 182_546_755), (lambda: CoarseToFineGenerator(36), 182_857_059),
    (FeatureEncoder, 788_803), (lambda: MultiscaleDiscriminator(39), 8_404_803), (lambda: MultiscaleDiscriminator(39, n_scales=2), 5_603_202)])
def test_parameter_counts(build, n):
    "At full size, of Cityscapes: 35 classes and the boundary, 3 features in 39 channels."
    with torch.device('meta'): network = build()
    assert sum(p.numel() for p in network.parameters()) == n


def plain_steps(dtype, **adam):
    "The loss readings of the plain loop: three passes of the discriminator, both losses taken before either network moves."
    networks = [read_2018_generator(STATE['one_enhancer']), read_2018_encoder(STATE['encoder']), read_2018_discriminator(STATE['discriminator'])]
    generator, encoder, discriminator = (network.to(dtype) for network in networks)
    gan_loss, feature_matching = GANLoss('lsgan'), FeatureMatchingLoss(CONFIG['lambda_feat'])
    g_optimizer = torch.optim.Adam([*generator.parameters(), *encoder.parameters()], **CONFIG['adam'], **adam)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), **CONFIG['adam'], **adam)
    given, real, readings = condition().to(dtype), TENSORS['image'].to(dtype), []
    for _ in STEPS:
        fake = generator(torch.cat([given, encoder(real, TENSORS['inst']).to(dtype)], 1))
        real_outputs = discriminator(torch.cat([given, real], 1))
        d_losses = discriminator_losses(discriminator(torch.cat([given, fake.detach()], 1)), real_outputs, gan_loss)
        g_losses = generator_losses(discriminator(torch.cat([given, fake], 1)), real_outputs, gan_loss, feature_matching)
        found = dict(g_gan=g_losses['gan'], g_fm=g_losses['feature_matching'], **d_losses)
        readings.append({name: float(value.detach()) for name, value in found.items()})
        g_optimizer.zero_grad()
        sum(g_losses.values()).backward(retain_graph=True)
        d_optimizer.zero_grad()
        (sum(d_losses.values()) / 2).backward()
        g_optimizer.step()
        d_optimizer.step()
    return readings


def test_three_steps_of_training():
    "In 64 bits; in 32 the first two readings. From the third on, how a processor rounds decides which ReLUs flip: they drift by some 1e-4."
    for found, expected in zip(plain_steps(torch.float64), STEPS):
        for name, value in expected.items(): assert found[name] == pytest.approx(float(value), rel=1e-5)
    for found, expected in list(zip(plain_steps(torch.float32), STEPS))[:2]:
        for name, value in expected.items(): assert found[name] == pytest.approx(float(value), rel=1e-4)
