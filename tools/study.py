"""Prepares a preference study of your own models, and opens it in a browser: make study DATA=FOLDER MODELS="ours=my_model pix2pix=other_model"

Each model generates from the same held-out label maps. The pictures lie in STUDY/pictures, a folder for each model, with those of the photos
and the label maps beside them; raters' answers come into STUDY/answers. The same command again generates what is missing, and no more."""
import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
import torch
from pix2pixhd_nb.core import colorize, to_pil
from pix2pixhd_nb.commands.evaluating import split_to_grade
from pix2pixhd_nb.commands.training import say_shapes
from pix2pixhd_nb.data.layouts import open_dataset
from pix2pixhd_nb.data.loaders import resize
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD

PAGES = Path(__file__).parents[1]/'nbs/apps/pages'
OURS = 'photo', 'label_map' # folders that no model may be named after


def named(text): # NAME=FOLDER
    "A model's name in the study, and where it is."
    name, _, folder = text.partition('=')
    if not folder or not re.fullmatch(r'[\w -]+', name) or name in OURS:
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=FOLDER: give each model a name of letters and digits, other than {" and ".join(OURS)}, and the folder it was saved to.')
    return name, folder


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split(':')[0])
    parser.add_argument('data', help='a dataset, in any layout that `open_dataset` reads')
    parser.add_argument('models', nargs='+', type=named, metavar='NAME=FOLDER', help='saved models')
    parser.add_argument('--out', default='study', type=Path, help='folder of the study')
    parser.add_argument('--split', help='which part of the dataset; test, or val where there is no test, or none with label maps to ask about and the photos that are asked about')
    parser.add_argument('--scenes', type=int, default=40, help='how many, chosen at random')
    parser.add_argument('--styles', choices=('random', 'target'), default='random', help="sampled styles, or those of each photo; models without styles have neither")
    parser.add_argument('--seed', type=int, default=0, help='of the choice of scenes, and of the styles')
    parser.add_argument('--no-photos', action='store_true', help='compare the models alone')
    parser.add_argument('--no-browser', action='store_true', help='prepare the pictures, and open nothing')
    return parser.parse_args(argv)


def held_out(folder, split, label_space, need_images=True):
    "The scenes to ask about."
    split = split or split_to_grade(folder, label_space, need_images)
    return open_dataset(folder, split, label_space, need_images=need_images)


def begin(out, settings):
    "Keep what a study is of; one that was begun with other models, scenes or styles is not mixed with it."
    file = Path(out)/'study.json'
    if file.is_file() and (old := json.loads(file.read_text())) != settings:
        changed = ', '.join(k for k in settings if old.get(k) != settings[k])
        raise ValueError(f'{out} holds a study with other {changed}: give another folder in --out.')
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=1))


def write(place, name, picture):
    place.mkdir(parents=True, exist_ok=True)
    picture.save(place/f'{name}.png')


def prepare(data, models, out, split=None, n=40, styles='random', seed=0, photos=True):
    "The pictures of a study; the folder they are in."
    pipes = {name: Pix2PixHD.load(folder, 'cuda' if torch.cuda.is_available() else 'cpu') for name, folder in models}
    bare = next((name for name, p in pipes.items() if p.label_space is None), None)
    if bare: raise ValueError(f'{bare} makes images from images, and a study starts from label maps: give models that were trained on them.')
    first = next(iter(pipes.values()))
    other = next((name for name, p in pipes.items() if (p.label_space.names, p.size) != (first.label_space.names, first.size)), None)
    if other: raise ValueError(f'The models are of other classes or sizes: {next(iter(pipes))} was trained at {first.size}, {other} at {pipes[other].size} (height, width): compare models of one dataset and size.')
    scenes, place = held_out(data, split, first.label_space, photos or styles == 'target'), Path(out)/'pictures'
    what = {name: hashlib.sha256((Path(folder)/'pipeline.json').read_bytes()).hexdigest()[:16] for name, folder in models} # it names the weights by theirs
    begin(out, dict(models=what, data=str(Path(data).resolve()), split=split, scenes=n, styles=styles, seed=seed, photos=photos))
    if first.size: say_shapes(scenes, first.size)
    for i in sorted(random.Random(seed).sample(range(len(scenes)), min(n, len(scenes)))):
        s = scenes[i]
        label, instances, photo = (x if x is None or not first.size else resize(x, first.size) for x in (s.label_map, s.instance_map, s.image))
        if photos: write(place/'photo', s.name, to_pil(photo))
        write(place/'label_map', s.name, to_pil(colorize(label, first.label_space)))
        for name, pipe in pipes.items():
            if (place/name/f'{s.name}.png').is_file(): continue
            reference = to_pil(photo) if styles == 'target' and pipe.synthesizer.encoder else None
            write(place/name, s.name, pipe.predict(label, instances, reference, seed + i))
    return place


def main(argv=None):
    a = parse(argv)
    try: print('The pictures are in', prepare(a.data, a.models, a.out, a.split, a.scenes, a.styles, a.seed, not a.no_photos))
    except (OSError, ValueError) as e: return str(e)
    print(f'Answers will be in {a.out/"answers"}.')
    if a.no_browser: return 0
    return subprocess.run([sys.executable, '-m', 'voila', 'preference.ipynb'], cwd=PAGES, env=os.environ | dict(JUPYTER_PATH=str(PAGES), PIX2PIXHD_STUDY=str(a.out.resolve()))).returncode


if __name__ == '__main__': sys.exit(main())
