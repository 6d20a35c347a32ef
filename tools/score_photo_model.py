"""What a model of photos scores, for its card: score_photo_model.py MODEL DATA --squeezenet FILE --lpips FILE

Kernel distance to the real photos, LPIPS to each target, and how much of the objects' colours comes back, with the target's styles and with sampled ones,
on the held-out scenes at the size that the model was trained at. With `--segmenter FILE`, also what that segmenter reads, as a share of what it reads in the
photos; `--read-at` makes pictures and photos as small as those that it was trained on. `pix2pixhd evaluate` has all of this for a segmenter of the model's
own size, whose training takes hours on a processor."""
import argparse
import json
import sys
from pathlib import Path

from fastai.torch_core import default_device

from pix2pixhd_nb.commands.main import size_of
from pix2pixhd_nb.core import from_pil
from pix2pixhd_nb.data.layouts import open_dataset
from pix2pixhd_nb.data.loaders import resize
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.evaluation.distances import realism, squeezenet_features
from pix2pixhd_nb.evaluation.diversity import LPIPS, colour_faithfulness, mean_lpips
from pix2pixhd_nb.evaluation.report import SizedScenes, generate_all
from pix2pixhd_nb.evaluation.scores import count_pictures, share_interval, share_of_oracle, targets_of
from pix2pixhd_nb.evaluation.segmenters import load_segmenter
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD


def read(segmenter, scenes, pictures):
    "What a segmenter reads in pictures, as a share of what it reads in the photos: with its 95 % interval, and the worst class."
    small = [resize(from_pil(p, 'RGB'), s.size) for p, s in zip(pictures, scenes)]
    counts = [count_pictures(segmenter, scenes, x) for x in (small, targets_of(scenes))]
    found = share_of_oracle(*(c.sum(0) for c in counts), scenes.label_space)
    interval = share_interval(*counts, scenes.label_space)['mean_iou'] # None of one scene
    worst, iou = found['worst_class'], found['share']['iou']
    return dict(mean_iou=round(found['generated']['mean_iou'], 3), oracle=round(found['real']['mean_iou'], 3), share=round(found['share']['mean_iou'], 3),
                interval=interval and [round(x, 3) for x in interval], worst={worst: round(iou[worst], 3)}, iou={k: round(v, 3) for k, v in found['generated']['iou'].items()},
                oracle_iou={k: round(v, 3) for k, v in found['real']['iou'].items()})


def scores(pipe, scenes, network, lpips, segmenters=(), small=None):
    "All figures with each kind of styles; a model without styles has one kind."
    found = {}
    for styles in ('target', 'random') if pipe.synthesizer.feature_channels else ('none',):
        pictures, _ = generate_all(pipe, scenes, styles)
        seen = realism(pictures, targets_of(scenes), network)
        found[styles] = dict(kernel=round(seen['kernel'], 1), kernel_noise=round(seen['kernel_noise'], 1), lpips=round(mean_lpips(pictures, scenes, lpips), 4))
        if segmenters: found[styles]['read'] = [read(s, small, pictures) for s in segmenters]
        if styles == 'target': found[styles]['colours'] = round(colour_faithfulness(pictures, scenes)['explained'], 3)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', type=Path, help='a saved pipeline')
    parser.add_argument('data', type=Path, help='the dataset')
    parser.add_argument('--split', default='val')
    parser.add_argument('--squeezenet', type=Path, required=True, help="SqueezeNet 1.1's weights, as torchvision publishes them")
    parser.add_argument('--lpips', type=Path, required=True, help="LPIPS's weights for SqueezeNet")
    parser.add_argument('--segmenter', type=Path, nargs='*', default=[], help='files of segmenters of these classes')
    parser.add_argument('--read-at', type=size_of, help="WIDTHxHEIGHT that they were trained at; the model's by default")
    args = parser.parse_args()
    pipe, device = Pix2PixHD.load(args.model, default_device()), default_device()
    held_out = open_dataset(args.data, args.split, need_images=True)
    scenes = ScenesInMemory(SizedScenes(held_out, pipe.size))
    small = ScenesInMemory(SizedScenes(held_out, args.read_at or pipe.size))
    segmenters = [load_segmenter(f).to(device) for f in args.segmenter]
    network, lpips = squeezenet_features(args.squeezenet).to(device), LPIPS(args.squeezenet, args.lpips).to(device)
    print(json.dumps(dict(model=args.model.name, n_scenes=len(scenes), size=list(pipe.size), **scores(pipe, scenes, network, lpips, segmenters, small)), indent=1))
    return 0


if __name__ == '__main__': sys.exit(main())
