"The paper's tables at toy size: every row runs, a stopped row goes on to the same weights, and what was not measured has no figure."
import json
import re
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]/'benchmarks'))
import paper_tables
import tables_page
from fastai.learner import Learner
from rows import CLAIMS, RUNS, SCALES, TABLES, rows_at, run_of, tables_at, training_of

VGG = paper_tables.WEIGHTS/'vgg19_imagenet_to_relu3_4.pth'
ROWS = list(dict.fromkeys(r for n in tables_at('toy') for r in rows_at('toy', n)))


def needs_vgg(row): return bool(RUNS.get(run_of(row), {}).get('perceptual'))


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    "All tables at toy size, by the command."
    folder = tmp_path_factory.mktemp('tables')
    command = [*map(str, TABLES), '--scale', 'toy', '--results', str(folder/'results'), '--work', str(folder/'work')]
    assert paper_tables.main(command) == 0
    return folder, command


def bench(folder, results='results', work='work', vgg=VGG): return paper_tables.Bench('toy', 'synthetic', folder/results, folder/work, vgg)


def test_every_row_runs(toy):
    folder, _ = toy
    measured = {p.name for p in (folder/'results').glob('*.json')}
    assert measured == {f"toy-synthetic-{r.replace(':', '_')}-seed0.json" for r in ROWS if VGG.is_file() or not needs_vgg(r)}
    for p in (folder/'results').glob('*.json'):
        row = json.loads(p.read_text())
        assert all(0 <= row['scores'][k] <= 1 for k in ('mean_iou', 'accuracy')) and row['scores']['share'] > 0
        assert torch.__version__.startswith(row['setup']['versions']['torch']) and row['seed'] == 0
        assert '/' not in row['setup']['machine'], 'a path of the machine'
        assert str(Path.home()) not in p.read_text() and str(folder) not in p.read_text()


def test_finished_rows_are_left_alone_and_missing_ones_filled(toy, capsys):
    folder, command = toy
    before = {p: p.stat().st_mtime_ns for p in (folder/'results').glob('*.json')}
    gone = folder/'results'/'toy-synthetic-one_scale-seed0.json'
    old = json.loads(gone.read_text())
    gone.unlink()
    model = {p: p.stat().st_mtime_ns for p in (folder/'work').rglob('*.safetensors')}
    paper_tables.main(command)
    assert {p: p.stat().st_mtime_ns for p in before if p != gone} == {p: t for p, t in before.items() if p != gone}
    assert {p: p.stat().st_mtime_ns for p in (folder/'work').rglob('*.safetensors')} == model, 'trained again'
    assert json.loads(gone.read_text())['scores'] == old['scores']
    said = capsys.readouterr().out
    assert said.count(': there') == len(before) - 1 and 'one_scale: mean IoU' in said


def test_another_configuration_is_measured_again(toy, monkeypatch):
    folder, _ = toy
    b = bench(folder)
    assert b.measure('two_scales', 0) == 'there'
    monkeypatch.setitem(RUNS, 'two_scales', RUNS['two_scales'] | dict(name='two'))
    assert b.measure('two_scales', 0) == 'there', 'a name is no configuration'
    monkeypatch.setitem(RUNS, 'two_scales', RUNS['two_scales'] | dict(feature_weight=5.))
    assert b.measure('two_scales', 0) != 'there'


@pytest.mark.parametrize('row', ['gan_fm', 'enhancer', 'small_average'])
def test_a_stopped_row_goes_on_to_the_same_weights(tmp_path, row):
    b, whole = bench(tmp_path, work='stopped'), bench(tmp_path, work='whole')
    whole.precision = b.precision # it is found by a timing
    for _ in range(3): assert 'the same command goes on' in b.measure(row, 0, minutes=0)
    assert not list((tmp_path/'results').glob('*.json')) and list((tmp_path/'stopped').rglob('stage*.pth'))
    assert b.measure(row, 0).startswith('mean IoU')
    models = [x.pipeline(row, 0)[0].synthesizer.state_dict() for x in (b, whole)]
    differ = {k: (models[0][k] - models[1][k]).abs().max().item() for k in models[1] if not torch.equal(models[0][k], models[1][k])}
    assert not differ, differ


def test_rows_that_need_weights_say_so(tmp_path):
    b = bench(tmp_path, vgg=tmp_path/'none.pth')
    for row in (r for r in ROWS if needs_vgg(r)): assert b.measure(row, 0) == 'not run (no VGG19 weights)'
    assert not (tmp_path/'results').exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_the_full_scale_asks_for_a_gpu(tmp_path, capsys):
    assert paper_tables.main(['1', '--scale', 'full', '--results', str(tmp_path)]) == 1
    assert 'needs a GPU' in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_the_full_scale_on_photos(shared_data, tmp_path, monkeypatch):
    "The way of the full scale, with tiny networks and four photos of each data set."
    tiny = {k: SCALES['toy'][k] for k in ('ours', 'encoder_width')} | dict(n_train=4, n_test=3, n_small=3, steps=(2, 2), segmenter_steps=2, unet=dict(width=4, n_downsample=6, dropout=0.5), crn=dict(widths=(8,) * 7))
    monkeypatch.setitem(SCALES, 'full', SCALES['full'] | tiny)
    command = ['5', '--scale', 'full', '--anyway', '--results', str(tmp_path/'results'), '--work', str(tmp_path/'work')]
    command += ['--data', *(str(shared_data/d) for d in SCALES['full']['data'])]
    assert paper_tables.main(command) == 0
    measured = {p.name for p in (tmp_path/'results').glob('*.json')}
    rows = TABLES[5]['rows']
    assert measured == {f'full-{d}-{r}-seed0.json' for d in SCALES['full']['data'] for r in rows if not (d == 'camvid_256' and r.endswith('no_boundary'))}
    row = json.loads((tmp_path/'results'/'full-facades_256-gan_fm-seed0.json').read_text())
    assert row['setup']['segmenter'] == 'PhotoSegmenter' and row['setup']['size'] == [256, 256] and row['scores']['crossings']
    pictures = {p.stem.split('-')[-1] for p in (tmp_path/'results'/'pictures').glob('*.jpg')}
    assert pictures == set(rows), 'pictures of generated images, never of photos'


def test_high_resolution_is_read_in_smaller_pictures(shared_data, tmp_path, monkeypatch):
    "The way of the short scale at 512x512: global generator and enhancer, graded by the segmenter of another scale at its size."
    tiny = {k: SCALES['toy'][k] for k in ('ours', 'encoder_width')} | dict(n_train=2, n_test=1, steps=(2, 2), segmenter_steps=2)
    monkeypatch.setitem(SCALES, 'fine_short', SCALES['fine_short'] | tiny)
    monkeypatch.setitem(RUNS, 'coarse_to_fine', RUNS['coarse_to_fine'] | dict(perceptual=False)) # VGG19 is slow at this size
    b = paper_tables.Bench('fine_short', 'facades_512', tmp_path/'results', tmp_path/'work', folder=shared_data/'facades_512')
    seen = []
    real = paper_tables.compare_to_oracle
    monkeypatch.setattr(paper_tables, 'compare_to_oracle', lambda segmenter, scenes, pictures: seen.extend([scenes[0].size, tuple(torch.as_tensor(pictures[0]).shape[-2:])]) or real(segmenter, scenes, pictures))
    for row in ('coarse_to_fine', 'oracle'): assert b.measure(row, 0).startswith('mean IoU')
    assert set(seen) == {(128, 128)}, 'read at another size'
    assert [p.name for p in (tmp_path/'results'/'segmenters').iterdir()] == ['photos-facades_256-first-2-0.5.safetensors']
    row = json.loads((tmp_path/'results'/'fine_short-facades_512-coarse_to_fine-seed0.json').read_text())
    assert row['setup']['size'] == [512, 512] and row['peak_gb'] > 0


def line_of(text, number, name):
    "A row of a table of a page."
    part = text.split(f'### {number}. ')[1].split('###')[0]
    return next(l for l in part.splitlines() if l.startswith(f'| {name} |'))


def test_a_row_that_was_not_measured_has_no_figure(toy):
    folder, _ = toy
    lines = lambda: '\n'.join(tables_page.section(folder/'results', 'toy', 'synthetic', {}))
    shown = line_of(lines(), 3, 'one discriminator')
    row = folder/'results'/'toy-synthetic-one_scale-seed0.json'
    scores = json.loads(row.read_text())['scores']
    assert f"{scores['mean_iou']:.3f}" in shown and '0.5775' in shown
    hidden = row.rename(row.with_suffix('.hidden'))
    shown = line_of(lines(), 3, 'one discriminator')
    hidden.rename(row)
    assert 'not run' in shown and re.findall(r'\d\.\d+', shown) == ['0.8287', '0.5775']
    assert '| not run | |' in tables_page.verdict(folder/'nothing', 'toy', 'synthetic', CLAIMS[0])


def test_the_page_marks_what_needs_a_gpu(toy):
    text = tables_page.page(toy[0]/'results')
    for data in SCALES['full']['data']:
        full = text.split(f'## full, {data}')[1].split('## ')[0]
        assert f'`{tables_page.command("full")}`' in full
        for number in tables_at('full'):
            t = TABLES[number]
            for row in rows_at('full', number):
                instances = data != 'camvid_256' or not row.endswith('no_boundary')
                start = f"- {number}. {t['title']}. Not run ({'no GPU' if instances else 'no true instances'}): "
                line = next(l for l in full.splitlines() if l.startswith(start))
                assert tables_page.name_of(row, t) in line.rstrip('.')[len(start):].split('; ')
    (toy[0]/'gpu').mkdir()
    (toy[0]/'gpu'/'full-facades_256-oracle-seed0.json').write_text('{}')
    assert tables_page.missing(toy[0]/'gpu', 'full', 'facades_256', 'ours') == 'not run'


def test_mean_spread_and_verdict(tmp_path):
    def write(row, seed, value): (tmp_path/f'toy-synthetic-{row}-seed{seed}.json').write_text(json.dumps(dict(seed=seed, scores=dict(mean_iou=value))))
    for seed, (a, b) in enumerate([(.5, .4), (.6, .65), (.7, .3)]): write('ours', seed, a); write('crn', seed, b)
    assert tables_page.figure(tables_page.known(tmp_path, 'toy', 'synthetic', 'ours'), 'mean_iou') == '0.600 ± 0.100'
    said = tables_page.verdict(tmp_path, 'toy', 'synthetic', (1, 'ours', 'crn', 'mean_iou', 'Table 1'))
    assert 'undecided (2 of 3 seeds)' in said and '+0.150' in said
    assert tables_page.filled('{ours.mean_iou}, {styles.mean_iou}', tmp_path, 'toy', 'synthetic') == '0.600 ± 0.100, (not run)'
    assert tables_page.filled('{toy/ours.mean_iou}, {long/ours.mean_iou}', tmp_path, 'quick', 'synthetic') == '0.600 ± 0.100, (not run)'
    write('oracle', 0, .9)
    assert 'yes (3 of 3 seeds)' in tables_page.verdict(tmp_path, 'toy', 'synthetic', (1, 'oracle', 'ours', 'mean_iou', 'Table 1'))


def test_an_order_within_the_spread_is_undecided(tmp_path):
    def write(row, seed, **scores): (tmp_path/f'toy-synthetic-{row}-seed{seed}.json').write_text(json.dumps(dict(seed=seed, scores=scores)))
    said = lambda *claim: tables_page.order(tmp_path, 'toy', 'synthetic', (1, *claim, 'mean_iou', ''))
    write('crn', 0, mean_iou=.5); write('ours', 0, mean_iou=.6)
    assert said('ours', 'crn')[0] == 'yes' and said('crn', 'ours')[0] == 'no', 'no row has a spread'
    for seed, value in enumerate((.4, .46, .52)): write('pix2pix', seed, mean_iou=value)
    assert said('ours', 'crn')[0] == 'undecided', 'a row of one seed is lent the spread of the others: 0.06'
    assert said('ours', 'pix2pix')[0] == 'yes' and said('pix2pix', 'ours')[0] == 'no'
    assert tables_page.filled('{ours>pix2pix.mean_iou}; {ours>styles.mean_iou}', tmp_path, 'toy', 'synthetic') == 'yes, 1 of 1 seed; not run'
    write('oracle', 0, mean_iou=.61)
    assert said('oracle', 'ours')[0] == 'undecided'
    assert said('ours', 'styles') is None
    elsewhere = lambda *claim: tables_page.order(tmp_path, 'photos', 'facades_256', (1, *claim, 'mean_iou', ''))[0]
    def beside(row, value, seed=0): (tmp_path/f"photos-facades_256-{row.replace(':', '_')}-seed{seed}.json").write_text(json.dumps(dict(seed=seed, scores=dict(mean_iou=value))))
    for row, value in (('crn', .5), ('ours', .6), ('pix2pix', .63)): beside(row, value)
    assert elsewhere('ours', 'crn') == 'undecided', 'where no row has several seeds the spread is that of other scales'
    assert elsewhere('pix2pix', 'crn') == 'yes'
    for seed, value in enumerate((.3, .31, .32)): beside('unet', value, seed)
    assert elsewhere('ours', 'crn') == 'yes', 'its neighbours move by 0.01'
    beside('pix2pix', .6)
    assert elsewhere('pix2pix', 'crn') == 'undecided', 'it moves by 0.06 at another scale'
    for row, value in (('read:ours', .4), ('read:unet', .3), ('read:pix2pix', .3)): beside(row, value)
    assert elsewhere('read:ours', 'read:unet') == 'yes' and elsewhere('read:ours', 'read:pix2pix') == 'undecided', 'as the images move that are read'


def test_a_score_that_cannot_move_lends_no_spread(tmp_path):
    "Samples of a model without styles are one picture, whatever the seed."
    def write(row, seed, value): (tmp_path/f'toy-synthetic-{row}-seed{seed}.json').write_text(json.dumps(dict(seed=seed, scores=dict(diversity=value))))
    for seed in range(3): write('gan_fm', seed, 0.); write('crn', seed, 0.); write('styles_set', seed, .3 + seed / 10)
    write('styles', 0, .11)
    assert tables_page.order(tmp_path, 'toy', 'synthetic', (6, 'styles', 'gan_fm', 'diversity', ''))[0] == 'undecided'
    write('styles', 0, .3)
    assert tables_page.order(tmp_path, 'toy', 'synthetic', (6, 'styles', 'gan_fm', 'diversity', ''))[0] == 'yes'


@pytest.mark.parametrize('run, n, stated', [
    ('gan_fm', 4, dict(batch=1, steps=12, flat=4, half_size=0)), ('enhancer', 4, dict(batch=1, steps=16, flat=8, half_size=4)),
    ('recipe_photos', 4, dict(batch=2, steps=6, flat=2, half_size=0)), ('gan_fm', 5, dict(batch=1, steps=15, flat=5, half_size=0))])
def test_the_length_of_a_training_is_stated_as_it_was(run, n, stated, tmp_path, monkeypatch):
    "In whole rounds through the scenes, so not the steps of the configuration."
    monkeypatch.setitem(SCALES, 'toy', SCALES['toy'] | dict(n_train=n, steps=(5, 9), size=(32, 64)))
    monkeypatch.setitem(paper_tables.RUNS, run, RUNS[run] | dict(perceptual=False) if run == 'recipe_photos' else RUNS[run])
    seen, fit = [], Learner.fit
    def counted(self, n_epoch, *args, **kwargs):
        seen.append((n_epoch, len(self.dls.train), tuple(self.dls.train.one_batch()[2].shape[-2:])))
        return fit(self, n_epoch, *args, **kwargs)
    monkeypatch.setattr(Learner, 'fit', counted)
    b = paper_tables.Bench('toy', 'synthetic', tmp_path/'results', tmp_path/'work')
    b.train_row(run, 0, float('inf'))
    steps = lambda size: sum(a * b for a, b, s in seen if s == size)
    assert dict(scenes=n, **stated) == training_of(SCALES['toy'], run, n)
    assert (steps((32, 64)), steps((16, 32))) == (stated['steps'], stated['half_size'])


def test_the_page_states_each_length(tmp_path):
    row = lambda run, **t: dict(config=dict(row=run), training=dict(scenes=4, batch=1, steps=12, flat=4, half_size=0) | t)
    said = tables_page.lengths([row('gan'), row('gan_fm'), row('recipe_photos', batch=2, steps=6, flat=2), row('small', scenes=2, steps=1_000), row('enhancer', half_size=8)])
    assert said.startswith('12 steps of one scene each, the first 4 at the full rate (the recipe photos: 6 steps of two scenes each, the first 2')
    assert 'the rows of 2 scenes: 1,000 steps' in said and 'enhancer: 12 steps of one scene each, after 8 at half the size' in said


def test_two_segmenters_are_compared(tmp_path):
    settings = dict(steps=(1, 1), segmenter_steps=3, second_steps=4, read_from=.2)
    def write(row, mean, second, **more):
        scores = dict(mean_iou=mean, second_mean_iou=second, share=mean, second_share=second, accuracy=.9) | more
        (tmp_path/f'streets-cityscapes_256-{row}-seed0.json').write_text(json.dumps(dict(
            config=dict(settings=settings, row=row), seed=0, scores=scores, training=dict(scenes=2, batch=1, steps=2, flat=1, half_size=0), minutes=1., perceptual_slices=[], precision='fp32', setup=dict(machine='m', n_scenes=2, size=[4, 8], versions=dict(torch='2')))))
    write('ours', .5, .3); write('pix2pix', .4, .35); write('crn', .3, .2)
    write('oracle', .7, .6, iou=dict(road=.9, train=.1), unread=['train'], second_iou=dict(road=.8, train=.3), second_unread=[])
    text = '\n'.join(tables_page.section(tmp_path, 'streets', 'cityscapes_256', {}))
    assert 'left out, since they read them in the real images with an IoU below 0.2: train' in text and 'road 0.90 / 0.80, train 0.10 / 0.30' in text
    assert 'The two segmenters say the same of 3 of 4 orders, and the opposite of 1.' in text
    assert '| 1: this method above pix2pix, mean IoU | Table 1 | yes (1 of 1 seed) | +0.100 | no (0 of 1 seed) |' in text
    assert 'share, by the second segmenter' in text and 'Not run at this scale: tables 2, 3, 4, 7.' in text


def test_the_streets_with_two_segmenters(shared_data, tmp_path, monkeypatch):
    "The way of the scales of the paper's photos, with tiny networks and a few of them."
    tiny = {k: SCALES['toy'][k] for k in ('ours', 'encoder_width', 'unet')} | dict(size=(32, 64), n_train=4, n_test=3, n_small=3, steps=(4, 4), segmenter_steps=2, second_steps=2, read_from=0, crn=dict(widths=(8,) * 4))
    monkeypatch.setitem(SCALES, 'streets', SCALES['streets'] | tiny)
    rows = ['pix2pix', 'recipe_photos_styles', 'both:recipe_photos_styles', 'oracle']
    command = ['1', '7', '--scale', 'streets', '--rows', *rows, '--data', str(shared_data/'cityscapes_256'), '--results', str(tmp_path/'results'), '--work', str(tmp_path/'work')]
    assert paper_tables.main(command) == 0
    found = {r: json.loads((tmp_path/'results'/f"streets-cityscapes_256-{r.replace(':', '_')}-seed0.json").read_text()) for r in rows}
    assert all('second_share' in found[r]['scores'] for r in ('pix2pix', 'oracle')) and found['pix2pix']['peak_gb'] > 0
    assert found['pix2pix']['setup']['size'] == [32, 64] and 0 <= found[rows[2]]['scores']['mean_iou'] <= 1
    assert not any('edges' in r['scores'] for r in found.values()), 'its objects are connected regions'
    assert found['pix2pix']['scores']['kernel'] > 0 <= found['pix2pix']['scores']['kernel_noise'] and found['pix2pix']['scoring_minutes'] >= 0
    assert '| pix2pix | ' in '\n'.join(tables_page.section(tmp_path/'results', 'streets', 'cityscapes_256', {})), 'a page can be made of them'


def test_rows_that_there_are_not_are_named(tmp_path, capsys):
    command = ['--results', str(tmp_path/'results'), '--work', str(tmp_path/'work')]
    assert paper_tables.main(['1', '--scale', 'quick', '--rows', 'pix2pix', 'pix3pix', *command]) == 1
    said = capsys.readouterr().err
    assert 'The scale quick has no row pix3pix.' in said and 'pix2pix, pix2pix_slow' in said
    assert paper_tables.main(['9', '--scale', 'quick', *command]) == 1
    assert 'The scale quick has no row of table 9. Its tables are 1, 2' in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_pooled_by_class_is_by_class():
    "The features that the generator of such a run gets are equal all over a class, whatever the objects."
    from pix2pixhd_nb.models.encoder import FeatureEncoder
    from pix2pixhd_nb.models.generators import GlobalGenerator
    seen = []
    torch.manual_seed(0)
    model = paper_tables.ByClass(GlobalGenerator(6, width=4, n_downsample=2, n_blocks=1), 2, FeatureEncoder(width=4, n_downsample=2))
    model.generator.register_forward_pre_hook(lambda _, x: seen.append(x[0][:, 3:]))
    label = (torch.arange(16) > 7).long().expand(1, 1, 16, 16)
    instances = torch.arange(16).expand(1, 1, 16, 16) // 4
    image = torch.randn(1, 3, 16, 16)
    with torch.no_grad(): model(label, instances, image)
    raw = model.encoder.raw(image)
    for c in (0, 1): assert torch.allclose(seen[0][:, :, label[0, 0] == c], raw[:, :, label[0, 0] == c].mean(2, keepdim=True).expand(-1, -1, 128), atol=1e-5)
