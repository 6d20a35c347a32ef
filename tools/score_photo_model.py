"""What a model of photos scores without a segmenter, for its card: score_photo_model.py MODEL DATA --squeezenet FILE --lpips FILE

Kernel distance to the real photos, LPIPS to each target, and how much of the objects' colours comes back, with the target's styles and with sampled ones,
on the held-out scenes at the size that the model was trained at. `pix2pixhd evaluate` has these figures too, and those of a segmenter, whose training
takes hours on a processor."""
import argparse
import json
import sys
from pathlib import Path

from fastai.torch_core import default_device

from pix2pixhd_nb.data.layouts import open_dataset
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.evaluation.distances import realism, squeezenet_features
from pix2pixhd_nb.evaluation.diversity import LPIPS, colour_faithfulness, mean_lpips
from pix2pixhd_nb.evaluation.report import SizedScenes, generate_all
from pix2pixhd_nb.evaluation.scores import targets_of
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD


def scores(pipe, scenes, network, lpips):
    "All figures with each kind of styles; a model without styles has one kind."
    found = {}
    for styles in ('target', 'random') if pipe.synthesizer.feature_channels else ('none',):
        pictures, _ = generate_all(pipe, scenes, styles)
        seen = realism(pictures, targets_of(scenes), network)
        found[styles] = dict(kernel=round(seen['kernel'], 1), kernel_noise=round(seen['kernel_noise'], 1), lpips=round(mean_lpips(pictures, scenes, lpips), 4))
        if styles == 'target': found[styles]['colours'] = round(colour_faithfulness(pictures, scenes)['explained'], 3)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', type=Path, help='a saved pipeline')
    parser.add_argument('data', type=Path, help='the dataset')
    parser.add_argument('--split', default='val')
    parser.add_argument('--squeezenet', type=Path, required=True, help="SqueezeNet 1.1's weights, as torchvision publishes them")
    parser.add_argument('--lpips', type=Path, required=True, help="LPIPS's weights for SqueezeNet")
    args = parser.parse_args()
    pipe, device = Pix2PixHD.load(args.model, default_device()), default_device()
    scenes = ScenesInMemory(SizedScenes(open_dataset(args.data, args.split, need_images=True), pipe.size))
    network, lpips = squeezenet_features(args.squeezenet).to(device), LPIPS(args.squeezenet, args.lpips).to(device)
    print(json.dumps(dict(model=args.model.name, n_scenes=len(scenes), size=list(pipe.size), **scores(pipe, scenes, network, lpips)), indent=1))
    return 0


if __name__ == '__main__': sys.exit(main())
