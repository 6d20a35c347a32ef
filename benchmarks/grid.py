"""How much of a grid generated images have, and how far they are from their targets: grid.py MODEL [--weights FILE]

A transposed convolution leaves a pattern of a period of 2, 4 or 8 pixels. In the spectrum of rows and columns it stands out as peaks at the frequencies
1/2, 1/4 and 3/8. The grid is the power at these frequencies over that of their neighbours, for generated images, over the same for their targets;
the worst frequency and axis counts. A grid of 1 says: none but what the targets have."""
import argparse
import json
import sys
from pathlib import Path

import torch

from pix2pixhd_nb.commands.demo import DEMO
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.core import from_pil, to_pil
from pix2pixhd_nb.data.layouts import open_dataset
from pix2pixhd_nb.data.loaders import resize
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.evaluation.distances import realism, squeezenet_features

FREQUENCIES = 1/4, 3/8, 1/2
GREY = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


def power(images, axis): # (3, H, W) floats; -1: along rows, -2: along columns
    "Mean power of each frequency along an axis, with a Hann window."
    total = 0.
    for image in images:
        x = (image * GREY).sum(0).double().transpose(axis, -1)
        x = (x - x.mean(-1, keepdim=True)) * torch.hann_window(x.shape[-1], periodic=False, dtype=torch.double)
        total = total + torch.fft.rfft(x).abs().square().mean(0)
    return total / len(images)


def peak(spectrum, frequency):
    "The power at a frequency over the mean of its neighbours, two to five bins away."
    at, last = round(frequency * 2 * (len(spectrum) - 1)), len(spectrum) - 1
    near = [at + d for d in (*range(-5, -1), *range(2, 6)) if 0 < at + d <= last]
    return (spectrum[max(0, at - 1):at + 2].max() / spectrum[near].mean()).item()


def grid(generated, targets): # lists of (3, H, W) floats of one size
    "The worst ratio of peaks over axes and frequencies, and all of them by name."
    peaks = {}
    for axis, name in ((-1, 'rows'), (-2, 'columns')):
        g, t = power(generated, axis), power(targets, axis)
        peaks |= {f'{name} {f:g}': peak(g, f) / peak(t, f) for f in FREQUENCIES}
    return max(peaks.values()), peaks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help='folder of a saved pipeline')
    parser.add_argument('--data', help="folder of held-out scenes with images; the demo's synthetic ones by default")
    parser.add_argument('--split', default='val', help='which part of the dataset')
    parser.add_argument('--size', type=int, nargs=2, help="HEIGHT WIDTH; the dataset's own by default")
    parser.add_argument('--weights', help='file of SqueezeNet 1.1 weights, for the kernel distance')
    parser.add_argument('--out', type=Path, help='file for the figures, as JSON')
    args = parser.parse_args()
    scenes = open_dataset(args.data, args.split, need_images=True) if args.data else SyntheticScenes(DEMO['n_held_out'], DEMO['size'], seed=1)
    scenes, pipe, size = ScenesInMemory(scenes), Pix2PixHD.load(args.model), tuple(args.size or ())
    maps = lambda s: [resize(x, size) if size else x for x in (s.label_map, s.instance_map)]
    targets = [resize(s.image, size) if size else s.image for s in scenes]
    network, found = squeezenet_features(args.weights) if args.weights else None, {}
    for name in ('target', 'sampled') if pipe.synthesizer.encoder else ('generated',):
        options = lambda i, t: dict(reference=to_pil(t)) if name == 'target' else dict(seed=i) if name == 'sampled' else {}
        generated = [from_pil(pipe.predict(*maps(s), **options(i, t)), 'RGB') for i, (s, t) in enumerate(zip(scenes, targets))]
        worst, peaks = grid(generated, targets)
        found[name] = dict(grid=worst, peaks=peaks)
        if network:
            r = realism(generated, targets, network)
            found[name] |= {k: r[k] for k in ('network', 'n_generated', 'kernel', 'kernel_noise')}
    print(json.dumps(found, indent=1))
    if args.out: args.out.write_text(json.dumps(found, indent=1))


if __name__ == '__main__': sys.exit(main())
