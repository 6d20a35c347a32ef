"The library's quick path, alone: import every module, train for two epochs, generate, save, load, generate the same."
import sys
import tempfile
from importlib import import_module, metadata
from pkgutil import walk_packages
import numpy as np
import pix2pixhd_nb
from pix2pixhd_nb.core import to_pil
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.learner import pix2pixhd_learner

PACKAGES = ['torch', 'torchvision', 'fastai', 'fastcore', 'plum-dispatch']
TINY = dict(width=8, n_downsample=2, n_blocks=1, feature_channels=2, encoder_width=4, discriminator_width=8, n_scales=2)


def import_every_module():
    names = [module.name for module in walk_packages(pix2pixhd_nb.__path__, 'pix2pixhd_nb.')]
    for name in names: import_module(name)
    return names


def train(epochs=2):
    scenes, unseen = SyntheticScenes(4, size=(32, 64)), SyntheticScenes(2, size=(32, 64), seed=1)
    learn = pix2pixhd_learner(scene_dataloaders(scenes, unseen, bs=2), **TINY)
    with learn.no_bar(): learn.fit_flat_linear(epochs // 2, epochs - epochs // 2)
    return learn, unseen[0]


def main():
    print(f'Python {sys.version.split()[0]}', *(f'{name} {metadata.version(name)}' for name in PACKAGES), sep='\n')
    print(f'{len(import_every_module())} modules of {pix2pixhd_nb.__path__[0]} import')
    learn, scene = train()
    model = Pix2PixHD.from_learner(learn)
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        loaded = Pix2PixHD.load(folder)
    generated, again = (np.asarray(m.predict(scene.label_map, scene.instance_map, reference=to_pil(scene.image))) for m in (model, loaded))
    if generated.shape != (32, 64, 3) or not (generated == again).all(): sys.exit('The loaded model generates something else than the saved one.')
    print('trained, saved, loaded, and generated the same')


if __name__ == '__main__': main()
