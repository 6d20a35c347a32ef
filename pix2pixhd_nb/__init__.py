"pix2pixHD as a book you can run: label maps to photos"
__version__ = "0.1.0"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'core': ['Scene', 'LabelSpace'],
    'data.toy': ['SyntheticScenes'],
    'data.layouts': ['open_dataset'],
    'data.loaders': ['scene_dataloaders'],
    'training.learner': ['pix2pixhd_learner'],
    'training.coarse_to_fine': ['grow_learner', 'fit_coarse_to_fine'],
    'training.monitor': ['GANMonitor'],
    'training.checkpoints': ['Checkpoint'],
    'synthesis.pipeline': ['Pix2PixHD'],
    'evaluation.report': ['evaluate'],
})
