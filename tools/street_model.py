"""Trains the street model that ships with the package, on synthetic streets, and writes it to pix2pixhd_nb/pretrained/street/: make street-model

About an hour on two CPU cores with bf16. The coarse part learns whole streets at 256x128, then an enhancer is put on top and learns
crops of streets of 512x256. Batch norm, whose statistics are fixed once training is over, keeps the change of an edited object
in its place; instance norm would tint the whole picture."""
import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
import torch
from pix2pixhd_nb import __version__
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.learner import fastest_precision, pix2pixhd_learner
from pix2pixhd_nb.training.coarse_to_fine import grow_learner

SIZE, HALF = (256, 512), (128, 256)
RECIPE = dict(scenes=500, seed=0, bs=2, coarse=(5, 7), alone=1, fine=(4, 7), lr=(1e-3, 2e-4), book_scenes=250,
              networks=dict(width=32, n_downsample=2, n_blocks=6, feature_channels=3, encoder_width=16, discriminator_width=32, n_scales=2, norm='batch'))
QUICK = RECIPE | dict(scenes=6, coarse=(1, 0), alone=1, fine=(0, 1), book_scenes=6)
FOLDER = Path(__file__).parents[1] / 'pix2pixhd_nb/pretrained/street'


def train(recipe, save):
    "The coarse part, the enhancer alone, then both; `save` gets the learner after each stage."
    scenes = lambda size: ScenesInMemory(SyntheticScenes(recipe['scenes'], size, seed=recipe['seed']))
    load = lambda scenes, **sizes: scene_dataloaders(scenes, scenes[:2], bs=recipe['bs'], seed=recipe['seed'], **sizes)
    torch.manual_seed(recipe['seed'])
    precision = fastest_precision('cuda' if torch.cuda.is_available() else 'cpu')
    learn = pix2pixhd_learner(load(scenes(HALF)), precision=precision, channels_last=True, **recipe['networks'])
    learn.fit_flat_linear(*recipe['coarse'], lr=recipe['lr'])
    save(learn)
    learn = grow_learner(learn, load(scenes(SIZE), policy='crop', size=HALF), n_enhancer_blocks=2)
    learn.freeze_coarse()
    learn.fit(recipe['alone'], lr=recipe['lr'])
    learn.unfreeze_coarse()
    learn.fit_flat_linear(*recipe['fine'], lr=recipe['lr'])
    save(learn)


def save(learn, recipe, folder, start, size):
    "Write the pipeline with the style book of streets of its size, in 16 bits, and how it was made."
    book = ScenesInMemory(SyntheticScenes(recipe['book_scenes'], size, seed=recipe['seed']))
    model = Pix2PixHD.from_learner(learn, book)
    model.save(folder, half=True)
    how = dict(recipe=recipe, minutes=round((time.time() - start) / 60, 1), precision=learn.model.precision, machine=f'{platform.machine()}, {os.cpu_count()} cores',
               python=platform.python_version(), torch=torch.__version__, pix2pixhd_nb=__version__)
    (Path(folder) / 'how.json').write_text(json.dumps(how, indent=1))
    print(f'saved {folder} after {how["minutes"]} minutes', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--folder', type=Path, default=FOLDER, help='where the model goes')
    parser.add_argument('--quick', action='store_true', help='a few steps, only to see that everything runs')
    args = parser.parse_args()
    recipe, start, sizes = QUICK if args.quick else RECIPE, time.time(), iter((HALF, SIZE))
    train(recipe, lambda learn: save(learn, recipe, args.folder, start, next(sizes)))


if __name__ == '__main__': sys.exit(main())
