"""Trains the models of photos that ship with the package: make photo-models DATA=FOLDER

FOLDER holds the datasets, each in a folder of its own in the package's layout: `facades_256` and `facades_ext_256` (CMP facades, and pix2pix's
further ones), `facades_512`, `cityscapes_256`. A training goes on where it was stopped, and writes the pipeline, a sheet of held-out images beside
their targets and a line of its losses every so many steps. `--start MODEL --stage K` trains one stage alone, from a model that is there.
`--method pix2pix` and `--method crn` train the others for comparison, at the full size of the model that ships from the start."""
import argparse
import json
import os
import platform
import random
import sys
import time
from pathlib import Path

import torch
from fastai.callback.core import Callback, CancelFitException
from PIL import Image
from torch import nn

from pix2pixhd_nb import __version__
from pix2pixhd_nb.training.checkpoints import Checkpoint, checkpoints_in, latest_checkpoint
from pix2pixhd_nb.core import colorize, to_pil
from pix2pixhd_nb.data.layouts import open_dataset
from pix2pixhd_nb.data.loaders import resize, scene_dataloaders
from pix2pixhd_nb.training.coarse_to_fine import grow_learner
from pix2pixhd_nb.training.baselines import crn_learner, pix2pix_learner
from pix2pixhd_nb.models.saved import read_description, read_weights
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.learner import fastest_precision, pix2pixhd_learner
from pix2pixhd_nb.training.losses import PerceptualLoss

NETWORKS = dict(width=24, n_downsample=3, n_blocks=6, feature_channels=3, encoder_width=16, discriminator_width=32, n_scales=2, upsampling='resize')
# Coarse to fine in time: most steps are taken where they are cheap; what comes next starts from what was learned so far. Instance norm takes one scene
# a step and learns shapes soonest, batch norm takes two and keeps the colours that the styles ask for; at the full size its statistics stand still.
# A filter takes out the weave of facades at 256x256; streets have none, and an enhancer brings lines of its own.
# Before `styles_after` steps the generator learns what the classes look like, without the encoder. An enhancer learns alone first (Sec. 3.2).
WORLDS = dict(
    facades=dict(folders=('facades_256', 'facades_ext_256'), stages=(
        dict(size=(128, 128), norm='instance', batch=1, steps=2658, styles_after=1000, perceptual_weight=30.),
        dict(size=(128, 128), norm='batch', batch=2, steps=1800, perceptual_weight=20.),
        dict(size=(256, 256), norm='batch', batch=1, steps=30000, perceptual_weight=15., notch=True),
        dict(size=(512, 512), norm='batch', batch=2, steps=243, perceptual_weight=15., folders=('facades_512',), enhancer='alone'),
        dict(size=(512, 512), norm='batch', batch=1, steps=9720, perceptual_weight=15., folders=('facades_512',), enhancer='with the rest'))),
    streets=dict(folders=('cityscapes_256',), stages=(
        dict(size=(64, 128), norm='instance', batch=1, steps=2208, styles_after=1000, perceptual_weight=30.),
        dict(size=(64, 128), norm='batch', batch=2, steps=1104, perceptual_weight=20.),
        dict(size=(128, 256), norm='batch', batch=1, steps=50000, perceptual_weight=15.))))
LR = 2e-4
# As published, but for the CRN's widths, which are a quarter: it must fit the hours, too.
OTHERS = dict(pix2pix=dict(width=64, n_downsample=7, discriminator_width=64), crn=dict(widths=(256, 256, 128, 128, 64, 64, 32)))


class OnCrops(nn.Module):
    "A perceptual loss of one random quarter of the images: as good on the mean of many steps, at a quarter of its cost."
    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, fake, real):
        (h, w), top, left = fake.shape[2:], random.random(), random.random()
        rows, columns = (slice(at, at + n // 2) for n, at in ((h, int(top * (h - h // 2 + 1))), (w, int(left * (w - w // 2 + 1)))))
        return self.loss(fake[..., rows, columns], real[..., rows, columns])


class Scenes(list):
    "Scenes of several folders with the same classes."
    def __init__(self, parts):
        super().__init__((part, i) for part in parts for i in range(len(part)))
        self.label_space = parts[0].label_space

    def __getitem__(self, i):
        part, k = super().__getitem__(i)
        return part[k]


class Record(Callback):
    "Every so many steps: the pipeline, a sheet, the losses."
    order = 66
    def __init__(self, folder, held_out, size, every, seconds, networks, minutes=None):
        self.folder, self.held_out, self.size, self.every, self.networks = folder, held_out, size, every, networks
        self.before, self.start, self.minutes = seconds, time.time(), minutes

    def after_batch(self):
        done = len(self.learn.gan_training.history)
        if not self.training or done % self.every: return
        recent = self.learn.gan_training.history[-self.every:]
        minutes = (self.before + time.time() - self.start) / 60
        line = dict(steps=done, minutes=round(minutes, 1), losses={k: round(sum(h[k] for h in recent) / len(recent), 3) for k in recent[0]})
        with open(self.folder / 'log.jsonl', 'a') as f: f.write(json.dumps(line) + '\n')
        print(line, flush=True)
        write(self.learn, self.folder, self.held_out, self.size, line, self.networks)
        self.learn.model.train()
        if self.minutes is not None and minutes >= self.minutes: raise CancelFitException


class FixedNorm(Callback):
    "Batch norm with the statistics that it has: one scene says too little about them, and what is frozen keeps them."
    order = 5
    def __init__(self, frozen=False): self.frozen = frozen # that of frozen layers alone?
    def before_batch(self):
        for m in self.model.modules():
            if isinstance(m, nn.BatchNorm2d) and not (self.frozen and m.weight.requires_grad): m.eval()


def write(learn, folder, held_out, size, line, networks):
    "The pipeline, what is known of it, and a sheet of held-out scenes."
    pipe = Pix2PixHD.from_learner(learn, with_discriminators='n_scales' in networks) # ours; the next training may start from here
    pipe.save(folder / 'model', half=True)
    how = line | dict(networks=networks, lr=LR, size=size, precision=learn.model.precision,
                      machine=f'{platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} cores', torch=torch.__version__, pix2pixhd_nb=__version__)
    (folder / 'model/how.json').write_text(json.dumps(how, indent=1))
    sheet(pipe, held_out, size).save(folder / f'sheet_{line["steps"]:06d}.png')


def sheet(pipe, scenes, size, n=6):
    "Label maps, images generated with the target's styles and with sampled ones."
    rows = []
    for i in range(n):
        s = scenes[i * len(scenes) // n]
        label, instance, image = (resize(x, size) for x in (s.label_map, s.instance_map, s.image))
        rows.append([to_pil(colorize(label, pipe.label_space)), pipe.predict(label, instance, reference=to_pil(image) if pipe.synthesizer.encoder else None), pipe.predict(label, instance, seed=i)])
    h, w = size
    out = Image.new('RGB', (n * (w + 4), 3 * (h + 4)), 'white')
    for k, row in enumerate(rows):
        for j, picture in enumerate(row): out.paste(picture.convert('RGB'), (k * (w + 4), j * (h + 4)))
    return out


def carry_over(folder, gan): # of the stage before; GAN
    "What the stage before learned; another norm begins anew."
    d = read_description(folder)
    synthesizer = read_weights(folder, d)
    parts = [(gan.synthesizer, synthesizer), (gan.ema_synthesizer, synthesizer)]
    if d.get('discriminator'): parts.append((gan.discriminator, read_weights(folder, d, 'discriminator')))
    for part, tensors in parts:
        known = part.state_dict().keys() & tensors.keys()
        part.load_state_dict({k: tensors[k].float() for k in known}, strict=False)


def new_learner(method, dls, stage, weights):
    "Of this method or of another; its networks."
    shared = dict(precision=fastest_precision('cuda' if torch.cuda.is_available() else 'cpu'), lr=LR)
    if method == 'pix2pix': return pix2pix_learner(dls, **OTHERS[method], **shared), OTHERS[method]
    if method == 'crn': return crn_learner(dls, PerceptualLoss(weights), **OTHERS[method], **shared), OTHERS[method]
    networks = NETWORKS | dict(norm=stage['norm'], notch=stage.get('notch', False))
    return pix2pixhd_learner(dls, ema=0.999, perceptual=OnCrops(PerceptualLoss(weights, stage['perceptual_weight'])), styles_after=stage.get('styles_after', 0), **shared, **networks), networks


def train_stage(stage, train, held_out, folder, start, weights, every, method='ours', minutes=None):
    "One size of images: from the beginning, from a checkpoint, or from the stage before."
    size = stage['size']
    watched = Scenes([held_out])
    del watched[2:] # of a validation in each epoch nothing is used but that it runs
    dls = scene_dataloaders(train, watched, bs=stage['batch'], size=size, load_size=tuple(n * 9 // 8 for n in size), policy='resize_and_crop', seed=0)
    learn, networks = new_learner(method, dls, stage, weights)
    alone, together = (stage.get('enhancer') == how for how in ('alone', 'with the rest'))
    if alone and start: carry_over(start, learn.model)
    if alone or together: learn = grow_learner(learn, dls, lr=LR)
    if alone: learn.freeze_coarse(encoder=True)
    elif start: carry_over(start, learn.model)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / 'log.jsonl'
    seconds = 60 * json.loads(log.read_text().splitlines()[-1])['minutes'] if log.exists() else 0.
    resume = latest_checkpoint(folder) if checkpoints_in(folder) else None
    record = Record(folder, held_out, size, every, seconds, networks, minutes)
    epochs = max(1, round(stage['steps'] / len(dls.train)))
    falling = min(epochs, round(stage.get('falling', 0) / len(dls.train)))
    extra = [FixedNorm(alone)] * (method == 'ours' and (alone or stage['norm'] == 'batch' and stage['batch'] == 1))
    with learn.no_bar(): learn.fit_flat_linear(epochs - falling, falling, LR, cbs=[Checkpoint(folder, every=100, keep=2, resume=resume), record, *extra])
    Pix2PixHD.from_learner(learn, with_discriminators=method == 'ours').save(folder / 'model', half=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('world', choices=list(WORLDS))
    parser.add_argument('data', type=Path, help='folder of the datasets')
    parser.add_argument('folder', type=Path, help='where checkpoints, sheets and the model go')
    parser.add_argument('--vgg', default='vgg19', help="VGG19's weights, a path; torchvision's by default")
    parser.add_argument('--start', type=Path, help='a saved pipeline, as one that ships: one stage is trained, from its weights')
    parser.add_argument('--stage', type=int, default=3, help='which one, with --start; 3, the longest, by default')
    parser.add_argument('--method', choices=['ours', *OTHERS], default='ours')
    parser.add_argument('--minutes', type=float, help='end a stage of --start, or of another method, after so many')
    parser.add_argument('--steps', type=int, help='of the one stage, instead of its own')
    parser.add_argument('--falling', type=int, help='of these steps, the last so many with a learning rate that falls to zero')
    parser.add_argument('--every', type=int, default=500, help='steps between sheets')
    args = parser.parse_args()
    world = WORLDS[args.world]
    torch.manual_seed(0)
    start, one = args.start, args.stage if args.start else 3 if args.method != 'ours' else None
    for k, stage in enumerate(world['stages'], 1):
        if one not in (None, k): continue
        if one: stage = stage | {name: value for name, value in dict(steps=args.steps, falling=args.falling).items() if value is not None}
        folder, names = args.folder / f'stage_{k}', stage.get('folders', world['folders'])
        train = Scenes([open_dataset(args.data / name, 'train', need_images=True) for name in names])
        held_out = open_dataset(args.data / names[0], 'val', need_images=True)
        if not (folder / 'done').exists():
            train_stage(stage, train, held_out, folder, start, args.vgg, args.every, args.method, args.minutes if one else None)
            (folder / 'done').touch()
        start = folder / 'model'
    return 0


if __name__ == '__main__': sys.exit(main())
