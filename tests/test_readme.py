"What the README says to type works: its very lines, with small numbers in the place of its own."
import json
import re
import shlex
from pathlib import Path
import pytest
from PIL import Image
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.data.layouts import save_scenes
from pix2pixhd_nb.data.toy import SyntheticScenes

README = (Path(__file__).parents[1]/'README.md').read_text()
BLOCKS = re.findall(r'^```(\w*)\n(.*?)^```', README[README.index('\n## In Python'):], re.M | re.S)
PYTHON, SHELL = [text for kind, text in BLOCKS if kind != 'sh'], [text for kind, text in BLOCKS if kind == 'sh']
SMALLER = {'SyntheticScenes(200, size=(64, 128))': 'SyntheticScenes(4, size=(32, 64))', 'SyntheticScenes(8, size=(64, 128), seed=1)': 'SyntheticScenes(2, size=(32, 64), seed=1)',
           'n_blocks=3': 'n_blocks=1, width=8, encoder_width=4', '(4, 8, ': '(1, 1, '}
FEWER = {'--size 128x128 --steps 1000 # two cores: five minutes with 16-bit instructions, a quarter of an hour without': '--size 64x32 --steps 2 --width 8 --n-blocks 1 --discriminator-width 8 --encoder-width 4 --no-keep-best', '--steps 500': '--steps 2',
         'evaluate photo_model FOLDER report': 'evaluate photo_model FOLDER report --steps 4', 'plan --size 1024x512 --enhancers 1': 'plan --size 256x128 --enhancers 1 --width 8 --discriminator-width 8', 'pix2pixhd selftest': 'pix2pixhd selftest --device cpu'}


def replaced(text, by):
    "A text with other words in the place of some; each must be there once, so that the README and this test change together."
    for old, new in by.items():
        assert text.count(old) == 1, f'the README says {old!r} {text.count(old)} times'
        text = text.replace(old, new)
    return text


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "An empty folder, and in it what a reader would have: two datasets and the photos of a COCO file."
    folder = tmp_path_factory.mktemp('readme')
    for name in ('FOLDER', 'OTHER'):
        for split, seed in (('train', 0), ('val', 1), ('test', 2)):
            scenes = SyntheticScenes(4, size=(32, 64), seed=seed)
            save_scenes(scenes, folder/name, scenes.label_space, split)
    (folder/'photos').mkdir()
    Image.new('RGB', (64, 32)).save(folder/'photos/a.png')
    square = dict(id=1, image_id=1, category_id=1, iscrowd=0, bbox=[2, 2, 8, 8], area=64, segmentation=[[2, 2, 10, 2, 10, 10, 2, 10]])
    (folder/'instances.json').write_text(json.dumps(dict(images=[dict(id=1, file_name='a.png', width=64, height=32)], categories=[dict(id=1, name='car')], annotations=[square])))
    return folder


def test_ten_lines(folder, monkeypatch):
    monkeypatch.chdir(folder)
    *lines, last = replaced('\n'.join(PYTHON[:2]), SMALLER).strip().split('\n')
    assert len([line for line in [*lines, last] if line]) <= 10
    names = {}
    exec('\n'.join(lines), names)
    assert eval(last, names).size == (64, 32)
    assert names['Pix2PixHD'].load('my_model').predict(names['valid'][0].label_map).size == (64, 32)


def test_the_lines_to_play(monkeypatch, tmp_path):
    pytest.importorskip('ipywidgets')
    monkeypatch.chdir(tmp_path)
    *lines, last = PYTHON[2].strip().split('\n')
    names = {}
    exec('\n'.join(lines), names)
    eval(last, names).close()


def test_the_same_from_a_shell(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    lines = replaced(SHELL[0], FEWER).strip().split('\n')
    made = {'train FOLDER': 'photo_model', 'synthesize': 'out', 'evaluate': 'report', 'train OTHER': 'fine_tuned', 'styles': 'styles.png', 'export': 'photo_model.onnx', 'convert': 'my_dataset'}
    assert len(lines) == 10
    for line in lines:
        program, *words = shlex.split(line, comments=True)
        if 'export' in words: pytest.importorskip('onnxscript')
        assert program == 'pix2pixhd' and main(words) == 0, line
        for words, result in made.items():
            if f'pix2pixhd {words} ' in line: assert (folder/result).exists(), f'{line} made no {result}'
