"The scene editor under any sequence of operations: all can be undone, nothing invalid is ever left, a refusal changes nothing."
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.editing.editor import SceneEditor, class_of, stroke_mask
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
