"The style explorer without a browser: what is shown is the state, whatever was done and however fast; a refusal changes nothing."
import json
import time
from io import BytesIO
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from pix2pixhd_nb.engine import memory as planning
from pix2pixhd_nb.core import LabelSpace, Scene
from pix2pixhd_nb.data import pictures
from pix2pixhd_nb.data.city import CITY_SPACE, synthetic_city
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.apps.canvas import LatestOnly
from pix2pixhd_nb.apps.explorer import StyleExplorer
from pix2pixhd_nb.apps.studio import SceneStudio
from pix2pixhd_nb.editing.editor import class_of
from pix2pixhd_nb.editing.shapes import ShapeLibrary
from pix2pixhd_nb.apps.windows import generate_window, reach, window_around
from pix2pixhd_nb.models.encoder import FeatureEncoder
from pix2pixhd_nb.models.generators import CoarseToFineGenerator, GlobalGenerator
from pix2pixhd_nb.models.synthesizer import Synthesizer
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.synthesis.styles import StyleBook, measure_features

SCENES = list(SyntheticScenes(6, size=(64, 128)))


def new_model(norm, seed=0, scenes=SCENES[:4]):
    "A model that was never trained; its styles differ all the same."
    torch.manual_seed(seed)
    n = LABEL_SPACE.n_classes
    net = Synthesizer(GlobalGenerator(n + 4, width=8, n_downsample=1, n_blocks=1, norm=norm), n, FeatureEncoder(width=4, n_downsample=1, norm=norm)).eval()
    with torch.no_grad():
        for p in net.generator.parameters(): p.mul_(3)  # enough contrast for eight bits
    return Pix2PixHD(net, LABEL_SPACE, StyleBook.fit(measure_features(net, scenes), LABEL_SPACE, 3))


MODELS = {norm: new_model(norm) for norm in ('batch', 'instance')}
both_norms = pytest.mark.parametrize('norm', MODELS)


def array(picture): return np.asarray(picture).astype(int)


def generated(explorer):
    "What a model generates that knows nothing of windows and of earlier pictures."
    e = explorer.editor
    return array(explorer.model.predict(e.label_map, e.instance_map, styles=e.styles))


def in_view_is(explorer, wanted, seconds=10):
    "Does the browser get that picture? A worker sends it, on a busy machine a little later."
    end = time.time() + seconds
    while not (same := (in_view(explorer) == wanted).all()) and time.time() < end: time.sleep(0.05)
    return same


def in_view(explorer):
    "The picture that the browser was sent."
    return array(Image.open(BytesIO(explorer.picture_png)))


which = st.integers(0, 40)  # number of an object among those there
OPERATIONS = st.one_of(
    st.tuples(st.just('select'), which), st.tuples(st.just('choose'), st.integers(0, 3)), st.tuples(st.just('blend'), st.floats(-0.1, 1.1)),
    st.tuples(st.just('apply'), st.sampled_from(['instance', 'class'])), st.tuples(st.just('shuffle'), st.integers(-1, 5)),
    st.tuples(st.just('undo')), st.tuples(st.just('redo')), st.tuples(st.just('compare'), st.floats(-0.1, 1.1)), st.tuples(st.just('deselect')))


def do(explorer, operation):
    name, *arguments = operation
    before, steps = explorer.recipe, len(explorer.editor.done)
    try:
        if name == 'select': explorer.select(instance=(explorer.editor.objects + [9999])[arguments[0] % (len(explorer.editor.objects) + 1)])
        elif name == 'apply': explorer.apply_to = arguments[0]
        else: getattr(explorer, name)(*arguments)
    except ValueError: assert explorer.recipe == before
    assert len(explorer.editor.done) - steps in {'undo': (-1, 0), 'choose': (0, 1), 'shuffle': (0, 1), 'redo': (0, 1), 'blend': (-1, 0, 1)}.get(name, (0,))


@both_norms
@settings(deadline=None, derandomize=True, database=None, max_examples=25)
@given(st.lists(OPERATIONS, max_size=10))
def test_what_is_shown_is_the_state(norm, operations):
    explorer = StyleExplorer(MODELS[norm], SCENES[0])
    first = generated(explorer)
    for operation in operations: do(explorer, operation)
    assert (array(explorer.picture) == generated(explorer)).all() and in_view_is(explorer, generated(explorer))
    if explorer.selected is not None:
        rows, cols = window_around(*explorer.editor.mask_of(explorer.selected)[:2], explorer.editor.size)
        thumbnails, book = explorer.thumbnails, explorer.model.style_book
        assert len(thumbnails) == len(explorer._choices()) == len(explorer.styles)
        assert explorer.state['chosen'] == explorer._chosen()
        if explorer.state['chosen'] >= 0: assert np.abs(array(thumbnails[explorer.state['chosen']]) - generated(explorer)[rows, cols]).max() <= 1
    if explorer.comparing: assert (array(explorer.comparison)[:, :round(128 * explorer._split)] == first[:, :round(128 * explorer._split)]).all()
    while explorer.editor.done: explorer.undo()
    assert (array(explorer.picture) == first).all()


@both_norms
def test_a_window_is_the_picture_there(norm):
    model, scene = MODELS[norm], SCENES[1]
    scene = Scene(scene.label_map[:, :57, :101], scene.instance_map[:, :57, :101])  # a size that the generator has to pad
    styles = model.random_styles(scene.label_map, scene.instance_map, 0)
    whole = array(model.predict(scene.label_map, scene.instance_map, styles=styles))
    for rows, cols in ((slice(0, 57), slice(0, 101)), (slice(20, 31), slice(43, 60)), (slice(50, 57), slice(90, 101)), (slice(0, 3), slice(99, 101))):
        window = array(generate_window(model, scene.label_map[None], scene.instance_map[None], styles, rows, cols))
        assert window.shape == whole[rows, cols].shape and np.abs(window - whole[rows, cols]).max() <= 1


@pytest.mark.parametrize('generator', [
    GlobalGenerator(1, width=4, n_downsample=1, n_blocks=0, norm='batch'), GlobalGenerator(1, width=4, n_downsample=1, n_blocks=2, norm='batch'),
    GlobalGenerator(1, width=4, n_downsample=3, n_blocks=1, norm='batch'),
    CoarseToFineGenerator(1, width=2, n_downsample=2, n_blocks=1, n_enhancer_blocks=2, norm='batch'),
    CoarseToFineGenerator(1, width=2, n_downsample=1, n_blocks=1, n_enhancers=2, n_enhancer_blocks=1, norm='batch')], ids=lambda g: str(reach(g)))
def test_a_change_travels_as_far_as_counted(generator):
    net, size, farthest = generator.double().eval(), 192, 0
    for at in range(88, 88 + generator.multiple_of):  # it depends on where in the coarse grid the change lies
        x = torch.zeros(1, 1, size, size, dtype=torch.double)
        changed = x.clone()
        changed[..., at, at] = 1000.
        with torch.no_grad(): moved = (net(x) - net(changed)).abs().amax((0, 1)) > 0
        farthest = max(farthest, (torch.nonzero(moved) - at).abs().max().item())
    assert reach(net) - 3 <= farthest <= reach(net)


def send(explorer, do, **arguments):
    "A message as the page sends it."
    explorer._handle_custom_msg(dict(do=do, **arguments), [])


@both_norms
def test_messages_of_the_page_do_what_python_does(norm):
    explorer = StyleExplorer(MODELS[norm], SCENES[0])
    first = explorer.editor.styles.copy()
    car = max((i for i in explorer.editor.objects if i // 1000 == 6), key=lambda i: explorer.editor._areas[i])
    rows, cols, mask = explorer.editor.mask_of(car)
    y, x = (np.argwhere(mask)[0] + (rows.start, cols.start)).tolist()
    send(explorer, 'select', at=[x, y], n=1)
    assert explorer.selected == car == explorer.state['selected'] and explorer.heard == 1
    send(explorer, 'choose', k=1)
    assert torch.equal(explorer.editor.styles[car], explorer.model.style_book.style(6, 1))
    send(explorer, 'blend', share=0.25)
    expected = torch.lerp(first[car], explorer.model.style_book.style(6, 1), 0.25)
    assert torch.equal(explorer.editor.styles[car], expected) and len(explorer.editor.done) == 1
    send(explorer, 'scope', who='class')
    send(explorer, 'choose', k=2)
    assert all(torch.equal(explorer.editor.styles[i], explorer.model.style_book.style(6, 2)) for i in explorer.editor.objects if i // 1000 == 6)
    for _ in range(2): send(explorer, 'undo')
    assert torch.equal(explorer.editor.styles[car], first[car]) and not explorer.editor.done and explorer.state['ahead'] == 2
    send(explorer, 'go', depth=2)
    assert len(explorer.editor.done) == 2
    send(explorer, 'deselect')
    send(explorer, 'shuffle', seed=4)
    assert len(explorer.editor.done) == 3 and 'seed 4' in explorer.message
    send(explorer, 'compare', split=0.5)
    assert explorer.comparing and explorer.state['split'] == 0.5 and explorer.comparison.size == (128, 64)
    send(explorer, 'compare', split=0)
    assert not explorer.comparing and not explorer.first_png
    assert explorer.selected is None and not explorer.styles
    assert (array(explorer.picture) == generated(explorer)).all()


def test_another_scene_can_be_taken_back():
    explorer = StyleExplorer(MODELS['batch'], SCENES[0], scenes=lambda n: SCENES[n])
    explorer.shuffle(5)
    before = explorer.recipe
    send(explorer, 'scene', number=2)
    assert explorer.recipe != before and explorer.state['undo']
    send(explorer, 'undo')
    assert explorer.recipe == before and explorer.state['redo']
    send(explorer, 'scene', number=10_000)
    assert explorer.refused and explorer.recipe == before


def test_a_refusal_on_the_page_is_an_error_message_and_changes_nothing():
    explorer = StyleExplorer(MODELS['batch'], SCENES[0])
    state = explorer.recipe
    send(explorer, 'select', at=[500, 3])
    assert 'outside the picture' in explorer.message and explorer.refused
    send(explorer, 'choose', k=1)
    assert 'Nothing is selected' in explorer.message and explorer.refused
    explorer.select(instance=explorer.editor.objects[-1])
    assert not explorer.refused
    send(explorer, 'choose', k=7)
    assert 'Style 7' in explorer.message and explorer.refused and explorer.state['chosen'] == explorer._chosen()
    explorer._handle_custom_msg(dict(do='open', name='a.json'), [b'{]'])
    assert 'is no whole edit' in explorer.message and explorer.recipe == state


@both_norms
def test_fast_hands_are_never_behind(norm):
    explorer = StyleExplorer(MODELS[norm], SCENES[0])
    objects, shown = explorer.editor.objects, explorer.version
    for n in range(100):
        explorer.select(instance=objects[n % len(objects)])
        explorer.choose(n % min(3, len(explorer._choices())))
    assert (array(explorer.picture) == generated(explorer)).all() and len(explorer.thumbnails) == len(explorer._choices())
    assert in_view_is(explorer, generated(explorer)) and explorer.version - shown < 100


def test_a_slow_model_generates_the_last_state_only():
    explorer = StyleExplorer(new_model('batch'), SCENES[0])
    explorer.picture
    requests, predict = [], explorer.model.predict
    def slow(*arguments, **more): requests.append(1); time.sleep(0.5); return predict(*arguments, **more)
    explorer.model.predict = slow
    for seed in range(30): explorer.shuffle(seed)
    picture = explorer.picture
    assert len(requests) <= 3 and (array(picture) == generated(explorer)).all()


def test_a_request_that_fails_is_told_and_the_next_one_is_served():
    explorer = StyleExplorer(new_model('instance'), SCENES[0])
    explorer.picture
    predict = explorer.model.predict
    def broken(*arguments, **more): raise RuntimeError('not enough memory')
    explorer.model.predict = broken
    explorer.shuffle(1)
    with pytest.raises(ValueError, match='could not be generated: not enough memory'): explorer.picture
    assert explorer.refused
    explorer.model.predict = predict
    explorer.shuffle(2)
    assert (array(explorer.picture) == generated(explorer)).all()


@both_norms
def test_a_saved_recipe_is_opened_and_goes_on(norm, tmp_path):
    explorer = StyleExplorer(MODELS[norm], SCENES[0])
    explorer.select(instance=explorer.editor.objects[-1])
    explorer.choose(0); explorer.shuffle(3)
    png, recipe = explorer.save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([png.name, recipe.name])
    again = StyleExplorer(MODELS[norm], SCENES[1])
    again.open_recipe(recipe)
    assert (array(again.picture) == array(Image.open(png))).all() and again.recipe == explorer.recipe
    for e in (again, explorer): e.undo(); e.undo()
    assert (array(again.picture) == array(explorer.picture)).all()
    assert [p.name for p in explorer.save(tmp_path/'sub'/'a.b')] == ['a.b.png', 'a.b.json']
    bare = json.loads(recipe.read_text())
    del bare['model'], bare['styles']['3']
    again.open_recipe(json.dumps(bare))  # as another editor may have written it
    assert set(again.editor.styles) == set(again.editor.objects)
    assert (array(again.picture) == generated(again)).all()


@pytest.mark.parametrize('change, message', [
    (lambda d: d | dict(model='0123456789ab'), 'this model has encoder'),
    (lambda d: {k: v for k, v in d.items() if k != 'model'} | dict(styles={i: v + [0.] for i, v in d['styles'].items()}), 'encoder unknown'),
    (lambda d: d | dict(label_space=d['label_space'] | dict(classes=d['label_space']['classes'] + [dict(id=9, name='boat', color=[1, 2, 3], thing=True)])), 'belongs to another model'),
    (lambda d: d | dict(instance_map=d['instance_map'] | dict(size=[3, 3])), 'is no whole edit'),
    (lambda d: {}, 'is no whole edit')])
def test_a_recipe_of_something_else_is_refused(change, message):
    explorer = StyleExplorer(MODELS['batch'], SCENES[0])
    explorer.shuffle(1)
    state, picture = explorer.recipe, array(explorer.picture)
    with pytest.raises(ValueError, match=message): explorer.open_recipe(json.dumps(change(json.loads(state))))
    assert explorer.recipe == state and (array(explorer.picture) == picture).all()


def test_a_missing_recipe_is_named(tmp_path):
    explorer = StyleExplorer(MODELS['batch'], SCENES[0])
    with pytest.raises(OSError, match='nothing.json'): explorer.open_recipe(tmp_path/'nothing.json')


def test_what_cannot_be_explored_is_refused(monkeypatch):
    n, scene = LABEL_SPACE.n_classes, SCENES[0]
    plain = Pix2PixHD(Synthesizer(GlobalGenerator(n + 1, width=4, n_downsample=1, n_blocks=1), n), LABEL_SPACE)
    with pytest.raises(ValueError, match='has no encoder'): StyleExplorer(plain, scene)
    model = new_model('batch')
    book, model.style_book = model.style_book, None
    with pytest.raises(ValueError, match='style book of this model is empty'): StyleExplorer(model, scene)
    with pytest.raises(ValueError, match='belongs to another model'): model.style_book = new_model('batch', seed=1).style_book
    model.style_book = book
    with pytest.raises(ValueError, match='label_map has id 9'): StyleExplorer(model, Scene(torch.full((1, 64, 128), 9)))
    monkeypatch.setattr(planning, 'free_bytes', lambda device: 1e6)
    with pytest.raises(ValueError, match='use a smaller scene'): StyleExplorer(model, scene)


def test_a_scene_without_an_image_and_a_class_without_styles():
    model = new_model('batch')
    for kind in (model.style_book.centres, model.style_book.counts): kind.pop(6)
    explorer = StyleExplorer(model, Scene(SCENES[0].label_map, SCENES[0].instance_map))
    assert set(explorer.editor.styles) == set(explorer.editor.objects)
    car = next(i for i in explorer.editor.objects if i // 1000 == 6)
    explorer.select(instance=car)
    assert 'has none of this class' in explorer.message and explorer.thumbnails == []
    with pytest.raises(ValueError, match="no styles of class 'car'"): explorer.choose(0)
    assert not explorer.editor.done


VOID = dict(names=['road', 'car'], things=[False, True])


def model_that_ignores(ignored, styles=True):
    space = LabelSpace(**VOID, ignore_id=ignored)
    net = Synthesizer(GlobalGenerator(6 if styles else 3, width=4, n_downsample=1, n_blocks=1), 2, FeatureEncoder(width=4, n_downsample=1) if styles else None, ignore_id=ignored)
    return Pix2PixHD(net, space, StyleBook({c: torch.rand(3, 3) for c in (0, 1)}, {c: torch.tensor([1, 2, 3]) for c in (0, 1)}, space) if styles else None)


def map_with(ignored):
    label = torch.zeros(1, 32, 64, dtype=torch.long)
    label[:, :8], label[:, 10:20, 10:20] = ignored, 1
    return label


@pytest.mark.parametrize('ignored', [255, -1])
@pytest.mark.parametrize('app', [StyleExplorer, SceneStudio])
def test_pixels_without_a_class_are_shown_and_selected(app, ignored):
    shown, label = app(model_that_ignores(ignored), Scene(map_with(ignored))), map_with(ignored)[0].numpy()
    shown.select(3, 3)
    assert shown.selected == ignored and shown.state['name'] == shown.state['cls_name'] == 'ignored' and shown.message.startswith('ignored: ')
    assert (array(shown.picture) == generated(shown)).all()
    assert (array(Image.open(BytesIO(shown.map_png)))[:6] == 0).all()
    shown.shuffle(3)
    for what in ('ids', 'instances', 'colors'):
        name, _, data = shown.file(what)
        back = np.asarray(Image.open(BytesIO(data))).astype(int)
        if what == 'colors': assert (back[:8] == 0).all() and (back[label == 1] == LabelSpace(**VOID).colors[1]).all()
        else:
            assert (class_of(back) == label).all()
        shown._receive(shown, dict(do='open', name=name, n=1), [data])
        assert not shown.refused and (shown.editor.label_map == label).all(), (what, shown.message)
    again = app(model_that_ignores(ignored), Scene(torch.zeros(1, 32, 64, dtype=torch.long)))
    again.open_recipe(json.dumps(json.loads(shown.recipe) | dict(model=again._fingerprint())))
    assert (again.editor.instance_map == shown.editor.instance_map).all()


def test_tools_on_pixels_without_a_class():
    studio = SceneStudio(model_that_ignores(255, styles=False), Scene(map_with(255)))
    studio.fill(3, 3, 'road')
    assert 255 not in studio.editor.objects
    studio.undo()
    studio.set_class('road', 255)
    assert studio.message == 'ignored is now road.'
    studio.undo()
    for do in (dict(do='use', tool='eyedropper', gesture='click', points=[[3, 3]]), dict(do='use', tool='select', gesture='drag', points=[[3, 3], [9, 9]])):
        studio._receive(studio, do | dict(n=1), [])
        assert studio.refused and ('no class 255' in studio.message or 'which is stuff' in studio.message)
    studio.remove(255)
    assert studio.message == 'Removed ignored.' and (studio.editor.label_map == (map_with(0)[0].numpy())).all()


@pytest.mark.parametrize('app', [StyleExplorer, SceneStudio])
def test_a_model_for_images_is_named(app):
    model = Pix2PixHD(Synthesizer(GlobalGenerator(3, width=4, n_downsample=1, n_blocks=1), 3, boundary=False))
    with pytest.raises(ValueError, match='generates images from images'): app(model, Scene(torch.zeros(3, 32, 64)))


def test_a_thing_as_class_0_is_named():
    space = LabelSpace(['car', 'road'], things=[True, False])
    model, label = Pix2PixHD(Synthesizer(GlobalGenerator(3, width=4, n_downsample=1, n_blocks=1), 2), space), torch.ones(1, 32, 64, dtype=torch.long)
    label[:, 4:9, 4:9] = 0
    with pytest.raises(ValueError, match="class 0, 'car', is a thing"): SceneStudio(model, Scene(label))


def test_a_scene_that_cannot_be_shown_leaves_the_one_before(monkeypatch):
    app = StyleExplorer(MODELS['batch'], SCENES[0])
    picture, recipe, size = array(app.picture), app.recipe, app.size
    with monkeypatch.context() as m:
        m.setattr(type(app), 'name_of', lambda self, i: {}[i])
        with pytest.raises(KeyError): app.load(Scene(SCENES[1].label_map[:, :40], SCENES[1].instance_map[:, :40]))
    assert app.recipe == recipe and app.size == size and not app.earlier
    app.select(instance=app.editor.objects[0])
    assert (array(app.picture) == picture).all()


@pytest.mark.parametrize('size', [(1, 1), (1, 7), (9, 2)])
def test_a_scene_may_be_as_small_as_a_pixel(size):
    app = SceneStudio(MODELS['batch'], Scene(torch.ones(1, *size, dtype=torch.long)))
    app.select(0, 0)
    app.paint([(0, 0)], 'road', 1)
    assert (array(app.picture) == generated(app)).all() and app.picture.size == size[::-1]
    app.blank()
    assert app.editor.size == size


@pytest.mark.parametrize('label, message', [(torch.zeros(1, 0, 5, dtype=torch.long), 'pixel'), (torch.full((1, 8, 8), 99), 'but the label space'), (torch.zeros(1, 8, 8), 'expected')])
def test_a_scene_that_is_none_is_refused(label, message):
    with pytest.raises(ValueError, match=message): SceneStudio(MODELS['batch'], Scene(label))


@pytest.mark.parametrize('call, message', [
    (lambda a: a.load(None), 'The scene is None, expected one Scene'), (lambda a: a.load(SCENES), 'expected one Scene'), (lambda a: a.load(SCENES[0].label_map, SCENES[0].instance_map[:, :9]), 'both must be of one size'),
    (lambda a: a.choose([.1, .2, .3]), 'expected the number of one in the style book'), (lambda a: a.use_reference(np.zeros((64, 128, 3))), 'expected a PIL image'),
    (lambda a: a.paint(None), 'expected points'), (lambda a: a.paint([5]), 'expected points'), (lambda a: a.restyle(1, style=['red']), 'no vector of numbers'),
    (lambda a: a.restyle(9999, style=[.1, .2, .3]), 'There is no object 9999'), (lambda a: a.set_class(99, 1), 'There is no class 99'),
    (lambda a: SceneStudio(a.model, SCENES[0], ShapeLibrary.from_scenes([synthetic_city(1)], CITY_SPACE)), 'shapes are of other classes')])
def test_what_a_hand_gets_wrong_is_said_in_a_sentence(call, message):
    app = SceneStudio(MODELS['batch'], SCENES[0])
    app.select(instance=1)
    recipe, picture = app.recipe, array(app.picture)
    with pytest.raises(ValueError, match=message): call(app)
    assert app.recipe == recipe and (array(app.picture) == picture).all()
    app.restyle(1, style=[.1, .2, .3])
    assert app.message == 'sky has another style.'


def test_the_gallery_shows_scenes_without_objects_and_pictures():
    app = SceneStudio(MODELS['batch'], SCENES[0], scenes=lambda n: Scene(SCENES[0].label_map[:, :1]))
    app._receive(app, dict(do='gallery', n=1), [])
    assert not app.refused, app.message


def test_redo_opens_the_scene_again_that_undo_left():
    app = SceneStudio(MODELS['batch'], SCENES[0], scenes=lambda n: SCENES[n])
    app.shuffle(5); app.shuffle(6); app.undo()  # one step of the first scene is taken back, and stays so
    recipes = [app.recipe]
    for do in (lambda: send(app, 'scene', number=2), lambda: app.paint([(3, 3), (60, 40)], 'car', 9), lambda: send(app, 'scene', number=1), lambda: app.paint([(3, 3), (60, 40)], 'car', 9)):
        do()
        recipes.append(app.recipe)
    maps = lambda recipe: [json.loads(recipe)[k] for k in ('instance_map', 'styles', 'name')]
    for back in reversed(recipes[:-1]):
        send(app, 'undo')
        assert maps(app.recipe) == maps(back)
    for forth in recipes[1:]:
        assert app.state['redo']
        send(app, 'redo')
        assert maps(app.recipe) == maps(forth)
    assert not app.state['redo'] and (array(app.picture) == generated(app)).all()
    for _ in range(2): send(app, 'undo')
    send(app, 'undo')  # the stroke of scene 2
    app.paint([(3, 3), (60, 40)], 'car', 5)
    assert not app.state['redo']


def test_the_next_shuffle_is_another():
    explorer = StyleExplorer(MODELS['batch'], SCENES[0])
    send(explorer, 'shuffle', seed=explorer.state['seed'])
    first = explorer.editor.styles.copy()
    send(explorer, 'shuffle', seed=explorer.state['seed'])
    assert any(not torch.equal(v, first[i]) for i, v in explorer.editor.styles.items()) and len(explorer.editor.done) == 2
    explorer.undo()
    explorer.shuffle(1)
    assert 'already' in explorer.message and len(explorer.editor.done) == len(explorer.editor.undone) == 1 and explorer.state['seed'] == 2
    send(explorer, 'shuffle', seed=2**31 - 1)
    assert explorer.state['seed'] == 0
    explorer.select(instance=explorer.editor.objects[0])
    for seed in (-1, 2**31):
        send(explorer, 'shuffle', seed=seed)
        assert explorer.refused and explorer.message == f'The seed is {seed}, expected a whole number from 0 to 2147483647.'


def test_a_blend_of_nothing_takes_the_choice_back_and_can_go_on():
    explorer = StyleExplorer(MODELS['batch'], SCENES[0])
    explorer.select(instance=explorer.editor.objects[-1])
    before = explorer.editor.styles.copy()
    explorer.choose((explorer._chosen() + 1) % 2)
    explorer.blend(0)
    assert not explorer.editor.done and all(torch.equal(v, before[i]) for i, v in explorer.editor.styles.items())
    explorer.blend(0); explorer.blend(1)
    assert len(explorer.editor.done) == 1 and not explorer.editor.undone and explorer._chosen() >= 0
    explorer.blend(0); explorer.redo()
    with pytest.raises(ValueError, match='nothing to blend'): explorer.blend(0.5)


def with_odd_history(recipe, n=5):
    d = json.loads(recipe)
    d['done'][0]['styles'] = {i: [[0.] * n, pair[1]] for i, pair in d['done'][0]['styles'].items()}
    return json.dumps(d)


def test_a_history_with_styles_of_another_length_is_refused():
    explorer = StyleExplorer(MODELS['batch'], SCENES[0])
    explorer.shuffle(1)
    before = explorer.recipe
    with pytest.raises(ValueError, match='a style of length 5, where those of this model have 3'): explorer.open_recipe(with_odd_history(before))
    assert explorer.recipe == before


def test_what_torch_cannot_do_is_answered(monkeypatch):
    explorer = StyleExplorer(MODELS['batch'], SCENES[0])
    def fails(): raise RuntimeError('no\nmemory')
    monkeypatch.setattr(explorer.editor, 'undo', fails, raising=False)
    explorer.shuffle(1)
    send(explorer, 'undo', n=7)
    assert explorer.refused and explorer.message == 'That could not be done: no memory' and explorer.heard == 7


def test_pictures_are_told_apart_by_their_scene():
    explorer = StyleExplorer(MODELS['batch'], SCENES[0], scenes=lambda n: SCENES[n])
    explorer.picture
    assert explorer.state['scene'] == explorer.scene_number
    first = explorer.scene_number
    send(explorer, 'scene', number=2)
    assert explorer.state['scene'] > first
    explorer.picture
    assert explorer.scene_number == explorer.state['scene'] and explorer.depth == 0
    assert (explorer.name, explorer.message[:8]) == ('scene_2', 'Scene 2.')


def test_who_hears_of_a_failure_may_fail_too(capsys):
    served = []
    def broken(state):
        if state == 1: raise ValueError('no paint')
        yield state
    def deaf(error): raise KeyError('no screen')
    worker = LatestOnly(broken, served.append, deaf)
    worker.request(1)
    assert worker.wait(5) and 'no screen' in capsys.readouterr().err
    worker.request(2)
    assert worker.wait(5) and served == [2]


def test_a_long_history_is_compared_with_its_first_picture(monkeypatch):
    "However many pixels the steps cover together, the first picture is that before all of them."
    monkeypatch.setattr(pictures, 'MAX_PIXELS', 64 * 128)
    studio = SceneStudio(MODELS['batch'], SCENES[0])
    first = studio._first()
    for k in range(12): studio.editor.paint([(0, 0), (127, 63)], ('sky', 'road')[k % 2], 5)
    cache, key = studio._first()
    assert (cache.ids == first[0].ids).all() and key == first[1]
    d = json.loads(studio._short_recipe()[0])
    assert len(d['done']) + studio._short_recipe()[1] == 12
