"The scene editor under any sequence of operations: all can be undone, nothing invalid is ever left, a refusal changes nothing."
import json
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from pix2pixhd_nb.core import LabelSpace
from pix2pixhd_nb.data import pictures
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.editing.editor import ObjectShape, SceneEditor, class_of, stroke_mask
from pix2pixhd_nb.editing.shapes import ShapeLibrary
from pix2pixhd_nb.synthesis.styles import StyleBook

SCENES = list(SyntheticScenes(4, size=(48, 96)))
SHAPES = ShapeLibrary.from_scenes(SCENES, LABEL_SPACE)
BOOK = StyleBook({c: torch.arange(6.).view(3, 2) + c for c in range(1, 9)}, {c: torch.tensor([1, 2, 3]) for c in range(1, 9)}, LABEL_SPACE)

x, y = st.integers(-5, 100), st.integers(-5, 52)  # a few points are outside the picture
cls = st.integers(-1, 9)  # and a few classes outside the space
which = st.integers(0, 40)  # number of an object among those there
OPERATIONS = st.one_of(
    st.tuples(st.just('set_class'), which, cls), st.tuples(st.just('remove'), which),
    st.tuples(st.just('paint'), st.lists(st.tuples(x, y), min_size=1, max_size=4), cls, st.integers(1, 9)),
    st.tuples(st.just('fill'), x, y, cls), st.tuples(st.just('add'), cls, x, y, st.none(), st.integers(0, 9)),
    st.tuples(st.just('copy'), which, x, y), st.tuples(st.just('move'), which, st.integers(-60, 60), st.integers(-30, 30)),
    st.tuples(st.just('restyle'), which, st.none(), st.integers(0, 3)),
    st.tuples(st.just('restyle_all'), st.lists(st.integers(0, 40), max_size=4), st.integers(2, 3)), st.tuples(st.just('undo')), st.tuples(st.just('redo')))


def new_editor(seed=0):
    scene = SCENES[seed]
    styles = {i: torch.full((2,), float(i)) for i in scene.instance_map.unique().tolist()}
    return SceneEditor(scene.label_map, scene.instance_map, LABEL_SPACE, styles, BOOK, SHAPES)


def state(editor): return editor.instance_map.copy(), {i: v.tolist() for i, v in editor.styles.items()}


def same(a, b): return (a[0] == b[0]).all() and a[1] == b[1]


def apply(editor, operation):
    "Do an operation; a refused one must leave everything as it was."
    name, *arguments = operation
    if name in ('set_class', 'remove', 'copy', 'move', 'restyle'): arguments[0] = (editor.objects + [9999])[arguments[0] % (len(editor.objects) + 1)]
    if name == 'restyle_all': arguments = [{(editor.objects + [9999])[i % (len(editor.objects) + 1)]: torch.full((arguments[1],), float(i)) for i in arguments[0]}]
    before, steps = state(editor), len(editor.done)
    try: getattr(editor, name)(*arguments)
    except ValueError:
        assert same(state(editor), before) and len(editor.done) == steps


def check_valid(editor):
    ids = editor.instance_map
    assert ids.shape == (48, 96) and ids.dtype == np.int64
    classes = class_of(ids)
    assert (classes >= 0).all() and (classes < LABEL_SPACE.n_classes).all() and (editor.label_map == classes).all()
    assert ((ids >= 1000) == np.array(LABEL_SPACE.things)[classes]).all()
    found, counts = np.unique(ids, return_counts=True)
    assert editor._areas == dict(zip(found.tolist(), counts.tolist()))
    for i in found.tolist(): assert editor.mask_of(i)[2].sum() == editor._areas[i]
    assert editor.styles.keys() <= set(found.tolist())


@settings(deadline=None, derandomize=True, database=None, max_examples=120)
@given(st.integers(0, 3), st.lists(OPERATIONS, max_size=12))
def test_any_sequence_can_be_undone_and_redone(seed, operations):
    editor = new_editor(seed)
    first = state(editor)
    for operation in operations:
        apply(editor, operation)
        check_valid(editor)
    last, steps = state(editor), len(editor.done)
    for _ in range(steps): editor.undo()
    assert same(state(editor), first)
    check_valid(editor)
    assert editor.undo() is None
    for _ in range(steps): editor.redo()
    assert same(state(editor), last)


@settings(deadline=None, derandomize=True, database=None, max_examples=60)
@given(st.lists(OPERATIONS, max_size=8), OPERATIONS)
def test_an_edit_goes_on_from_its_json(operations, further):
    editor = new_editor()
    for operation in operations: apply(editor, operation)
    again = SceneEditor.from_json(editor.to_json(), BOOK, SHAPES)
    assert same(state(again), state(editor)) and again.to_json() == editor.to_json()
    for e in (editor, again): apply(e, further)
    assert same(state(again), state(editor))
    while editor.undo() or editor.done: again.undo()
    again.undo()
    assert same(state(again), state(editor))


@settings(deadline=None, derandomize=True, database=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 95), st.integers(0, 47)), min_size=1, max_size=4), st.integers(1, 12))
def test_a_stroke_is_every_pixel_near_its_line(points, brush):
    rows, cols, mask = stroke_mask(points, brush, (48, 96))
    whole = np.zeros((48, 96), bool)
    whole[rows, cols] = mask
    p = np.array(points, float)
    yx = np.argwhere(np.ones((48, 96)))[:, ::-1].astype(float)
    nearest = np.full(len(yx), np.inf)
    for a, b in zip(p, p[1:] if len(p) > 1 else p):
        t = np.clip(((yx - a) @ (b - a)) / max((b - a) @ (b - a), 1e-9), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(yx - a - t[:, None] * (b - a), axis=1))
    assert (whole.ravel() == (nearest <= brush / 2 + 1e-6)).all()


@pytest.mark.parametrize('what, call, message', [
    ('unknown class', lambda e: e.paint([(5, 5)], 'boat'), "There is no class 'boat'"),
    ('class number', lambda e: e.set_class(1, 12), 'There is no class 12'),
    ('object outside', lambda e: e.add('person', 200, 10), 'outside the picture'),
    ('no such object', lambda e: e.remove(9999), 'There is no object 9999'),
    ('stuff cannot move', lambda e: e.move(3, 5, 5), 'which is stuff'),
    ('style of another model', lambda e: e.restyle_all({1: torch.zeros(2), 3: torch.zeros(5)}), 'expected a vector of 2 numbers'),
    ('no such style', lambda e: e.restyle(1, k=7), "Style 7 of class 'sky'"),
    ('two sources', lambda e: e.restyle(1, k=1, seed=2), 'exactly one of'),
    ('class without styles', lambda e: e.restyle(0, k=0), "no styles of class 'void'")])
def test_a_refusal_is_an_error_message_and_changes_nothing(what, call, message):
    editor = new_editor()
    before = state(editor)
    with pytest.raises(ValueError, match=message): call(editor)
    assert same(state(editor), before) and not editor.done


def test_maps_that_do_not_belong_together_are_refused():
    scene = SCENES[0]
    with pytest.raises(ValueError, match='both must be of one size'): SceneEditor(scene.label_map, scene.instance_map[:, :20], LABEL_SPACE)
    with pytest.raises(ValueError, match='ids must be class'): SceneEditor(scene.label_map, scene.instance_map + 1, LABEL_SPACE)
    with pytest.raises(ValueError, match='style book is empty'): StyleBook({}, {}, LABEL_SPACE)


@pytest.mark.parametrize('ignored', [255, -1])
def test_pixels_without_a_class_are_kept_through_every_edit(ignored):
    space = LabelSpace(['road', 'car'], things=[False, True], ignore_id=ignored)
    label = np.zeros((32, 64), int)
    label[:8], label[12:20, 10:20] = ignored, 1
    editor = SceneEditor(label, label_space=space)
    assert editor.objects == sorted([0, 1000, ignored]) and editor.at(3, 3) == ignored
    for refuse in (editor.shape_of, lambda i: editor.move(i, 1, 1), lambda i: editor.copy(i, 9, 9)):
        with pytest.raises(ValueError, match="is 'ignored', which is stuff"): refuse(ignored)
    with pytest.raises(ValueError, match='There is no class'): editor.paint([(9, 9)], ignored)
    editor.paint([(30, 4)], 'road', 9)
    editor.remove(1000)
    again = SceneEditor.from_json(editor.to_json())
    assert (again.instance_map == editor.instance_map).all() and again.to_json() == editor.to_json()
    while again.undo(): pass
    assert (again.label_map == label).all()
    editor.remove(ignored)
    assert (editor.label_map == 0).all()


def test_ignored_ids_among_those_of_objects_are_refused():
    space = LabelSpace(['road', 'car'], things=[False, True], ignore_id=65535)
    with pytest.raises(ValueError, match='marks pixels without a class with 65535'): SceneEditor(np.full((8, 8), 65535), label_space=space)


def test_a_thing_as_class_0_is_named():
    space = LabelSpace(['car', 'road'], things=[True, False])
    label = np.ones((8, 8), int)
    editor = SceneEditor(label, label_space=space) # without a car there is nothing to number
    for refuse in (lambda: editor.paint([(3, 3)], 'car'), lambda: editor.set_class(1, 0), lambda: editor.fill(3, 3, 'car')):
        with pytest.raises(ValueError, match="class 0, 'car', is a thing.*put a class of stuff first"): refuse()
    assert (editor.label_map == 1).all() and not editor.done
    label[2:4, 2:4] = 0
    for ids in (None, np.where(label == 0, 7, 1)):
        with pytest.raises(ValueError, match="class 0, 'car', is a thing.*put a class of stuff first"): SceneEditor(label, ids, space)
    assert SceneEditor(label, label_space=LabelSpace(['car', 'road'])).objects == [0, 1]


@pytest.mark.parametrize('ids', [[99], [99_000], [-5], [8, 9]])
def test_no_step_of_a_file_brings_a_class_that_is_none(ids):
    editor = new_editor()
    editor.paint([(9, 9)], 'road', 3)
    d = json.loads(editor.to_json())
    before = d['done'][0]['changes'][0]['before']
    n = sum(before['lengths'])
    before.update(ids=ids, lengths=[n - len(ids) + 1] + [1] * (len(ids) - 1))
    with pytest.raises(ValueError, match=f'an object has the id {max(ids)}'): SceneEditor.from_json(json.dumps(d))


@pytest.mark.parametrize('shape', [(1, 1), (1, 7), (7, 1), (1, 1, 7), (1, 1, 1, 1)])
def test_a_scene_may_be_as_small_as_a_pixel(shape):
    editor = SceneEditor(np.ones(shape, int), label_space=LABEL_SPACE)
    assert editor.size == shape[-2:] and SceneEditor.from_json(editor.to_json()).size == shape[-2:]
    editor.paint([(0, 0)], 'road', 1)
    assert editor.at(0, 0) == LABEL_SPACE.id('road')


@pytest.mark.parametrize('label, message', [
    (np.zeros((0, 5), int), 'has the shape'), (np.zeros(5, int), 'has the shape'), (np.zeros((2, 5, 5), int), 'has the shape'), (None, 'of type NoneType'),
    ('street.png', 'of type str'), (np.full((3, 3), 99), 'but the label space'), (np.zeros((3, 3)), 'expected whole ids')])
def test_what_is_no_label_map_is_refused(label, message):
    with pytest.raises(ValueError, match=message): SceneEditor(label, label_space=LABEL_SPACE)


def test_a_style_may_be_a_list_of_numbers():
    editor = new_editor()
    editor.restyle(1, [1, 2])
    editor.restyle_all({3: np.array([3., 4.])}, blend=1)
    assert editor.styles[1].tolist() == [1, 2] and editor.styles[3].tolist() == [3, 4]
    assert SceneEditor(SCENES[0].label_map, SCENES[0].instance_map, LABEL_SPACE, {1: [1, 2]}).styles[1].tolist() == [1, 2]


@pytest.mark.parametrize('call, message', [
    (lambda e: e.restyle(1, ['red', 'blue']), 'is no vector of numbers'), (lambda e: e.restyle(1, [[1, 2], [3]]), 'is no vector of numbers'),
    (lambda e: e.restyle(1, [1, 2, 3]), 'expected a vector of 2'), (lambda e: e.restyle(1, [float('nan'), 1]), 'not finite'),
    (lambda e: e.restyle_all([torch.zeros(2)]), 'expected a dict'), (lambda e: e.restyle_all({9999: [1, 2]}), 'There is no object 9999'),
    (lambda e: e.restyle([1, 3], k=0), 'There is no object'), (lambda e: e.set_class(1, 99), 'There is no class 99'), (lambda e: e.set_class(1, None), 'There is no class None'),
    (lambda e: e.paint([(float('nan'), 3)], 'road'), 'expected points'), (lambda e: e.paint([3, 4, 5], 'road'), 'expected points'),
    (lambda e: e.paint(['a', 'b'], 'road'), 'expected points'), (lambda e: SHAPES.pick(99), 'There is no class 99'),
    (lambda e: SceneEditor(SCENES[0].label_map, SCENES[0].instance_map, LABEL_SPACE, [1, 2]), 'expected a dict')])
def test_what_a_hand_gets_wrong_is_said_in_a_sentence(call, message):
    editor = new_editor()
    before = state(editor)
    with pytest.raises(ValueError, match=message): call(editor)
    assert same(state(editor), before) and not editor.done


def thing(editor): return next(i for i in editor.objects if i >= 1000)


def test_ids_and_styles_of_any_kind_of_number_can_be_saved_and_read_back():
    scene = SCENES[0]
    i = np.unique(scene.instance_map.numpy())[-1]
    editor = SceneEditor(scene.label_map, scene.instance_map, LABEL_SPACE, {i: torch.tensor([1., 2.], dtype=torch.float64)}, BOOK, SHAPES)
    editor.restyle(i, k=0, blend=np.float32(.5)); editor.restyle(i, torch.tensor([3, 4]), blend=.5); editor.restyle(i, like=i)
    editor.restyle_all({i: np.array([5., 6.])}, blend=.5)
    editor.add('person', np.float64(40), torch.tensor(40), [7, 8], seed=np.int64(1))
    editor.paint([(5, 5)], np.int64(3), np.float32(3)); editor.move(i, np.int64(1), 0); editor.copy(i, 40, 40); editor.set_class(i, np.int64(2))
    assert all(type(k) is int and v.dtype == torch.float32 for k, v in editor.styles.items())
    assert same(state(SceneEditor.from_json(editor.to_json(), BOOK, SHAPES)), state(editor))


def test_what_is_a_car_already_stays_that_car():
    editor = new_editor()
    i = thing(editor)
    before = state(editor)
    assert editor.set_class(i, i // 1000) is None and editor.set_class(1, LABEL_SPACE.names[1]) is None
    assert same(state(editor), before) and not editor.done


WRONG = dict(text='6000', none=None, list=[6000.5], dict={6000: 1}, nan=float('nan'), inf=float('inf'), bool=True, float=6000.5)
ARGUMENTS = [ # message, call with a wrong value, the values that are not wrong there
    ('x is', lambda e, v: e.at(v, 1), 'float'), ('y is', lambda e, v: e.at(1, v), 'float'), ('x is', lambda e, v: e.fill(v, 1, 'road'), 'float'),
    ('x is', lambda e, v: e.add('person', v, 40), 'float'), ('x is', lambda e, v: e.copy(thing(e), v, 40), 'float'),
    ('dx is', lambda e, v: e.move(thing(e), v, 0), 'float'), ('dy is', lambda e, v: e.move(thing(e), 0, v), 'float'),
    ('brush is', lambda e, v: e.paint([(5, 5)], 'road', v), 'float'), ('brush is', lambda e, v: stroke_mask([(5, 5)], v, (9, 9)), 'float'),
    ('size is', lambda e, v: stroke_mask([(5, 5)], 3, v), ''),
    *(('There is no class', f, '') for f in (
        lambda e, v: e.set_class(1, v), lambda e, v: e.paint([(5, 5)], v), lambda e, v: e.fill(1, 1, v), lambda e, v: e.add(v, 40, 40), lambda e, v: SHAPES.pick(v))),
    *(('expected instance as a whole number', f, '') for f in (
        lambda e, v: e.mask_of(v), lambda e, v: e.set_class(v, 'road'), lambda e, v: e.remove(v), lambda e, v: e.shape_of(v), lambda e, v: e.copy(v, 40, 40),
        lambda e, v: e.move(v, 1, 1), lambda e, v: e.restyle(v, k=0))),
    ('expected instance as a whole number', lambda e, v: e.paint([(5, 5)], 'road', instance=v), 'none'),
    ('expected like as a whole number', lambda e, v: e.restyle(1, like=v), 'none'),
    ('expected each key of styles as a whole number', lambda e, v: e.restyle_all({v: [1, 2]}), 'list dict'),
    ('expected each key of styles as a whole number', lambda e, v: SceneEditor(e.label_map, e.instance_map, LABEL_SPACE, {v: [1, 2]}), 'list dict'),
    ('The style for object', lambda e, v: e.add('person', 40, 40, v), 'none'),
    ('seed is', lambda e, v: e.add('person', 40, 40, seed=v), 'none'), ('seed is', lambda e, v: e.restyle(1, seed=v), 'none'), ('seed is', lambda e, v: SHAPES.pick('person', v), 'none'),
    ('k is', lambda e, v: e.restyle(1, k=v), 'none'),
    ('blend is', lambda e, v: e.restyle(1, k=0, blend=v), ''), ('blend is', lambda e, v: e.restyle_all({1: [1, 2], 3: [3, 4]}, v), ''),
    ('foot is', lambda e, v: SHAPES.height(SHAPES.shapes[0], v), 'float'),
    ('model is', lambda e, v: e.generate(v), ''), ('name is', lambda e, v: e.scene(v), 'text'), ('text is', lambda e, v: SceneEditor.from_json(v), 'text'),
    ('label_space is', lambda e, v: SceneEditor(e.label_map, e.instance_map, v), ''), ('label_space is', lambda e, v: ShapeLibrary(SHAPES.shapes, v), ''),
    ('style_book is', lambda e, v: SceneEditor(e.label_map, e.instance_map, LABEL_SPACE, style_book=v), 'none'),
    ('style_book is', lambda e, v: SceneEditor.from_json(e.to_json(), v), 'none'),
    ('shapes is', lambda e, v: SceneEditor(e.label_map, e.instance_map, LABEL_SPACE, shapes=v), 'none'), ('shapes is', lambda e, v: ShapeLibrary(v, LABEL_SPACE), '')]


@pytest.mark.parametrize('kind', WRONG)
def test_an_argument_of_a_wrong_kind_gets_one_message_that_names_it(kind):
    editor = new_editor()
    before = state(editor)
    for message, call, fine in ARGUMENTS:
        if kind in fine.split(): continue
        with pytest.raises(ValueError, match=message): call(editor, WRONG[kind])
        assert same(state(editor), before) and not editor.done


@pytest.mark.parametrize('call, message', [
    (lambda e: e.move(thing(e), 10**30, 0), 'outside the picture'), (lambda e: e.paint([(5, 5)], 'road', 1e30), 'brush is'), (lambda e: e.restyle(1, k=0, blend=-.1), 'blend is'),
    (lambda e: e.restyle(1, seed=-1), 'seed is -1'), (lambda e: e.restyle(1, []), 'no vector'), (lambda e: e.restyle(1, [1e35, 0]), 'beyond 1e30'),
    (lambda e: e.restyle(1, torch.zeros(2, dtype=torch.complex64)), 'no vector'), (lambda e: e.add('person', 40, 40, [1, 2, 3]), 'expected a vector of 2'),
    (lambda e: SceneEditor(e.label_map, e.instance_map, LABEL_SPACE, {1: [1, 2, 3]}, BOOK), 'expected a vector of 2'),
    (lambda e: SceneEditor(e.label_map, e.instance_map, LABEL_SPACE, {1: [1, 2], 3: [1]}), 'expected a vector of 2'),
    (lambda e: SceneEditor(e.label_map, e.instance_map, LABEL_SPACE, {9999: [1, 2]}), 'There is no object 9999')])
def test_a_value_out_of_bounds_is_refused_before_anything_is_written(call, message):
    editor = new_editor()
    before = state(editor)
    with pytest.raises(ValueError, match=message): call(editor)
    assert same(state(editor), before) and not editor.done


def test_an_edit_with_styles_of_another_book_is_not_opened_with_this_one():
    editor = SceneEditor(SCENES[0].label_map, SCENES[0].instance_map, LABEL_SPACE)
    editor.restyle(1, [1, 2, 3]); editor.undo()
    SceneEditor.from_json(editor.to_json())
    with pytest.raises(ValueError, match='expected a vector of 2'): SceneEditor.from_json(editor.to_json(), BOOK)


def test_styles_of_objects_that_an_old_file_no_longer_has_are_left_out():
    d = json.loads(new_editor().to_json())
    d['styles']['9999'] = [1., 2.]
    assert 9999 not in SceneEditor.from_json(json.dumps(d)).styles


def test_a_step_that_changes_nothing_is_none_and_redo_stays():
    editor = new_editor()
    editor.restyle(1, k=0)
    editor.restyle(1, k=1)
    editor.undo()
    assert editor.restyle(1, k=0) is None and editor.restyle_all({i: v.clone() for i, v in editor.styles.items()}) is None
    assert len(editor.done) == len(editor.undone) == 1
    editor.restyle_all({1: editor.styles[1], 3: editor.styles[3] + 1})
    assert list(editor.done[-1].styles) == [3] and not editor.undone


@pytest.mark.parametrize('shapes', [None, SHAPES])
def test_an_object_moved_nowhere_keeps_every_pixel(shapes):
    "What fills an object's place, such as a larger car in front of it, does not hide it then."
    for scene in SCENES:
        editor = SceneEditor(scene.label_map, scene.instance_map, LABEL_SPACE, shapes=shapes)
        before = editor.instance_map.copy()
        for i in [i for i in editor.objects if i >= 1000]:
            editor.move(i, 0, 0)
            assert (editor.instance_map == before).all(), i


def test_an_object_moved_up_does_not_hide_itself():
    space = LabelSpace(['road', 'person'], things=[False, True])
    ids = np.zeros((40, 40), int)
    ids[10:30, 10:20] = 1000
    editor = SceneEditor(class_of(ids), ids, space)
    editor.move(1000, 0, -5)
    assert (editor.instance_map == np.roll(ids, -5, 0)).all()


def test_a_history_of_any_length_is_read_back(monkeypatch):
    "Of a history that covers more pixels than are read, the steps farthest from now are left out."
    monkeypatch.setattr(pictures, 'MAX_PIXELS', 6 * 48 * 96)
    editor = new_editor()
    for k in range(30): editor.paint([(0, 0), (95, 47)], ('sky', 'road')[k % 2], 5)
    for _ in range(10): editor.undo()
    again = SceneEditor.from_json(editor.to_json(), BOOK, SHAPES)
    assert same(state(again), state(editor)) and 0 < len(again.done) < 20 and 0 < len(again.undone) <= 10
    for e in (editor, again): e.undo()
    assert same(state(again), state(editor))
    for e in (editor, again): [e.redo() for _ in range(2)]
    assert same(state(again), state(editor))


@pytest.mark.parametrize('parts, message', [
    (dict(mask=np.zeros((3, 4), bool)), 'mask has the shape'), (dict(mask=np.ones(3, bool)), 'mask has the shape'), (dict(mask=[[0.5]]), 'type float64'),
    (dict(picture_height=0), 'picture_height is 0, expected pixels'), (dict(picture_height=1e-6), 'picture_height is 1e-06'), (dict(foot='low'), "foot is 'low'")])
def test_a_shape_that_cannot_stand_is_refused(parts, message):
    with pytest.raises(ValueError, match=message): ObjectShape(**dict(label=6, mask=np.ones((3, 4), bool), foot=0.5, picture_height=48) | parts)


def test_a_shape_of_numbers_in_lists_is_added():
    editor = new_editor()
    i = editor.add(ObjectShape(6, np.ones((3, 4), int).tolist(), 1., 48), 40, 46)
    assert editor.mask_of(i)[2].any()
