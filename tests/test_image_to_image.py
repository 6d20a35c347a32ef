"Pictures from pictures, with no labels, by the commands."
import numpy as np
import pytest
from PIL import Image
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD

TINY = '--width 8 --n-downsample 2 --n-blocks 1 --discriminator-width 8 --n-scales 2 --epochs 1 --decay 1 --batch 1'.split()


def pairs(folder, modes):
    rng = np.random.default_rng(0)
    for split, n in (('train', 3), ('test', 1)):
        for side, mode in zip('AB', modes):
            (folder/f'{split}_{side}').mkdir(parents=True)
            for i in range(n): Image.fromarray(rng.integers(0, 256, (32, 64, 4), dtype=np.uint8)).convert(mode).save(folder/f'{split}_{side}'/f'{i}.png')
    return folder


@pytest.mark.parametrize('modes, asked', [(('RGB', 'RGB'), 'RGB'), (('L', 'RGB'), 'own'), (('L', 'L'), 'L'), (('RGBA', 'RGBA'), 'RGBA')])
def test_trained_and_generated_by_the_commands(modes, asked, tmp_path):
    data, model = pairs(tmp_path/'data', modes), tmp_path/'model'
    assert main(['train', str(data), str(model), '--image-mode', asked, '--recipe', 'small' if asked == 'RGB' else 'paper', *TINY]) == 0
    assert main(['synthesize', str(model), str(data), str(tmp_path/'out')]) == 0
    assert Image.open(tmp_path/'out'/'0.png').mode == modes[1]
    pipe = Pix2PixHD.load(model)
    assert pipe.synthesizer.encoder is None and pipe.synthesizer.feature_channels == 0 # a recipe with features, but no labels
    for source in (data/'test_A'/'0.png', Image.open(data/'test_A'/'0.png')): # what it was trained on, and by either way
        assert (np.asarray(pipe.predict(source)) == np.asarray(Image.open(tmp_path/'out'/'0.png'))).all()
