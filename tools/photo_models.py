"""Trains the models of photos that ship with the package: make photo-models DATA=FOLDER

FOLDER holds the datasets, each in a folder of its own in the package's layout: `facades_256` and `facades_ext_256` (CMP facades, and pix2pix's
further ones), `cityscapes_256`. A training goes on where it was stopped, and writes the pipeline, a sheet of held-out images beside their targets
and a line of its losses every so many steps: photo_models.py facades FOLDER, photo_models.py streets FOLDER."""
import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import torch
from fastai.callback.core import Callback
from PIL import Image

from pix2pixhd_nb import __version__
from pix2pixhd_nb.training.checkpoints import Checkpoint, checkpoints_in, latest_checkpoint
from pix2pixhd_nb.core import colorize, to_pil
from pix2pixhd_nb.data.layouts import open_dataset
from pix2pixhd_nb.data.loaders import resize, scene_dataloaders
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.learner import fastest_precision, pix2pixhd_learner

NETWORKS = dict(width=32, n_downsample=3, n_blocks=5, feature_channels=3, encoder_width=16, discriminator_width=48, n_scales=2, norm='batch', upsampling='resize')
OBJECTIVE = dict(perceptual='small', gan_weight=2., average=0.999)
WORLDS = dict(facades=dict(folders=('facades_256', 'facades_ext_256'), size=(256, 256), load_size=(286, 286), steps=40000),
              streets=dict(folders=('cityscapes_256',), size=(128, 256), load_size=(144, 288), steps=60000))
BATCH, LR = 2, 2e-4


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
    def __init__(self, folder, held_out, size, every, seconds): self.folder, self.held_out, self.size, self.every, self.before, self.start = folder, held_out, size, every, seconds, time.time()

    def after_batch(self):
        done = len(self.learn.gan_training.history)
        if not self.training or done % self.every: return
        recent = self.learn.gan_training.history[-self.every:]
        line = dict(steps=done, minutes=round((self.before + time.time() - self.start) / 60, 1), losses={k: round(sum(h[k] for h in recent) / len(recent), 3) for k in recent[0]})
        with open(self.folder / 'log.jsonl', 'a') as f: f.write(json.dumps(line) + '\n')
        print(line, flush=True)
        write(self.learn, self.folder, self.held_out, self.size, line)
        self.learn.model.train()


def write(learn, folder, held_out, size, line):
    "The pipeline, what is known of it, and a sheet of held-out scenes."
    pipe = Pix2PixHD.from_learner(learn)
    pipe.save(folder / 'model', half=True)
    how = line | dict(networks=NETWORKS, objective=OBJECTIVE, batch=BATCH, lr=LR, size=size, precision=learn.model.precision,
                      machine=f'{platform.machine()}, {os.cpu_count()} cores', torch=torch.__version__, pix2pixhd_nb=__version__)
    (folder / 'model/how.json').write_text(json.dumps(how, indent=1))
    sheet(pipe, held_out, size).save(folder / f'sheet_{line["steps"]:06d}.png')


def sheet(pipe, scenes, size, n=6):
    "Label maps, images generated with the target's styles and with sampled ones."
    rows = []
    for i in range(n):
        s = scenes[i * len(scenes) // n]
        label, instance, image = (resize(x, size) for x in (s.label_map, s.instance_map, s.image))
        rows.append([to_pil(colorize(label, pipe.label_space)), pipe.predict(label, instance, reference=to_pil(image)), pipe.predict(label, instance, seed=i)])
    h, w = size
    out = Image.new('RGB', (n * (w + 4), 3 * (h + 4)), 'white')
    for k, row in enumerate(rows):
        for j, picture in enumerate(row): out.paste(picture.convert('RGB'), (k * (w + 4), j * (h + 4)))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('world', choices=list(WORLDS))
    parser.add_argument('data', type=Path, help='folder of the datasets')
    parser.add_argument('folder', type=Path, help='where checkpoints, sheets and the model go')
    parser.add_argument('--steps', type=int, help="of the whole training; the world's own by default")
    parser.add_argument('--every', type=int, default=500, help='steps between sheets')
    args = parser.parse_args()
    world = WORLDS[args.world]
    torch.manual_seed(0)
    train = Scenes([open_dataset(args.data / name, 'train', need_images=True) for name in world['folders']])
    held_out = open_dataset(args.data / world['folders'][0], 'val', need_images=True)
    watched = Scenes([held_out])
    del watched[2:] # of a validation in each epoch nothing is used but that it runs
    dls = scene_dataloaders(train, watched, bs=BATCH, size=world['size'], load_size=world['load_size'], policy='resize_and_crop', seed=0)
    learn = pix2pixhd_learner(dls, precision=fastest_precision('cuda' if torch.cuda.is_available() else 'cpu'), lr=LR, **NETWORKS, **OBJECTIVE)
    args.folder.mkdir(parents=True, exist_ok=True)
    log = args.folder / 'log.jsonl'
    seconds = 60 * json.loads(log.read_text().splitlines()[-1])['minutes'] if log.exists() else 0.
    resume = latest_checkpoint(args.folder) if checkpoints_in(args.folder) else None
    epochs = round((args.steps or world['steps']) / len(dls.train))
    flat = round(0.7 * epochs)
    with learn.no_bar(): learn.fit_flat_linear(flat, epochs - flat, cbs=[Checkpoint(args.folder, every=100, keep=2, resume=resume), Record(args.folder, held_out, world['size'], args.every, seconds)])
    return 0


if __name__ == '__main__': sys.exit(main())
