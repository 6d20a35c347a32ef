"""Trains the street model that ships with the package, on synthetic streets, and writes it to pix2pixhd_nb/pretrained/street/: make street-model

Some hours on one CPU core; stopped, it goes on with the same command. The recipe is the demo's, for longer: resize-convolutions, so that there is
no grid, the small perceptual network that ships, and a moving average of the weights. The coarse part learns whole streets at 256x128, then an
enhancer is put on top and learns crops of streets of 512x256. Batch norm, whose statistics are fixed once training is over, keeps the change of
an edited object in its place; instance norm would tint the whole picture."""
import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
import torch
from fastai.callback.core import Callback
from pix2pixhd_nb import __version__
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.checkpoints import Checkpoint, checkpoints_in, latest_checkpoint
from pix2pixhd_nb.training.learner import fastest_precision, pix2pixhd_learner
from pix2pixhd_nb.training.coarse_to_fine import grow_learner

SIZE, HALF = (256, 512), (128, 256)
RECIPE = dict(scenes=500, seed=0, bs=2, coarse=(5, 7), alone=1, fine=(14, 12), lr=(1e-3, 2e-4), book_scenes=250,
              networks=dict(width=32, n_downsample=2, n_blocks=6, feature_channels=3, encoder_width=16, discriminator_width=32, n_scales=2, norm='batch', upsampling='resize'),
              objective=dict(perceptual='small', gan_weight=2., ema=0.998))
QUICK = RECIPE | dict(scenes=6, coarse=(1, 0), alone=1, fine=(0, 1), book_scenes=6)
FOLDER = Path(__file__).parents[1] / 'pix2pixhd_nb/pretrained/street'


class Clock(Callback):
    "Minutes of all runs together, kept in a file."
    def __init__(self, file):
        self.file, self.start = file, time.time()
        self.before = float(file.read_text()) if file.exists() else 0.

    @property
    def minutes(self): return self.before + (time.time() - self.start) / 60

    def after_batch(self):
        if self.training and self.train_iter % 100 == 0: self.file.write_text(str(self.minutes))


def going_on(folder, every=100):
    "A checkpoint callback that takes up what lies in its folder."
    return Checkpoint(folder, every=every, keep=1, resume=latest_checkpoint(folder) if checkpoints_in(folder) else None)


def train(recipe, save, work, clock):
    "The coarse part, the enhancer alone, then both; `save` gets the learner after each stage, `work` the checkpoints."
    scenes = lambda size: ScenesInMemory(SyntheticScenes(recipe['scenes'], size, seed=recipe['seed']))
    load = lambda scenes, **sizes: scene_dataloaders(scenes, scenes[:2], bs=recipe['bs'], seed=recipe['seed'], **sizes)
    torch.manual_seed(recipe['seed'])
    precision = fastest_precision('cuda' if torch.cuda.is_available() else 'cpu')
    learn = pix2pixhd_learner(load(scenes(HALF)), precision=precision, channels_last=True, cbs=clock, **recipe['networks'], **recipe['objective'])
    with learn.no_bar(): learn.fit_flat_linear(*recipe['coarse'], lr=recipe['lr'], cbs=going_on(work/'coarse'))
    save(learn)
    learn = grow_learner(learn, load(scenes(SIZE), policy='crop', size=HALF), n_enhancer_blocks=2, cbs=clock)
    learn.freeze_coarse()
    with learn.no_bar(): learn.fit(recipe['alone'], lr=recipe['lr'], cbs=going_on(work/'alone'))
    learn.unfreeze_coarse()
    with learn.no_bar(): learn.fit_flat_linear(*recipe['fine'], lr=recipe['lr'], cbs=going_on(work/'fine'))
    save(learn)


def save(learn, recipe, folder, clock, size):
    "Write the pipeline with the style book of streets of its size, in 16 bits, and how it was made."
    book = ScenesInMemory(SyntheticScenes(recipe['book_scenes'], size, seed=recipe['seed']))
    model = Pix2PixHD.from_learner(learn, book)
    model.save(folder, half=True)
    how = dict(recipe=recipe, minutes=round(clock.minutes, 1), precision=learn.model.precision, machine=f'{platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} cores',
               python=platform.python_version(), torch=torch.__version__, pix2pixhd_nb=__version__)
    (Path(folder) / 'how.json').write_text(json.dumps(how, indent=1))
    print(f'saved {folder} after {how["minutes"]} minutes', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--folder', type=Path, default=FOLDER, help='where the model goes')
    parser.add_argument('--work', type=Path, default=Path('street_model'), help='where checkpoints go, and are taken up')
    parser.add_argument('--quick', action='store_true', help='a few steps, only to see that everything runs')
    args = parser.parse_args()
    recipe, sizes = QUICK if args.quick else RECIPE, iter((HALF, SIZE))
    args.work.mkdir(parents=True, exist_ok=True)
    clock = Clock(args.work/'minutes')
    train(recipe, lambda learn: save(learn, recipe, args.folder, clock, next(sizes)), args.work, clock)


if __name__ == '__main__': sys.exit(main())
