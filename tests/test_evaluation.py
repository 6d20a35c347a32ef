"Scores against answers known beforehand, and what a user hears when something is wrong."
import json
import shutil
import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from types import SimpleNamespace
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, jaccard_score
from torch import nn
from torchvision.transforms.functional import gaussian_blur
from pix2pixhd_nb.models.boundaries import instance_boundaries
from pix2pixhd_nb.commands import evaluating
from pix2pixhd_nb.commands.evaluating import reader_for, split_to_grade
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.commands.training import names_of
from pix2pixhd_nb.core import LabelSpace, Scene, colorize, to_pil
from pix2pixhd_nb.data.layouts import open_dataset, save_scenes
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.evaluation.touching import compare_edges, edge_accuracy, edge_hits
from pix2pixhd_nb.evaluation.scores import (
    Segmenter, compare_to_oracle, confusion_matrix, count_pictures, segmentation_scores, share_interval,
    share_of_oracle,
)
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.synthesis.styles import StyleBook
from pix2pixhd_nb.apps.preference_study import PAPER_TIMES, Pair, PreferenceStudy
from pix2pixhd_nb.evaluation.preference import (
    agreement, attention, binomial_interval, pairs_needed, power, preferences, sign_test, time_curve,
)
from pix2pixhd_nb.evaluation.distances import (
    frechet_distance, kernel_distance, picture_features, realism, segmenter_features, squeezenet_features,
)
from pix2pixhd_nb.evaluation.report import SizedScenes, evaluate, figures_text, grade, jsonable, notes_of
from pix2pixhd_nb.evaluation.segmenters import load_segmenter, photo_segmenter, save_segmenter
from pix2pixhd_nb.evaluation.diversity import LPIPS, colour_faithfulness, mean_lpips, object_colours, styles_obeyed
from pix2pixhd_nb.models.saved import street_folder
from pix2pixhd_nb.training.learner import pix2pixhd_networks


class Scenes(list):
    "Scenes in memory."
    def __init__(self, scenes, label_space=LABEL_SPACE):
        super().__init__(scenes)
        self.label_space = label_space


class SegmenterOfColours(nn.Module):
    "A perfect segmenter of pictures that are painted in the colours of the classes."
    def __init__(self, space):
        super().__init__()
        self.names, self.colours = space.names, nn.Parameter(colorize(torch.arange(space.n_classes).view(1, -1, 1), space)[:, :, 0].T.clone())
    def forward(self, x): return -(x[:, None] - self.colours[None, :, :, None, None]).abs().sum(2)


@pytest.fixture(scope='module')
def streets(): return Scenes(SyntheticScenes(6, size=(64, 128), seed=11)[i] for i in range(6))


@pytest.fixture(scope='module')
def model():
    "A tiny untrained model with neither encoder nor styles."
    torch.manual_seed(0)
    return Pix2PixHD(pix2pixhd_networks(LABEL_SPACE.n_classes, width=8, n_downsample=1, n_blocks=1)[0], LABEL_SPACE)


def painted(n, space, size=(40, 80)):
    "Scenes of random pixels, each painted in the colour of its class."
    torch.manual_seed(0)
    maps = [torch.multinomial(torch.linspace(1, 3, space.n_classes), size[0] * size[1], True).view(1, *size) for _ in range(n)]
    return Scenes((Scene(m, m, colorize(m, space), f's{i}') for i, m in enumerate(maps)), space)


def test_a_perfect_predictor_scores_the_oracle_and_shuffled_pictures_score_chance():
    space = LabelSpace(['a', 'b', 'c', 'd'])
    scenes = painted(6, space)
    targets = [s.image for s in scenes]
    perfect, shuffled = (compare_to_oracle(SegmenterOfColours(space), scenes, p) for p in (targets, targets[1:] + targets[:1]))
    assert perfect['generated'] == perfect['real'] and perfect['share'] == dict(accuracy=1., mean_iou=1., iou=dict.fromkeys('abcd', 1.))
    share = torch.stack([s.label_map for s in scenes]).flatten().bincount() / (6 * 40 * 80)
    chance = share.square().sum().item() # both maps have these shares and know nothing of each other
    assert abs(shuffled['generated']['accuracy'] - chance) < 0.01
    expected = [(p * p / (2 * p - p * p)).item() for p in share]
    assert np.allclose(list(shuffled['generated']['iou'].values()), expected, atol=0.01)


@pytest.mark.parametrize('ignore', [255, -1])
def test_iou_is_that_of_scikit_learn_with_ignored_and_unscored_pixels_left_out(ignore):
    rng, space = np.random.default_rng(0), LabelSpace(['void', 'a', 'b', 'c', 'unused'], ignore_id=ignore, unscored=[0])
    truth = rng.choice([0, 1, 2, 3, ignore], (1, 50, 60))
    labelled = np.where(rng.random(truth.shape) < 0.4, rng.integers(0, 4, truth.shape), np.clip(truth, 0, 3))
    scores = segmentation_scores(confusion_matrix(torch.from_numpy(labelled), torch.from_numpy(truth), space), space)
    kept = (truth != ignore) & (truth != 0)
    assert list(scores['iou']) == ['a', 'b', 'c']
    assert np.allclose(list(scores['iou'].values()), jaccard_score(truth[kept], labelled[kept], labels=[1, 2, 3], average=None))
    assert np.isclose(scores['accuracy'], accuracy_score(truth[kept], labelled[kept]))


def test_batches_of_scenes_of_several_sizes_count_like_single_ones(streets):
    segmenter = SegmenterOfColours(LABEL_SPACE)
    mixed = Scenes([streets[0], streets[1], *SizedScenes(Scenes(streets[2:4]), (32, 64))[:], streets[4]])
    targets = [s.image for s in mixed]
    together = count_pictures(segmenter, mixed, targets)
    alone = torch.cat([count_pictures(segmenter, Scenes([s]), [p]) for s, p in zip(mixed, targets)])
    assert len(together) == 5 and torch.equal(together, alone)


@pytest.mark.parametrize('n', [1, 2, 7, 30, 501])
def test_interval_and_sign_test_are_those_of_scipy(n):
    for k in sorted({*range(0, n + 1, max(1, n // 9)), n}):
        theirs = binomtest(k, n)
        assert np.isclose(sign_test(k, n), theirs.pvalue, rtol=1e-9)
        for confidence in (0.9, 0.99): assert np.allclose(binomial_interval(k, n, confidence), theirs.proportion_ci(confidence, 'exact'), atol=1e-9)


def test_empty_and_unfound_classes_get_a_message_each_and_no_share():
    space = LabelSpace(['a', 'b', 'c', 'd'])
    scenes = painted(3, space)
    scenes = Scenes((Scene(s.label_map.clamp(max=2), s.instance_map.clamp(max=2), s.image, s.name) for s in scenes), space)
    segmenter = SegmenterOfColours(space)
    with torch.no_grad(): segmenter.colours[2:] = 9. # never the nearest
    figures = grade([s.image for s in scenes], scenes, segmenter, segmenter_features(Segmenter(4).eval()))
    notes = notes_of(figures)
    assert 'no scene has any d: left out of every mean.' in notes
    assert any(n.startswith('the segmenter never finds c on the real images either') for n in notes)
    assert any(n.startswith('no two objects of one class touch') for n in notes)
    assert figures_text(figures).split('IoU of c')[1].splitlines()[0].split() == ['0.000', '0.000', '–']


def test_edges_that_no_target_shows_have_no_share(streets):
    flat = Scenes(Scene(s.label_map, s.instance_map, torch.zeros_like(s.image), s.name) for s in streets)
    found = compare_edges([s.image for s in streets], flat)
    assert found['generated']['accuracy'] > 0 == found['real']['accuracy'] and np.isnan(found['share'])


def test_pairs_needed_is_the_number_from_which_on_the_power_stays():
    for d in (0.1, 0.25, 0.5):
        n = pairs_needed(d)
        assert power(n - 1, 0.5 + d) < 0.8
        assert all(power(m, 0.5 + d) >= 0.8 for m in range(n, 3 * n))


def test_the_frechet_distance_of_samples_approaches_the_closed_form():
    torch.manual_seed(0)
    shift, scale = torch.tensor([1., 0, -2]), torch.tensor([1., 3, 0.5])
    a, b = torch.randn(40_000, 3), torch.randn(40_000, 3) * scale + shift
    expected = (shift.square() + (1 - scale).square()).sum().item()
    assert abs(frechet_distance(a, b) - expected) < 0.02 * expected
    turn = torch.linalg.qr(torch.randn(3, 3))[0]
    assert np.isclose(frechet_distance(a @ turn, b @ turn), frechet_distance(a, b), rtol=1e-4)


def test_the_kernel_distance_is_unbiased_and_its_noise_is_honest():
    torch.manual_seed(0)
    results = np.array([kernel_distance(*torch.randn(2, 12, 8), n_shuffles=20) for _ in range(200)])
    values, noise = results.T
    assert abs(values.mean()) < 3 * values.std() / 200**0.5
    assert 0.7 < noise.mean() / values.std() < 1.4
    shifted = torch.randn(12, 8) + torch.tensor(1.5)
    assert kernel_distance(torch.randn(12, 8), shifted)[0] > 3 * noise.mean()


def test_realism_takes_the_latest_stage_that_the_sample_allows(streets):
    torch.manual_seed(0)
    network, targets = segmenter_features(Segmenter(9).eval()), [s.image for s in streets]
    few, more = realism(targets, targets, network), realism(targets * 9, targets * 9, network)
    assert few['frechet'] is None and 'fewer than twice the 24 features' in few['warnings'][1]
    assert more['frechet_features'] == 24 and abs(more['frechet']) < 1e-6
    assert 'FID' not in few['network']


def test_edges_fall_when_borders_are_smeared(streets):
    def smeared(s):
        near = nn.functional.max_pool2d(instance_boundaries(s.instance_map[None]), 3, 1, 1)[0] > 0
        return torch.where(near, gaussian_blur(s.image, 9, 3.), s.image)
    sharp, soft = (compare_edges(p, streets) for p in ([s.image for s in streets], [smeared(s) for s in streets]))
    assert sharp['share'] == 1 and soft['share'] < 0.5
    assert sharp['chance'] < 0.6 * sharp['real']['accuracy']


def test_colours_of_the_class_explain_nothing_and_those_of_other_scenes_less(streets):
    targets = [s.image for s in streets]
    assert colour_faithfulness(targets, streets)['explained'] == pytest.approx(1)
    assert colour_faithfulness(targets[1:] + targets[:1], streets)['explained'] < 0


def test_a_model_without_styles_or_instance_maps_is_graded_too(streets, model):
    torch.manual_seed(0)
    bare = Scenes(Scene(s.label_map, None, s.image, s.name) for s in streets)
    result = evaluate(model, bare, Segmenter(9).eval(), styles='target')
    assert {'edges', 'colours', 'diversity'}.isdisjoint(result.figures)
    assert len(result.pictures) == 6 and result.grid(2).width > 300
    json.dumps(jsonable(result.figures), allow_nan=False)


def test_the_same_pictures_as_pil_and_as_tensors_get_the_same_figures(streets):
    torch.manual_seed(0)
    segmenter, pictures = Segmenter(9).eval(), [to_pil(s.image) for s in streets]
    as_tensors = [torch.from_numpy(np.asarray(p).copy()).permute(2, 0, 1).float() / 127.5 - 1 for p in pictures]
    first, second = (jsonable(grade(p, streets, segmenter)) for p in (pictures, as_tensors))
    assert first['segmentation'] == second['segmentation'] and first['edges'] == second['edges']


def test_the_statistics_work_on_what_a_preference_study_records():
    bright, dark = ([torch.full((3, 8, 16), v) + 0.01 * k for k in range(14)] for v in (0.5, -0.5))
    pairs = [Pair(a, b, ('bright', 'dark'), scene=f's{k}') for k, (a, b) in enumerate(zip(bright, dark))]
    rows, rng = [], np.random.default_rng(0)
    for rater in ('Ada', 'Bob', 'asleep'):
        study = PreferenceStudy(pairs, PAPER_TIMES, rater=rater, check_every=3)
        while t := study.current:
            if rater == 'asleep': side = ('left', 'right')[rng.integers(2)]
            else: side = 'left' if t.methods[0] == 'bright' or t.methods[1] == 'degraded copy' else 'right'
            study.answer(side, shown=t.time)
        rows.append(study.results())
    results = pd.concat(rows, ignore_index=True)
    assert attention(results).kept.to_dict() == dict(Ada=True, Bob=True, asleep=False)
    table = preferences(results)
    assert table.loc[0, ['method', 'over', 'answers', 'share']].tolist() == ['bright', 'dark', 28, 1.]
    assert time_curve(results, 'dark', 'bright').share.tolist() == [0.] * 7
    assert np.isclose(table.p[0], binomtest(28, 28).pvalue)
    untimed = PreferenceStudy(pairs, rater='Cleo', check_every=0)
    while untimed.current: untimed.answer('left')
    with pytest.raises(ValueError, match='unlimited time'): time_curve(untimed.results(), 'bright', 'dark')
    with pytest.raises(ValueError, match='answered by two raters'): agreement(untimed.results())


def test_a_segmenter_comes_back_from_its_file_and_another_does_not(tmp_path):
    torch.manual_seed(0)
    with redirect_stdout(StringIO()) as said: network = photo_segmenter(4).eval()
    assert 'untrained' in said.getvalue()
    network.names, x = ('a', 'b', 'c', 'd'), torch.randn(1, 3, 32, 64)
    loaded = load_segmenter(save_segmenter(network, tmp_path / 's.safetensors'))
    assert torch.equal(loaded(x), network(x)) and loaded.names == network.names
    with pytest.raises(FileNotFoundError, match='expected a segmenter'): load_segmenter(tmp_path / 'none.safetensors')


@pytest.fixture(scope='module')
def folders(tmp_path_factory, streets, model):
    "A dataset, a model, a segmenter, and some that do not belong to them."
    folder = tmp_path_factory.mktemp('folders')
    for split in ('train', 'val'): save_scenes(streets[:3], folder / 'streets', LABEL_SPACE, split)
    walls = LabelSpace(['wall', 'window'])
    save_scenes([Scene(s.label_map % 2, None, s.image, s.name) for s in streets[:2]], folder / 'walls', walls, 'val')
    model.save(folder / 'model')
    torch.manual_seed(0)
    for name, space in (('right', LABEL_SPACE), ('wrong', walls)):
        segmenter = Segmenter(space.n_classes)
        segmenter.names = space.names
        save_segmenter(segmenter, folder / f'{name}.safetensors')
    torch.save({'features.0.weight': torch.zeros(64, 3, 11, 11)}, folder / 'alexnet.pth')
    return folder


@pytest.mark.parametrize('arguments, message', [
    (['walls'], 'The model knows the classes void, sky'),
    (['streets', '--segmenter', 'wrong.safetensors'], 'The segmenter knows the classes wall, window'),
    (['streets', '--segmenter', 'model/pipeline.json'], 'is no whole safetensors file'),
    (['streets', '--weights', 'alexnet.pth'], 'holds the weights of another network'),
    (['streets', '--weights', 'none.pth'], 'none.pth is not there'),
    (['streets', '--split', 'train'], "The split to grade is 'train'"),
    (['streets', '--split', 'test'], 'test'),
    (['streets', '--steps', '1'], '--steps is 1, expected 2 or more'),
    (['streets', '--styles', 'own'], "styles is 'own'"),
])
def test_the_command_answers_a_mistake_with_one_message(folders, monkeypatch, arguments, message):
    monkeypatch.chdir(folders)
    with redirect_stderr(StringIO()) as said, redirect_stdout(StringIO()): status = main(['evaluate', 'model', arguments[0], 'out', '--steps', '2', *arguments[1:]])
    assert status == 2 and message in said.getvalue() and len(said.getvalue().splitlines()) == 1


def test_the_command_writes_what_it_takes_to_repeat_it(folders, monkeypatch):
    monkeypatch.chdir(folders)
    for out in ('first', 'second'):
        with redirect_stdout(StringIO()) as said: assert main(['evaluate', 'model', 'streets', out, '--segmenter', 'right.safetensors', '--size', '64x32']) == 0
    first, second = (json.loads((folders / out / 'evaluation.json').read_text()) for out in ('first', 'second'))
    assert first['figures'] == second['figures']
    assert {'model', 'data', 'split', 'size', 'seed', 'styles', 'versions', 'machine', 'scenes_checksum', 'segmenter_checksum', 'model_checksum', 'network', 'network_checksum'} <= first['setup'].keys()
    assert first['setup']['size'] == [32, 64] and 'mean IoU' in said.getvalue()


def test_the_command_grades_scenes_that_did_not_choose_the_epoch(folders, streets, tmp_path, monkeypatch):
    monkeypatch.chdir(folders)
    data, model = tmp_path / 'data', tmp_path / 'model'
    shutil.copytree('streets', data)
    shutil.copytree('model', model)
    note = dict(data=dict(chose_epoch=names_of(open_dataset(data, 'val'))))
    (model / 'train.json').write_text(json.dumps(note))
    def graded(*more):
        with redirect_stdout(StringIO()), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter('always')
            assert main(['evaluate', str(model), str(data), str(tmp_path / 'out'), '--overwrite', '--segmenter', 'right.safetensors', '--size', '64x32', *more]) == 0
        return json.loads((tmp_path / 'out' / 'evaluation.json').read_text())['setup']['split'], any('chose the epoch' in str(w.message) for w in said)
    assert graded() == ('val', True)
    assert graded('--split', 'val') == ('val', False) # as asked for
    bare = [Scene(s.label_map, s.instance_map, None, s.name) for s in streets[:2]]
    save_scenes(bare, data, LABEL_SPACE, 'test')
    assert graded() == ('val', True) # without photos
    save_scenes([Scene(s.label_map * 0, s.instance_map, s.image, s.name) for s in streets[:2]], data, LABEL_SPACE, 'test')
    assert split_to_grade(data) == 'val' # nothing to score
    save_scenes(streets[:2], data, LABEL_SPACE, 'test')
    assert graded() == ('test', False)


@pytest.mark.parametrize('split', ['train', 'training'])
def test_training_photos_are_known_by_either_name(streets, tmp_path, split):
    for s in streets[:2]:
        for part, picture in (('images', to_pil(s.image)), ('annotations', Image.fromarray(s.label_map[0].numpy().astype('uint8')))):
            (tmp_path / part / 'training').mkdir(parents=True, exist_ok=True)
            picture.save(tmp_path / part / 'training' / f'{s.name}.png')
    with pytest.raises(ValueError, match=f"The split to grade is '{split}'"): reader_for(tmp_path, split, (32, 64), None, 2, 0)


def test_lpips_of_tiny_pictures_is_refused_before_a_segmenter_learns(folders, monkeypatch):
    monkeypatch.chdir(folders)
    monkeypatch.setattr(evaluating, 'squeezenet_features', lambda path: nn.Identity())
    class Fake(nn.Module):
        least = LPIPS.least
        def __init__(self, *files): super().__init__()
    monkeypatch.setattr(evaluating, 'LPIPS', Fake)
    line = ['evaluate', 'model', 'streets', 'out', '--weights', 'w.pth', '--lpips', 'l.pth', '--size', '32x16']
    with redirect_stderr(StringIO()) as said, redirect_stdout(StringIO()): assert main(line) == 2
    assert '17 pixels or more' in said.getvalue()


def test_touching_facade_parts_have_edges_where_the_map_says(shared_data):
    scenes = open_dataset(shared_data / 'facades_256', 'val')[:12]
    photos = [scenes[i].image for i in range(12)]
    real = compare_edges(photos, scenes)
    soft = edge_accuracy([gaussian_blur(x, 9, 2.) for x in photos], scenes)
    assert sum(real['real']['crossings'].values()) > 500
    assert real['real']['accuracy'] > 1.5 * real['chance'] and soft['accuracy'] < 0.6 * real['real']['accuracy']


def test_squeezenet_sees_that_blurred_photos_are_further_from_photos(shared_data):
    network = squeezenet_features(shared_data / 'weights/squeezenet1_1_imagenet.pth')
    scenes = open_dataset(shared_data / 'camvid_256', 'val')
    a, b = ([scenes[i].image for i in range(k, 60, 2)] for k in (0, 1))
    features = [picture_features(x, network, 1) for x in (a, b, [gaussian_blur(x, 9, 2.) for x in a])]
    (same, noise), (blurred, _) = (kernel_distance(x, features[1]) for x in (features[0], features[2]))
    assert abs(same) < 3 * noise and blurred > 5 * noise


def test_lpips_is_that_of_its_authors_package(shared_data):
    "What lpips 0.1.4 said of the same pictures with the same two files."
    weights = shared_data / 'weights'
    if not weights.is_dir(): pytest.skip('the weights are not there')
    lpips = LPIPS(weights / 'squeezenet1_1_imagenet.pth', weights / 'lpips_v0.1_squeeze_linear.pth')
    scenes = SyntheticScenes(2, size=(64, 128), seed=3)
    a, b = (s.image[None] for s in scenes)
    assert lpips(a, gaussian_blur(a, 9, 1.)).item() == pytest.approx(0.171209, abs=1e-5)
    assert lpips(a, b).item() == pytest.approx(0.414017, abs=1e-5)
    assert mean_lpips([b[0], b[0]], scenes, lpips) == pytest.approx(0.414017 / 2, abs=1e-5)


def test_the_command_says_lpips_where_it_has_the_weights(shared_data, tmp_path, capsys):
    weights = shared_data / 'weights'
    if not weights.is_dir(): pytest.skip('the weights are not there')
    save_scenes(SyntheticScenes(3, size=(64, 128)), tmp_path / 'data', LABEL_SPACE)
    save_scenes(SyntheticScenes(2, size=(64, 128), seed=1), tmp_path / 'data', LABEL_SPACE, 'val')
    street = str(street_folder())
    linear = ['--lpips', str(weights / 'lpips_v0.1_squeeze_linear.pth')]
    assert main(['evaluate', street, str(tmp_path / 'data'), str(tmp_path / 'out'), '--steps', '2', *linear]) == 2
    assert '--lpips needs --weights' in capsys.readouterr().err
    squeezenet = ['--weights', str(weights / 'squeezenet1_1_imagenet.pth')]
    assert main(['evaluate', street, str(tmp_path / 'data'), str(tmp_path / 'out'), '--size', '128x64', '--steps', '2', *linear, *squeezenet]) == 0
    assert 'LPIPS to the target' in capsys.readouterr().out
    found = json.loads((tmp_path / 'out/evaluation.json').read_text())['figures']['lpips']
    assert 0.05 < found['mean'] < 0.9 and found['network'] == LPIPS.name


@pytest.mark.parametrize('which', [0, 1, 'random'])
def test_a_generator_that_ignores_styles_obeys_them_by_chance(which):
    space = LabelSpace(['a', 'b'])
    ids = torch.arange(8).repeat_interleave(40).view(1, 8, 40)
    scenes = [Scene(ids % 2, ids)] * 60
    book = StyleBook({c: torch.tensor([[0., 0], [1, 1]]) for c in (0, 1)}, {c: torch.tensor([90, 10]) for c in (0, 1)}, space)
    torch.manual_seed(0)
    found = lambda: torch.full((2,), float(torch.rand(()) < .3 if which == 'random' else which))
    blind = SimpleNamespace(style_book=book, styles_of=lambda picture, label, ids: {i: found() for i in ids.unique().tolist()})
    asked = [book.sample((ids % 2)[None], ids[None], seed=i) for i in range(60)]
    figures = styles_obeyed(blind, [None] * 60, scenes, asked)
    expected = {0: .9, 1: .1, 'random': .9 * .7 + .1 * .3}[which]
    assert figures['objects'] == 480 and abs(figures['obeyed'] - figures['chance']) < .03 and abs(figures['chance'] - expected) < .06
    obedient = SimpleNamespace(style_book=book, styles_of=lambda picture, label, ids: picture)
    figures = styles_obeyed(obedient, asked, scenes, asked)
    assert figures['obeyed'] == 1 and figures['chance'] < .9


def test_an_edge_needs_a_step_beside_the_border_to_be_compared_with():
    ids = torch.ones(1, 16, 16, dtype=torch.long); ids[..., 8:] = 2
    scene, image = Scene(torch.zeros_like(ids), ids), (ids - 1.).expand(3, -1, -1)
    for reach, slack in ((1, 0), (2, 1), (2, 2), (3, 2), (4, 3), (4, -1)):
        with pytest.raises(ValueError, match=f'slack is {slack}'): edge_hits(scene, image, reach, slack)
    for reach, slack in ((2, 0), (3, 1), (4, 2)): assert edge_hits(scene, image, reach, slack)[1].all()


def test_scenes_without_a_scored_pixel_have_no_part_in_the_interval():
    space = LabelSpace(['void', 'a', 'b'], unscored=['void'])
    read, real = (torch.zeros(4, 3, 3, dtype=torch.long) for _ in range(2))
    real[0, 1, 1] = real[0, 2, 2] = real[3, 1, 1] = real[3, 2, 2] = 10
    read[0, 1, 1], read[0, 2, 2], read[0, 2, 1] = 10, 8, 2
    read[3, 1, 1], read[3, 2, 2], read[3, 1, 2] = 9, 10, 1
    interval = share_interval(read, real, space)
    assert interval == share_interval(read[[0, 3]], real[[0, 3]], space) and interval['accuracy'][0] > .85
    with pytest.raises(ValueError, match='No scene has a scored pixel'): share_interval(read[1:3], real[1:3], space)


def test_a_model_without_classes_is_sent_to_its_own_evaluation(streets):
    with pytest.raises(ValueError, match='grade it with evaluate_pairs'): evaluate(SimpleNamespace(label_space=None), streets, None)


def test_samples_without_a_share_are_left_out_of_the_interval_and_one_scene_has_none():
    space = LabelSpace(['a', 'b'])
    real = torch.tensor([[[0, 4], [0, 0]], [[4, 0], [0, 4]]]) # of the first scene the segmenter reads nothing rightly
    interval = share_interval(real, real, space)
    assert interval == dict(accuracy=(1., 1.), mean_iou=(1., 1.))
    assert share_interval(real[1:], real[1:], space) == dict(accuracy=None, mean_iou=None)
    figures = dict(share_of_oracle(real[1], real[1], space), interval=dict(accuracy=None, mean_iou=None))
    assert '95 % interval over scenes –' in figures_text(dict(n_scenes=1, segmentation=figures))


def test_the_table_says_what_edges_chance_gives(streets):
    found = compare_edges([s.image for s in streets], streets)
    said = figures_text(dict(n_scenes=len(streets), edges=found))
    assert f"by chance {found['chance']:.3f}, above chance 1.000" in said


def test_an_object_is_of_the_class_of_most_of_its_pixels(model, monkeypatch):
    label, ids = torch.ones(1, 32, 64, dtype=torch.long), torch.full((1, 32, 64), 7)
    label[0, 0, 0], label[0, -1, -1] = 2, 3 # the first pixel, and the last
    scenes = Scenes([Scene(label, ids, torch.zeros(3, 32, 64), 's')])
    assert object_colours([scenes[0].image], scenes)[1].tolist() == [1]
    asked, centres = {7: torch.zeros(3)}, {1: torch.stack([torch.zeros(3), torch.ones(3)])}
    class Book:
        def nearest(self, c, v): return int(c != 1)
    Book.centres, Book.label_space = centres, LABEL_SPACE
    fake = SimpleNamespace(style_book=Book(), styles_of=lambda *args: asked)
    assert styles_obeyed(fake, [None], scenes, [asked])['objects'] == 1


def test_a_test_without_photos_is_named_where_there_is_no_val(tmp_path):
    scenes = SyntheticScenes(2, size=(32, 64))
    save_scenes(scenes, tmp_path, scenes.label_space, 'train')
    with pytest.raises(ValueError, match='there is no split test, and there is no split val: .*--split'): split_to_grade(tmp_path)
    save_scenes(scenes, tmp_path, scenes.label_space, 'test')
    assert split_to_grade(tmp_path) == 'test'
    for photo in (tmp_path / 'test/image').glob('*'): photo.unlink()
    with pytest.raises(ValueError, match='test has no photos, which grading needs, and there is no split val'): split_to_grade(tmp_path)
    assert split_to_grade(tmp_path, need_images=False) == 'test' # of a study without photos
    save_scenes(scenes, tmp_path, scenes.label_space, 'val')
    assert split_to_grade(tmp_path) == 'val'
