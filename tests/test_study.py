"A preference study of your own models: the pictures are prepared by one command, the app asks about them, and the statistics read the answers."
import json
import re
import shutil
import sys
from pathlib import Path
import numpy as np
import pytest
from PIL import Image
from pix2pixhd_nb.apps.preference_study import pairs_in, read_results
from pix2pixhd_nb.data.layouts import save_scenes
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.evaluation.preference import preferences
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.training.learner import pix2pixhd_learner

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/'tools'))
import study


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    "Two models, a dataset, and a study of them."
    folder = tmp_path_factory.mktemp('study')
    scenes = SyntheticScenes(5, size=(32, 64), seed=1)
    save_scenes(scenes, folder/'streets', scenes.label_space, 'val')
    for name, channels in (('ours', 3), ('other', 0)):
        loaders = scene_dataloaders(SyntheticScenes(4, size=(32, 64)), SyntheticScenes(2, size=(32, 64)), bs=2)
        learn = pix2pixhd_learner(loaders, width=8, n_downsample=2, n_blocks=1, feature_channels=channels, encoder_width=4, discriminator_width=8, n_scales=2)
        with learn.no_bar(), learn.no_logging(): learn.fit(1, 1e-3)
        Pix2PixHD.from_learner(learn).save(folder/name)
    words = [str(folder/'streets'), f'ours={folder/"ours"}', f'other={folder/"other"}', '--scenes', '3', '--out', str(folder/'study'), '--no-browser']
    assert study.main(words) == 0
    return folder, words


def test_the_pictures(made):
    folder, words = made
    pictures = folder/'study/pictures'
    files = {p.name: sorted(f.name for f in p.iterdir()) for p in pictures.iterdir()}
    assert set(files) == {'photo', 'label_map', 'ours', 'other'} and len({tuple(v) for v in files.values()}) == 1
    pairs = pairs_in(pictures)
    assert len(pairs) == 3 * 3 and all(p.label_map for p in pairs)
    model, names = Pix2PixHD.load(folder/'other'), [s.name for s in study.held_out(folder/'streets', None, model_space(folder))]
    scene = study.held_out(folder/'streets', 'val', model_space(folder))[names.index(Path(files['other'][0]).stem)]
    assert (np.asarray(Image.open(pictures/'other'/files['other'][0])) == np.asarray(model.predict(scene.label_map, scene.instance_map))).all()
    before = {p: p.stat().st_mtime_ns for p in (pictures/'ours').iterdir()}
    assert study.main(words) == 0 and before == {p: p.stat().st_mtime_ns for p in (pictures/'ours').iterdir()}, 'generated again'


def model_space(folder): return Pix2PixHD.load(folder/'ours').label_space


def test_the_app_asks_and_the_statistics_read(made, monkeypatch):
    folder, _ = made
    monkeypatch.setenv('PIX2PIXHD_STUDY', str(folder/'study'))
    cells = [''.join(c['source']) for c in json.loads((ROOT/'nbs/apps/pages/preference.ipynb').read_text())['cells'] if c['cell_type'] == 'code']
    page = {}
    exec('\n'.join(cells), page)
    assert page['place'].children[0].value == 'Enter your name to begin.'
    for times in (None, page['PAPER_TIMES']):
        page['how'].value = times
        for rater in ('Ada', 'Bob B.'):
            page['name'].value = rater
            asked, = page['place'].children
            while trial := asked.current:
                asked.answer('left' if trial.methods[0] in ('photo', 'ours') else 'right', shown=trial.time)
    files = sorted(p.name for p in (folder/'study/answers').iterdir())
    assert files == ['Ada-for-a-moment.jsonl', 'Ada.jsonl', 'Bob_B_-for-a-moment.jsonl', 'Bob_B_.jsonl']
    table = preferences(read_results(*(folder/'study/answers'/f for f in files if 'moment' not in f)))
    assert table.answers.tolist() == [6, 6, 6]


def test_two_studies_are_not_mixed(made):
    folder, words = made
    assert 'holds a study with other seed: give another folder' in study.main([*words, '--seed', '7'])
    swapped = [words[0], words[1].replace(str(folder/'ours'), str(folder/'other')), *words[2:]]
    assert 'holds a study with other models' in study.main(swapped)


def test_bad_input_is_told(made, capsys):
    folder, words = made
    assert 'compare models of one dataset' in study.main([*words[:3], f'street={ROOT/"pix2pixhd_nb/pretrained/street"}', *words[3:]])
    for bad in ('ours', 'photo=x', 'a/b=x'):
        with pytest.raises(SystemExit): study.main([words[0], bad])
        assert re.search(r'is not NAME=FOLDER', capsys.readouterr().err)
    assert 'nothing' in study.main([str(folder/'nothing'), words[1], '--no-browser'])


def test_a_test_split_without_photos_is_passed_over(made, tmp_path):
    folder, _ = made
    data = tmp_path/'streets'
    shutil.copytree(folder/'streets', data)
    space, scenes = model_space(folder), [*SyntheticScenes(2, size=(32, 64), seed=2)]
    for s in scenes: s.image = None
    save_scenes(scenes, data, space, 'test')
    assert study.held_out(data, None, space, True).split == 'val' and study.held_out(data, None, space, False).split == 'test'
    assert study.main([str(data), f'ours={folder/"ours"}', '--scenes', '1', '--out', str(tmp_path/'study'), '--no-browser']) == 0
    assert len([*(tmp_path/'study'/'pictures'/'photo').iterdir()]) == 1
