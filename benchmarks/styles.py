"""Do the clusters of a model's features find the true styles of synthetic streets, and does a restyle do what it says?

    .venv/bin/python benchmarks/styles.py demo/model --size 192x96

For each class: the adjusted Rand index between clusters and true styles (as many clusters as styles); the share of restyles to a
style of the style book after which the object's mean colour is nearest to the true style that it stands for; and how much
the picture changes outside the object, as a share of the change inside."""
import argparse
import json
from pathlib import Path
import numpy as np
import torch
from scipy.ndimage import binary_dilation
from sklearn.metrics import adjusted_rand_score
from pix2pixhd_nb.commands.main import size_of
from pix2pixhd_nb.core import from_pil, to_pil
from pix2pixhd_nb.data.toy import LABEL_SPACE, STYLES, SyntheticScenes
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.models.pooling import instance_vectors
from pix2pixhd_nb.synthesis.styles import StyleBook, cluster, measure_features

MIN_SHARE = 0.001 # objects that cover less of the picture are left out


def true_styles(table, scenes):
    "The true style of every row of a feature table."
    return np.array([scenes[s].true_styles[i] for s, i in zip(table.scene.tolist(), table.instance.tolist())])


def mean_colours(table, scenes):
    "The mean colour of every row's object in its target."
    of_scene = [instance_vectors(s.image[None], s.instance_map[None]) for s in scenes]
    of_scene = [dict(zip(t['id'].tolist(), t['vector'])) for t in of_scene]
    return torch.stack([of_scene[s][i] for s, i in zip(table.scene.tolist(), table.instance.tolist())])


def learn_meanings(book, table, styles, colours):
    "For each class: its adjusted Rand index, the true style that most objects of each cluster have, and each true style's mean colour."
    known = {}
    for c, name in enumerate(LABEL_SPACE.names):
        rows = (table.label == c).numpy()
        own, _ = cluster(table.vector[rows], len(STYLES[name]))
        index = adjusted_rand_score(styles[rows], torch.cdist(table.vector[rows], own).argmin(1))
        nearest = torch.cdist(table.vector[rows], book.centres[c]).argmin(1).numpy()
        meaning = [max(STYLES[name], key=lambda s: (styles[rows][nearest == k] == s).sum()) for k in range(len(book.centres[c]))]
        colour = {s: colours[rows][styles[rows] == s].mean(0) for s in STYLES[name] if (styles[rows] == s).any()}
        known[c] = dict(n=int(rows.sum()), index=index, meaning=meaning, colour=colour)
    return known


def restyle(model, scene, styles, base, c, known, rng):
    "Restyle one random object of a class: was it right, change inside, change outside; None if the scene has no such object."
    ids = scene.instance_map[0]
    large = [i for i in styles if (i // 1000 or i) == c and (ids == i).float().mean() >= MIN_SHARE]
    if not large: return None
    i, k = large[rng.integers(len(large))], int(rng.integers(len(model.style_book.centres[c])))
    mask, colours = ids == i, known[c]['colour']
    restyled = from_pil(model.predict(scene.label_map, scene.instance_map, styles=styles | {i: model.style_book.style(c, k)}))
    change, mean = (restyled - base).abs().mean(0), restyled[:, mask].mean(1)
    nearest = min(colours, key=lambda s: (colours[s] - mean).norm())
    far = ~torch.from_numpy(binary_dilation(mask.numpy(), iterations=max(2, len(ids) // 32)))
    inside, outside = (change[mask].mean().item(), change[far].mean().item()) if known[c]['meaning'][k] != scene.true_styles[i] else (0., 0.)
    return nearest == known[c]['meaning'][k], inside, outside


def measure(model, size, n_train, n_held_out):
    "All figures, class by class."
    scenes, rng = list(SyntheticScenes(n_train, size, seed=100)), np.random.default_rng(0)
    table = measure_features(model.synthesizer, scenes)
    table = table[table.share >= MIN_SHARE]
    model.style_book = StyleBook.fit(table, LABEL_SPACE)
    known = learn_meanings(model.style_book, table, true_styles(table, scenes), mean_colours(table, scenes))
    restyles = {c: [] for c in known}
    for scene in SyntheticScenes(n_held_out, size, seed=101):
        styles = model.styles_of(to_pil(scene.image), scene.label_map, scene.instance_map)
        base = from_pil(model.predict(scene.label_map, scene.instance_map, styles=styles))
        for c in known: restyles[c].append(restyle(model, scene, styles, base, c, known, rng))
    figures = {}
    for c, tried in restyles.items():
        right, inside, outside = np.array([r for r in tried if r is not None], float).T
        figures[LABEL_SPACE.names[c]] = dict(objects=known[c]['n'], rand_index=known[c]['index'], restyles=len(right), right=right.mean(), outside=outside.sum() / inside.sum())
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help='folder of a saved pipeline that was trained on synthetic streets')
    parser.add_argument('--size', type=size_of, default=(96, 192), help='WIDTHxHEIGHT of the streets')
    parser.add_argument('--scenes', type=int, default=250, help='streets measured')
    parser.add_argument('--held-out', type=int, default=40, help='streets restyled')
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    args = parser.parse_args()
    figures = measure(Pix2PixHD.load(args.model), args.size, args.scenes, args.held_out)
    print('class        objects   Rand index   restyles   right   outside / inside')
    for name, f in figures.items(): print(f"{name:12} {f['objects']:7} {f['rand_index']:12.3f} {f['restyles']:10} {f['right']:7.3f} {f['outside']:12.3f}")
    total = sum(f['restyles'] for f in figures.values())
    print(f"all          {sum(f['restyles'] * f['right'] for f in figures.values()) / total:.3f} of {total} restyles are right")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(figures, indent=1))


if __name__ == '__main__': main()
