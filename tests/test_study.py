"A preference study of your own models: the pictures are prepared by one command, the app asks about them, and the statistics read the answers."
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pix2pixhd_nb.apps.preference_study import Pair, PreferenceStudy, pairs_in, pairs_of, read_results
from pix2pixhd_nb.commands.evaluating import split_to_grade
from pix2pixhd_nb.data.layouts import save_scenes
from pix2pixhd_nb.data.loaders import scene_dataloaders
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.evaluation.preference import agreement, attention, preferences
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


def opened(study, monkeypatch):
    "The names of the app's page, opened on the folder of a study."
    monkeypatch.setenv('PIX2PIXHD_STUDY', str(study))
    cells = [''.join(c['source']) for c in json.loads((ROOT/'nbs/apps/pages/preference.ipynb').read_text())['cells'] if c['cell_type'] == 'code']
    page = {}
    exec('\n'.join(cells), page)
    return page


def test_the_app_asks_and_the_statistics_read(made, monkeypatch):
    folder, _ = made
    page = opened(folder/'study', monkeypatch)
    assert page['place'].children[0].value == 'Enter your name to begin.'
    for times in (None, page['PAPER_TIMES']):
        page['how'].value = times
        for rater in ('Ada', 'Bob B.'):
            page['name'].value = rater
            asked, = page['place'].children
            while trial := asked.current:
                asked.answer('left' if trial.methods[0] in ('photo', 'ours') else 'right', shown=trial.time)
    files = sorted((folder/'study/answers').iterdir())
    assert [re.sub(r'-[0-9a-f]{8}\.jsonl$', '', f.name) for f in files] == ['Ada', 'Ada-for-a-moment', 'Bob_B_', 'Bob_B_-for-a-moment']
    table = preferences(read_results(*files))
    assert table.answers.tolist() == [6] * 6 and table.timed.tolist() == [False, True] * 3 and set(table.raters) == {2}


def small(n=4, **settings):
    "A study of two methods."
    grey = lambda v: Image.new('RGB', (16, 8), (v, v, v))
    return PreferenceStudy(pairs_of(dict(light=[grey(200 + k) for k in range(n)], dark=[grey(k) for k in range(n)])), **settings)


def test_names_that_are_written_alike_have_a_file_each(made, monkeypatch, tmp_path):
    copytree(made[0]/'study/pictures', tmp_path/'pictures')
    page = opened(tmp_path, monkeypatch)
    for rater in ('Ann.Lee', 'Ann Lee', 'Ann-for-a-moment', 'ann lee', 'é' * 190):
        page['name'].value = rater
        page['place'].children[0].answer('left')
    page['name'].value = 'Ann'
    page['how'].value = page['PAPER_TIMES']
    page['place'].children[0].answer('left')
    assert sorted(r for f in (tmp_path/'answers').iterdir() for r in read_results(f).rater) == sorted(['Ann.Lee', 'Ann Lee', 'Ann-for-a-moment', 'ann lee', 'é' * 190, 'Ann'])


def test_a_study_that_cannot_be_opened_leaves_no_other_rater_s_on_the_page(made, monkeypatch, tmp_path):
    copytree(made[0]/'study/pictures', tmp_path/'pictures')
    for name in ('Ann', 'Bob'):
        page = opened(tmp_path, monkeypatch)
        page['name'].value = name
        page['place'].children[0].answer('left')
    of_ann, of_bob = sorted((tmp_path/'answers').iterdir())
    of_ann.write_text(of_bob.read_text())
    page['name'].value = 'Ann'
    told, = page['place'].children
    assert not isinstance(told, PreferenceStudy) and 'holds answers of another study' in told.value
    page['name'].value = 'x' * 300
    assert 'one line of at most 200 letters' in page['place'].children[0].value
    page['name'].value = 'Bob'
    assert len(page['place'].children[0].rows) == 1


def test_a_file_of_another_rater_is_refused_even_where_both_plans_are_one(tmp_path):
    by_name = {}
    for rater in map(str, range(20)):
        study = small(1, check_every=0, rater=rater, save_to=tmp_path/f'{rater}.jsonl')
        by_name.setdefault(study.head['study'], []).append((rater, study))
    (_, first), (other, _), *_ = max(by_name.values(), key=len)
    first.answer('left')
    with pytest.raises(ValueError, match='holds answers of another study'): small(1, check_every=0, rater=other, save_to=first.save_to)


def test_scenes_may_be_numbers(tmp_path):
    for scenes in (list(range(4)), np.arange(4)):
        pictures = dict(a=[Image.new('RGB', (8, 8))] * 4, b=[Image.new('RGB', (8, 8), 'white')] * 4)
        file = tmp_path/f'{type(scenes).__name__}.jsonl'
        asked = lambda: PreferenceStudy(pairs_of(pictures, scenes=scenes), save_to=file)
        asked().answer('left')
        study = asked()
        while study.todo: study.answer('left')
        assert sorted(read_results(file).scene) == list('0123') and not asked().todo


def test_names_that_no_file_could_hold_are_told_before_the_first_question(tmp_path):
    a, b = Image.new('RGB', (8, 8)), Image.new('RGB', (8, 8), 'white')
    for rater in ('A\nB', 5, 'x' * 201):
        with pytest.raises(ValueError, match='rater is .*, expected a name in text'): small(rater=rater, save_to=tmp_path/'a.jsonl')
    with pytest.raises(ValueError, match="a Pair's scene is .*, expected a name"): PreferenceStudy([Pair(a, b, scene='x\ny')])
    with pytest.raises(ValueError, match="a Pair's method is 7, expected a name"): PreferenceStudy([Pair(a, b, (7, 'x'))])
    with pytest.raises(ValueError, match="are of 'm': give each method a name of its own"): PreferenceStudy([Pair(a, b, ('m', 'm'))])
    for odd in (float('nan'), float('inf')):
        with pytest.raises(ValueError, match='shown is .*, expected seconds'): small(save_to=tmp_path/'a.jsonl').answer('left', shown=odd)
    assert not (tmp_path/'a.jsonl').exists()
    study = small(save_to=tmp_path/'a.jsonl', times=[1])
    study.answer('left', shown=np.float32(1), interrupted=1)
    assert small(save_to=tmp_path/'a.jsonl', times=[1]).rows == study.rows


def test_two_windows_of_one_rater_lose_no_answer(tmp_path):
    file, sent = tmp_path/'ada.jsonl', []
    one, two = (small(8, rater='Ada', check_every=0, save_to=file) for _ in range(2))
    for _ in range(6): one.answer('left')
    two.send = lambda message, *_: sent.append(message)
    two._handle_custom_msg(dict(turn=0, side='right', shown=None, reaction=0.5, interrupted=False), [])
    assert 'went on in another window' in sent[0]['problem'] and str(tmp_path) not in sent[0]['problem']
    assert two.rows == one.rows and two.screen['turn'] == 6 and len(read_results(file)) == 6
    two._handle_custom_msg(dict(turn=6, side='right', shown=None, reaction=0.5, interrupted=False), [])
    with pytest.raises(ValueError, match='went on in another window'): one.answer('left')
    one.answer('left')
    assert not one.todo and [r['side'] for r in small(8, rater='Ada', check_every=0, save_to=file).rows] == ['left'] * 6 + ['right', 'left']


def test_a_file_with_other_answers_is_not_written_over(tmp_path):
    one, two = (small(rater='Ada', check_every=0, save_to=tmp_path/f'{k}.jsonl') for k in range(2))
    for study, side in ((one, 'left'), (two, 'right')): study.answer(side)
    for text in (one.save_to.read_text(), 'something else\n'):
        two.save_to.write_text(text)
        with pytest.raises(ValueError, match='not the answer that was given here|not a file of answers'): two.answer('left')
        assert two.save_to.read_text() == text
    two.save_to.unlink() # what this window knows is written again
    two.answer('left')
    assert len(read_results(two.save_to)) == 2


def interrupted_checks():
    "A timed study in which every check was interrupted at first, and passed when it was asked again."
    study, seen = small(8, times=[1], check_every=2), set()
    while trial := study.current:
        off = trial.check and study.todo[0] not in seen
        seen.add(study.todo[0])
        right = trial.flipped if trial.check and not off else not trial.flipped
        study.answer('right' if right else 'left', shown=1., interrupted=off)
    return study


def test_checks_that_were_not_shown_in_time_do_not_count():
    study = interrupted_checks()
    assert attention(study.results()).loc[''].to_dict() == dict(checks=4, passed=4, kept=True)
    assert preferences(study.results()).answers.tolist() == [8]
    assert 'Attention checks passed: 4 of 4.' in study.summary()


def test_the_page_s_table_counts_raters_without_a_name(tmp_path):
    study, sent = small(8, check_every=2), []
    while trial := study.current: study.answer(('right', 'left')[trial.flipped], reaction=1.)
    study.send = lambda message, buffers: sent.append(buffers[0])
    study._handle_custom_msg(dict(ask='results'), [])
    (tmp_path/'answers.csv').write_bytes(sent[0])
    table = pd.read_csv(tmp_path/'answers.csv')
    assert attention(table).values.tolist() == attention(study.results()).values.tolist() == [[4, 0, False]]
    with pytest.raises(ValueError, match='none counts'): preferences(table)
    assert preferences(table, least=0).raters.tolist() == [1]


def answered(rater, seed=0, **settings):
    study = small(8, rater=rater, seed=seed, check_every=0, **settings)
    while study.todo: study.answer('left', reaction=1., shown=study.current.time)
    return study.results()


def test_each_rater_counts_once_in_a_question(recwarn):
    ada, later, bob = answered('Ada'), answered('Ada', 1), answered('Bob')
    once = preferences(ada)
    pd.testing.assert_frame_equal(preferences(pd.concat([ada, ada])), once)
    assert not [w for w in recwarn if 'the first counts' in str(w.message)]
    with pytest.warns(UserWarning, match='8 answers are to a question that the same rater had answered before: the first counts'):
        pd.testing.assert_frame_equal(preferences(pd.concat([ada, later])), once)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match='answered by two raters'): agreement(pd.concat([ada, later]))
    assert agreement(pd.concat([ada, bob, bob])) == agreement(pd.concat([ada, bob]))


def test_pairs_without_a_scene_are_all_counted():
    tables = [answered(rater).assign(scene='') for rater in ('Ada', 'Bob')]
    assert preferences(pd.concat([*tables, *tables])).answers.tolist() == [16]
    with pytest.raises(ValueError, match='give every Pair a scene'): agreement(pd.concat(tables))


def test_timed_and_unlimited_answers_are_told_apart():
    table = preferences(pd.concat([answered('Ada'), answered('Ada', times=[1, 2])], ignore_index=True))
    assert table[['timed', 'answers']].values.tolist() == [[False, 8], [True, 8]]


def test_once_more_is_not_offered_where_a_file_keeps_the_answers(tmp_path):
    assert small().screen['again'] is True and small(save_to=tmp_path/'a.jsonl').screen['again'] is False


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


def test_kappa_of_chance_is_nought_however_many_raters_a_pair_has():
    "Answers by lot, with two raters for one pair of methods and ten for another of other shares."
    rng = np.random.default_rng(0)
    rows = [dict(scene=f'{other}{i}', left='a', right=other, chosen='a' if rng.random() < share else other, time=None, check=False, passed=True, in_time=True, rater=f'r{k}', trial=i)
            for other, share, raters in (('b', .5, 2), ('c', .95, 10)) for i in range(300) for k in range(raters)]
    assert abs(agreement(pd.DataFrame(rows))['kappa']) < .05


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


def test_the_scenes_are_those_that_evaluate_would_grade(made, tmp_path):
    "One rule for both: a fault in `test` is told, and `test` is passed over where nothing in it can be graded."
    folder, _ = made
    data, space = tmp_path/'streets', model_space(folder)
    chosen = lambda photos=True: study.held_out(data, None, space, photos).split
    fresh = lambda: [*SyntheticScenes(2, size=(32, 64), seed=2)]
    save_scenes(fresh(), data, space, 'test')
    for p in (data/'test/label').iterdir(): Image.fromarray(np.full((32, 64), 255, np.uint8)).save(p)
    with pytest.raises(ValueError, match='no class to score, and there is no split val'):
        study.held_out(data, None, replace(space, ignore_id=255), True)
    save_scenes(fresh(), data, space, 'test')
    assert chosen() == chosen(False) == split_to_grade(data) == 'test'
    (data/'meta.json').unlink()
    assert chosen() == 'test' # the model knows the classes
    save_scenes(fresh(), data, space, 'val')
    for p in (data/'test/label').iterdir(): Image.fromarray(np.full((32, 64), 255, np.uint8)).save(p)
    for photos in (True, False): assert study.held_out(data, None, replace(space, ignore_id=255), photos).split == 'val' # as in Cityscapes
    for p in (data/'test/label').iterdir(): p.unlink()
    assert chosen() == chosen(False) == split_to_grade(data) == 'val' # photos alone
    save_scenes(fresh(), data, space, 'test')
    next((data/'test/image').iterdir()).unlink()
    assert split_to_grade(data) == 'test' and chosen(False) == 'test'
    with pytest.raises(ValueError, match='label maps without a photo: 1'): chosen()
