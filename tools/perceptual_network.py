"""Trains the small perceptual network that ships with the package, and writes it to pix2pixhd_nb/pretrained/perceptual/:
make perceptual-network DATA=FOLDER

FOLDER holds `weights/vgg19_imagenet_to_relu3_4.pth` (VGG19's first convolutions, torchvision's names and scale) and datasets with photos, in folders
of the package's own layout. Half of each batch are synthetic scenes. About a quarter of an hour on two CPU cores; it goes on where it was stopped."""
import argparse
import json
import os
import platform
import random
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from pix2pixhd_nb import __version__
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.data.layouts import open_dataset
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.training.losses import PerceptualLoss
from pix2pixhd_nb.models.perceptual_network import WIDTHS, PerceptualNetwork

FOLDER = Path(__file__).parents[1] / 'pix2pixhd_nb/pretrained/perceptual'
VGG_CHANNELS, CROP, BATCH, LR, STEPS = (64, 128, 256), 96, 12, 2e-3, 700
PHOTOS = 'facades_256', 'facades_ext_256', 'camvid_256', 'cityscapes_256'
CLASSES_WEIGHT = 0.3 # of the loss of the classes, beside that of VGG19's features


class Student(nn.Module):
    "The network with what only its training needs: a 1x1 convolution to each slice of VGG19, and classes of each kind of scene."
    def __init__(self, n_classes): # of each kind of scene
        super().__init__()
        self.network = PerceptualNetwork()
        self.to_vgg = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(WIDTHS, VGG_CHANNELS))
        self.to_classes = nn.ModuleList(nn.Sequential(nn.Conv2d(WIDTHS[-1], WIDTHS[-1], 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTHS[-1], n, 1)) for n in n_classes)


def sample(scenes, n, rng):
    "Random crops, flipped half of the time, a little brighter or darker: images and label maps."
    images, labels = [], []
    for _ in range(n):
        s = scenes[rng.randrange(len(scenes))]
        top, left = (rng.randrange(max(1, side - CROP + 1)) for side in s.size)
        flip = (-1,) if rng.random() < 0.5 else ()
        images.append(s.image[:, top:top + CROP, left:left + CROP].flip(flip) * rng.uniform(0.8, 1.2) + rng.uniform(-0.1, 0.1))
        labels.append(s.label_map[0, top:top + CROP, left:left + CROP].flip(flip))
    return torch.stack(images).clamp(-1, 1), torch.stack(labels).long()


def damaged(images, rng):
    "Some images as a generator in training makes them: blurred, with noise or with a grid. VGG19 says what they look like."
    out = images.clone()
    for i in range(0, len(out), 3):
        kind = rng.randrange(3)
        if kind == 0: out[i] = F.interpolate(F.avg_pool2d(out[i:i + 1], 4), scale_factor=4, mode='bilinear')[0]
        if kind == 1: out[i] += rng.uniform(0.05, 0.4) * torch.randn_like(out[i])
        if kind == 2: out[i] += rng.uniform(0.05, 0.4) * (torch.arange(CROP) % 2 * 2 - 1).view(1, *rng.choice([(1, -1), (-1, 1)]))
    return out.clamp(-1, 1)


def loss_of(student, vgg, spread, sets, spaces, rng):
    "Distance to VGG19's features, each channel measured by its spread, and the classes' cross-entropy."
    total, k = 0., rng.randrange(1, len(sets))
    for kind in (0, k):
        images, labels = sample(sets[kind], BATCH // 2, rng)
        seen = damaged(images, rng)
        features = student.network(seen)
        with torch.no_grad(): targets = vgg.features(seen)
        for f, to_vgg, t, s in zip(features, student.to_vgg, targets, spread): total = total + ((to_vgg(f) - t) / s).square().mean() / 3
        scores = student.to_classes[kind](features[-1])
        labels = labels[:, 4::8, 4::8][:, :scores.shape[-2], :scores.shape[-1]]
        space = spaces[kind]
        wanted = torch.where((labels >= 0) & (labels < space.n_classes), labels, -1)
        total = total + CLASSES_WEIGHT * F.cross_entropy(scores, wanted, ignore_index=-1)
    return total / 2


@torch.no_grad()
def spread_of(vgg, sets, rng):
    "The standard deviation of each channel of VGG19's slices."
    images = torch.cat([sample(s, 16, rng)[0] for s in sets])
    return [f.transpose(0, 1).flatten(1).std(1).view(1, -1, 1, 1).clamp(min=1e-2) for f in vgg.features(images)]


@torch.no_grad()
def normalise(network, sets, rng):
    "Give each slice's feature maps the mean 1: a factor that one convolution takes, the next gives back."
    images, taken = torch.cat([sample(s, 16, rng)[0] for s in sets]), 1.
    for part, features in zip(network.slices, network(images)):
        first, last = [m for m in part if isinstance(m, nn.Conv2d)][0], [m for m in part if isinstance(m, nn.Conv2d)][-1]
        first.weight *= taken
        taken = features.mean().item()
        last.weight /= taken
        last.bias /= taken


@torch.no_grad()
def explained(student, vgg, sets, spread, rng):
    "The share of the variance of VGG19's features that each slice predicts, on held-out scenes."
    shares = []
    images = torch.cat([sample(s, 8, rng)[0] for s in sets])
    for f, to_vgg, t, s in zip(student.network(images), student.to_vgg, vgg.features(images), spread):
        variance = ((t - t.mean((0, 2, 3), keepdim=True)) / s).square().mean()
        shares.append(1 - (((to_vgg(f) - t) / s).square().mean() / variance).item())
    return shares


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='folder of the weights and of the datasets')
    parser.add_argument('--folder', type=Path, default=FOLDER, help='where the network goes')
    parser.add_argument('--steps', type=int, default=STEPS)
    args = parser.parse_args()
    torch.manual_seed(0)
    rng, start = random.Random(0), time.time()
    photos = [open_dataset(args.data / name, 'train') for name in PHOTOS]
    held_out = [SyntheticScenes(40, (CROP, 2 * CROP), seed=901)] + [open_dataset(args.data / name, 'val') for name in PHOTOS]
    sets = [ScenesInMemory(SyntheticScenes(300, (CROP, 2 * CROP), seed=900))] + photos
    spaces = [s.label_space for s in sets]
    vgg = PerceptualLoss(args.data / 'weights/vgg19_imagenet_to_relu3_4.pth', layers=3)
    student, spread = Student([s.n_classes for s in spaces]), spread_of(vgg, sets, rng)
    opt = torch.optim.AdamW(student.parameters(), LR, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(opt, LR, args.steps, pct_start=0.1)
    part, first, seconds = args.folder / 'training.pt', 0, 0.
    if part.exists():
        state = torch.load(part, weights_only=True)
        for thing, name in ((student, 'student'), (opt, 'opt'), (schedule, 'schedule')): thing.load_state_dict(state[name])
        first, seconds, rng = state['step'], state['seconds'], random.Random(state['step'])
    args.folder.mkdir(parents=True, exist_ok=True)
    for step in range(first, args.steps):
        loss = loss_of(student, vgg, spread, sets, spaces, rng)
        opt.zero_grad(); loss.backward(); opt.step(); schedule.step()
        if step % 100 == 99:
            done = seconds + time.time() - start
            print(f'{step + 1} steps, {done / 60:.1f} minutes, loss {loss.item():.3f}', flush=True)
            torch.save(dict(student=student.state_dict(), opt=opt.state_dict(), schedule=schedule.state_dict(), step=step + 1, seconds=done), part)
    shares = explained(student, vgg, held_out, spread, random.Random(1))
    normalise(student.network, sets, rng)
    save_file({k: v.half().contiguous() for k, v in student.network.state_dict().items()}, args.folder / 'weights.safetensors')
    how = dict(steps=args.steps, batch=BATCH, crop=CROP, lr=LR, classes_weight=CLASSES_WEIGHT, photos=PHOTOS, variance_explained=[round(s, 3) for s in shares],
               minutes=round((seconds + time.time() - start) / 60, 1), machine=f'{platform.machine()}, {os.cpu_count()} cores', torch=torch.__version__, pix2pixhd_nb=__version__)
    (args.folder / 'how.json').write_text(json.dumps(how, indent=1))
    part.unlink(missing_ok=True)
    print(json.dumps(how, indent=1))


if __name__ == '__main__': sys.exit(main())
