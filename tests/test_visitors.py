"The apps face strangers: what a page sends is data, bounded before it is decoded, and nothing it sends raises, reads a file or is kept for ever."
import asyncio
import json
import struct
import zlib
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from pix2pixhd_nb.apps import base
from pix2pixhd_nb.apps.base import GESTURES, MOST_BYTES, MOST_PIXELS, maps_of
from pix2pixhd_nb.apps.canvas import png
from pix2pixhd_nb.apps.explorer import StyleExplorer
from pix2pixhd_nb.apps.studio import SceneStudio
from pix2pixhd_nb.core import LabelSpace, to_pil
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.editing.editor import SceneEditor
from pix2pixhd_nb.editing.shapes import ShapeLibrary
from test_explorer import SCENES, new_model

MODEL = new_model('batch')
SHAPES = ShapeLibrary.from_scenes(SyntheticScenes(6, size=(64, 128)), LABEL_SPACE)


def studio(): return SceneStudio(MODEL, SCENES[0], SHAPES, scenes=lambda n: SCENES[n % len(SCENES)])
def send(app, do, buffers=(), **arguments): app._handle_custom_msg(dict(do=do, **arguments), list(buffers))
def sent(app):
    "What the app sends back to its page, in a list that grows."
    messages = []
    app.send = lambda content, buffers=None: messages.append((content, buffers))
    return messages


@pytest.mark.parametrize('name', ['a.json', 'a.png', '/etc/hostname', '../../secret.json'])
@pytest.mark.parametrize('app', [studio, lambda: StyleExplorer(MODEL, SCENES[0])])
def test_a_path_in_an_upload_opens_nothing(app, name, tmp_path, monkeypatch):
    app = app()
    saved = app.save(tmp_path/'secret')[1]
    app.load(SCENES[1])
    before, there, missing = app.recipe, str(saved), str(tmp_path/'missing.json')
    opened = []
    monkeypatch.setattr('builtins.open', lambda *a, **k: opened.append(a))
    for text in (there, missing): send(app, 'open', [text.encode()], name=name)
    said = app.message
    send(app, 'open', [there.encode()], name=name)
    assert app.message == said and app.refused, 'the answer tells whether a file exists'
    send(app, 'restore', text=there)
    monkeypatch.undo()
    assert not opened and app.recipe == before


def test_files_that_claim_too_much_are_refused_before_they_are_decoded(monkeypatch):
    app, decoded = studio(), []
    before = app.recipe
    monkeypatch.setattr(Image.Image, 'load', lambda self: decoded.append(self.size))
    def claims(side): # a PNG that says it is so large, and holds nothing
        head = b'IHDR' + struct.pack('>IIBBBBB', side, side, 1, 0, 0, 0, 0)
        return b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + head + struct.pack('>I', zlib.crc32(head)) + b'\0\0\0\0IDAT' + struct.pack('>I', zlib.crc32(b'IDAT'))
    for data in (claims(60_000), claims(3_000), bytes(MOST_BYTES + 1), b'{' + b' ' * MOST_BYTES): # beyond PIL's limit, beyond ours
        send(app, 'open', [data], name='big.png')
        assert app.refused and ('at most' in app.message), app.message
        send(app, 'photo', [data], name='big.png')
        assert app.refused
    monkeypatch.undo()
    assert not {(60_000, 60_000), (3_000, 3_000)} & set(decoded) and app.recipe == before # (PIL, or a picture that is still being made, may load others)


def recipes():
    "Scenes whose numbers are no scene, or too much of one."
    good = json.loads(StyleExplorer(MODEL, SCENES[0]).recipe)
    def change(**runs): return good | dict(instance_map=good['instance_map'] | runs)
    side = int(MOST_PIXELS ** 0.5) + 1
    step = dict(name='paint', styles={}, changes=[dict(at=[0, 0], before=dict(size=[side, side], ids=[1], lengths=[side * side]), after=dict(size=[side, side], ids=[1], lengths=[side * side]))])
    yield 'too many pixels', change(size=[side, side], ids=[1], lengths=[side * side])
    yield 'a billion in a run', change(lengths=[10 ** 12])
    yield 'negative runs', change(size=[1, 1], ids=[1, 1, 1], lengths=[-1, 1, 1])
    yield 'size and runs differ', change(size=[1, 1])
    yield 'text for numbers', change(lengths='lengths')
    yield 'a number that is none', change(size=[float('nan'), 2])
    yield 'too long a history', good | dict(done=[step] * 3)
    yield 'no list', good | dict(done=7)


@pytest.mark.parametrize('what, recipe', list(recipes()), ids=lambda v: v if isinstance(v, str) else '')
def test_scenes_that_claim_too_much_are_refused_before_anything_is_allocated(what, recipe, monkeypatch):
    app = studio()
    before, built = app.recipe, []
    monkeypatch.setattr(base.SceneEditor, 'from_json', lambda *a, **k: built.append(a))
    send(app, 'open', [json.dumps(recipe).encode()], name='a.json')
    monkeypatch.undo()
    assert app.refused and not built and app.recipe == before


def test_maps_go_out_and_come_back(tmp_path):
    app = studio()
    app.paint([(20, 40), (60, 50)], 'car', 9)
    for what in ('ids', 'instances', 'colors'):
        ids, messages = app.editor.instance_map.copy(), sent(app)
        send(app, 'download', what=what)
        (content, (data,)), = messages
        assert content['type'] == 'file' and '/' not in content['name']
        app.load(SCENES[1])
        send(app, 'open', [data], name=content['name'])
        assert not app.refused, app.message
        assert (app.editor.label_map == np.where(ids >= 1000, ids // 1000, ids)).all()
        if what == 'instances': assert (app.editor.instance_map == ids).all()
    send(app, 'open', [data], name='again.png') # the same file twice
    assert not app.refused and 'again.png' in app.message


def test_uploads_are_read_as_every_other_file(tmp_path):
    app, label = studio(), SCENES[1].label_map[0].numpy().astype(np.uint8)
    palette, colors = Image.fromarray(label), Image.fromarray(np.array(LABEL_SPACE.colors, np.uint8)[label])
    palette.putpalette([7, 7, 7] * 256)
    turned, exif = Image.fromarray(np.rot90(label).copy()), Image.Exif()
    exif[0x0112] = 6
    kinds = dict(deep=(Image.fromarray(label.astype(np.uint16)), {}), palette=(palette, {}), colors=(colors, {}), grey=(Image.fromarray(label).convert('RGB'), {}),
                 nibbles=(Image.fromarray(label), dict(bits=4)), turned=(turned, dict(exif=exif)))
    for name, (picture, how) in kinds.items():
        picture.save(tmp_path/f'{name}.png', **how)
        send(app, 'open', [(tmp_path/f'{name}.png').read_bytes()], name=f'{name}.png')
        assert not app.refused and (app.editor.label_map == label).all(), (name, app.message)
        assert (maps_of(tmp_path/f'{name}.png', MODEL)[0].numpy() == label).all()
    Image.fromarray(label).save(tmp_path/'lossy.jpg')
    send(app, 'open', [(tmp_path/'lossy.jpg').read_bytes()], name='lossy.jpg')
    assert app.refused and 'changes the ids' in app.message


def test_a_photo_of_any_size_gives_its_styles():
    app, image = studio(), to_pil(SCENES[2].image)
    for size in ((31, 200), (300, 40)):
        before = app.editor.styles.copy()
        send(app, 'photo', [png(image.resize(size))], name='holiday.png')
        assert not app.refused and 'cropped and scaled' in app.message
        assert any(not torch.equal(before[i], v) for i, v in app.editor.styles.items())
    send(app, 'open', [png(image)], name='photo.png')
    assert app.refused and 'no label map' in app.message
    send(app, 'open', [png(image)], name='photo.png', dropped=True)
    assert not app.refused


def test_what_a_browser_kept_is_gone_on_with_and_nothing_else():
    app = studio()
    app.paint([(20, 40), (60, 50)], 'car', 9)
    messages = sent(app)
    send(app, 'keep')
    kept = messages[0][0]['text']
    again = studio()
    assert again.state['fresh']
    send(again, 'restore', text=kept)
    assert (again.editor.instance_map == app.editor.instance_map).all() and not again.state['fresh']
    again.undo()
    before = again.recipe
    send(again, 'restore', text=kept)
    assert again.recipe == before, 'work of last time took the place of work of now'
    for text in ('{}', 'null', 7, '[' * 50_000):
        fresh = studio()
        before = fresh.recipe
        send(fresh, 'restore', text=text)
        assert fresh.recipe == before


def test_names_of_files_lead_nowhere():
    app = studio()
    for name in ('../../etc/passwd', 'C:\\x', '<img src=x onerror=alert(1)>', '', '.', 'a' * 500):
        app.name = name
        for what in ('picture', 'scene', 'ids'):
            file = app.file(what)[0]
            assert not set(file) & set('/\\<>:"') and len(file) < 90 and not file.startswith('.')


def test_no_script_takes_text_for_html():
    for name in ('page.js', 'study.js', 'stage.js', 'icons.js'):
        lines = [line for line in base.static(name).splitlines() if 'innerHTML' in line or 'insertAdjacentHTML' in line or 'document.write' in line]
        assert all('innerHTML: HTML' in line or 'el.innerHTML = PAGE' in line for line in lines), (name, lines)


plain = st.recursive(st.none() | st.booleans() | st.integers(-2**70, 2**70) | st.floats() | st.text(max_size=6), lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=3), s, max_size=2), max_leaves=4)
near = st.integers(-3, 130) | plain
VALUES = dict(tool=st.sampled_from(sorted(SceneStudio.TOOLS)) | plain, gesture=st.sampled_from(GESTURES) | plain, at=st.tuples(near, near).map(list) | plain, by=st.tuples(near, near).map(list) | plain, points=st.lists(st.tuples(near, near).map(list), max_size=3) | plain,
              instance=st.sampled_from([6000, 6001, 1, 3]) | plain, cls=near, brush=near, k=near, share=st.floats(0, 1) | plain, seed=near, split=st.floats(0, 1) | plain, depth=near,
              number=near, who=st.sampled_from(['class', 'instance']) | plain, what=st.sampled_from(['picture', 'scene', 'ids']) | plain, name=plain, text=plain, n=plain)
MESSAGES = st.builds(lambda do, rest: dict(do=do) | rest, st.sampled_from(sorted(SceneStudio.ACTIONS)) | plain, st.fixed_dictionaries({}, optional=VALUES))


@settings(deadline=None, derandomize=True, database=None, max_examples=60)
@given(st.lists(st.tuples(MESSAGES | plain, st.lists(st.binary(max_size=20), max_size=2)), max_size=8))
def test_no_message_raises_and_each_leaves_a_sound_scene(messages):
    app = studio()
    for message, buffers in messages: app._receive(app, message, buffers)
    ids = app.editor.instance_map
    assert set(np.unique(ids).tolist()) == set(app.editor.objects) and (app.editor.label_map < LABEL_SPACE.n_classes).all()
    assert app.selected is None or app.selected in app.editor.objects
    assert json.dumps(app.state) and app._worker.wait(30)


def test_a_gesture_that_a_tool_does_not_know_is_refused():
    app = studio()
    before = app.recipe
    for tool, gesture, points in (('brush', 'click', [[3, 3]]), ('fill', 'stroke', [[3, 3]]), ('saw', 'click', [[3, 3]]), ('select', 'drag', [[3, 3]]), ('select', '__init__', [[3, 3]]), ('select', 'tip', [[3, 3]])):
        send(app, 'use', tool=tool, gesture=gesture, points=points)
        assert app.refused and app.recipe == before, (tool, gesture)
    send(app, 'use', tool='brush', gesture='stroke', points=[[3, 3], [9, 9]], cls=99)
    assert app.refused and app.recipe == before and app.cls < LABEL_SPACE.n_classes
    send(app, 'use', tool='brush', gesture='stroke', points=[[3, 3], [9, 9]], cls=2, brush=10**6)
    assert not app.refused and app.brush == 200


def manager(**kernels): # name: (seconds idle, pages connected, does it wait for a visitor)
    "A kernel manager that believes in kernels with these names."
    visitors = pytest.importorskip('pix2pixhd_nb.apps.visitors')
    m = visitors.VisitorKernels()
    now = datetime.now(timezone.utc)
    m._kernels = {k: SimpleNamespace(last_activity=now - timedelta(seconds=idle), execution_state='idle', kernel_name='python3', kernel_spec=SimpleNamespace(metadata={})) for k, (idle, _, _) in kernels.items()}
    m._kernel_connections = {k: pages for k, (_, pages, _) in kernels.items()}
    loop = asyncio.new_event_loop()
    def waiting(k):
        task = loop.create_future()
        task.set_result(dict(kernel_id=k))
        return task
    m._pools = {'studio.ipynb': [waiting(k) for k, (_, _, waits) in kernels.items() if waits]}
    m.ended = []
    async def shutdown(kernel_id, *a, **k): m.ended.append(kernel_id)
    m.shutdown_kernel = shutdown
    return m, loop


def test_kernels_of_left_pages_end_and_waiting_ones_stay():
    m, loop = manager(waits=(5000, 0, True), left=(300, 0, False), fresh=(20, 0, False), open=(300, 1, False), forgotten=(5000, 1, False))
    m.cull_idle_timeout, m.cull_connected = 600, True
    for k in m._kernels: loop.run_until_complete(m.cull_kernel_if_idle(k))
    loop.close()
    assert m.ended == ['left', 'forgotten']


def test_there_is_a_most_of_kernels():
    from tornado.web import HTTPError
    m, loop = manager(a=(0, 1, False), b=(0, 1, False))
    m.most_kernels = 2
    with pytest.raises(HTTPError, match='Too many people'): loop.run_until_complete(m.start_kernel())
    loop.close()


def test_kernels_that_still_start_are_counted(monkeypatch):
    from tornado.web import HTTPError
    m, loop = manager()
    m.most_kernels = 2
    async def start(self, *, kernel_id, **more):
        await asyncio.sleep(0.01)
        self._kernels[kernel_id] = None
        await asyncio.sleep(0.01)
        return kernel_id
    monkeypatch.setattr(type(m).__mro__[1], 'start_kernel', start)
    async def four(): return await asyncio.gather(*(m.start_kernel() for _ in range(4)), return_exceptions=True)
    answers = loop.run_until_complete(four())
    assert [type(a) for a in answers] == [str, str, HTTPError, HTTPError] and m.list_kernel_ids() == answers[:2]
    m._kernels.popitem()
    async def fails(self, **more): raise RuntimeError('no memory')
    with monkeypatch.context() as now:
        now.setattr(type(m).__mro__[1], 'start_kernel', fails)
        with pytest.raises(RuntimeError): loop.run_until_complete(m.start_kernel())
    assert loop.run_until_complete(m.start_kernel()) in m._kernels
    loop.close()


def long_history(n_strokes, size=(128, 256)):
    "A scene with strokes from corner to corner."
    editor = SceneEditor(np.ones((1, *size), int), None, LABEL_SPACE, {1: [0., 0., 0.]}, MODEL.style_book)
    for k in range(n_strokes): editor.paint([(0, k), (size[1] - 1, size[0] - 1 - k)], ('road', 'sky')[k % 2], 9)
    return editor


@pytest.fixture
def bounded(monkeypatch):
    "Four strokes are the most, as they are in a scene of 2048x1024; and no pictures, which take their time."
    monkeypatch.setattr(base, 'MOST_HISTORY', 4 * 2 * 128 * 256)
    monkeypatch.setattr(SceneStudio, '_generate', lambda self, wanted: iter(()))


def test_a_scene_is_opened_without_the_oldest_part_of_its_history(bounded, tmp_path):
    editor, app = long_history(6), studio()
    text = editor.to_json()
    (tmp_path/'a.json').write_text(text)
    for do in (lambda: send(app, 'open', [text.encode()], name='a.json'), lambda: app.open_recipe(tmp_path/'a.json'), lambda: send(fresh, 'restore', text=text)):
        app = fresh = studio()
        do()
        assert not app.refused and '2 old steps left out' in app.message, app.message
        assert (app.editor.instance_map == editor.instance_map).all() and len(app.editor.done) == 4
    again = SceneEditor.from_json(text)
    for _ in range(4): app.editor.undo(); again.undo()
    assert (app.editor.instance_map == again.instance_map).all()
    for _ in range(4): app.editor.redo()


def test_what_an_app_writes_of_a_long_history_it_opens_again(bounded, tmp_path, monkeypatch):
    app, again = studio(), studio()
    editor = long_history(6)
    app._start(editor, 'large')
    messages = sent(app)
    send(app, 'download', what='scene')
    assert '2 old steps left out' in app.message
    send(again, 'open', [messages[0][1][0]], name='large.json')
    assert not again.refused and 'left out' not in again.message and len(again.editor.done) == 4
    send(app, 'keep')
    monkeypatch.setattr(again, '_touched', False)
    send(again, 'restore', text=messages[1][0]['text'])
    assert 'Your work of last time' in again.message and 'left out' not in again.message and len(again.editor.done) == 4
    assert (again.editor.instance_map == editor.instance_map).all()


def test_a_history_of_many_steps_is_written_as_far_as_it_is_opened(bounded):
    app = studio()
    for k in range(12): app.paint([(0, 5 * k), (127, 63 - 5 * k)], ('car', 'road')[k % 2], 9)
    for _ in range(3): app.undo()
    whole = len(app.recipe)
    for most in (whole - 1, whole // 2, whole // 4):
        text, left = app._short_recipe(most)
        d = json.loads(text)
        assert most * 0.6 < len(text) <= most and left == 12 - len(d['done']) - len(d['undone'])
        short = SceneEditor.from_json(text)
        assert (short.instance_map == app.editor.instance_map).all()
        assert [s.name for s in short.done] == [s.name for s in app.editor.done][-len(short.done):] and len(short.undone) in (3, len(short.done), len(short.done) + 1)
    assert app._short_recipe(10)[1] == 12  # the scene itself is whole all the same
    assert app._short_recipe() == (app.recipe, 0)


def test_downloads_into_a_folder_replace_nothing(tmp_path):
    app = SceneStudio(MODEL, SCENES[0], SHAPES, folder=tmp_path)
    sent(app)
    for k in range(3):
        send(app, 'download', what='ids')
        app.fill(3 + k, 3, 'road')
    assert sorted(p.name for p in tmp_path.iterdir()) == [f'{app._stem()}_labels{k}.png' for k in ('', '_2', '_3')]
    assert len({p.read_bytes() for p in tmp_path.iterdir()}) > 1
    send(app, 'download', what='ids')
    assert str(tmp_path/f'{app._stem()}_labels_4.png') in app.message


def test_black_is_what_has_no_class_only_where_no_class_is_black():
    space = LabelSpace(['road', 'car'], [(9, 9, 9), (0, 0, 99)], [False, True], ignore_id=255)
    picture = Image.fromarray(np.array([[[0, 0, 0], [9, 9, 9], [0, 0, 99]]], np.uint8))
    assert base._read_map(base.uploaded_picture(png(picture), 'a.png'), space).tolist() == [[255, 0, 1]]
    for odd in (Image.fromarray(np.array([[[0, 0, 0], [9, 9, 9], [0, 0, 98]]], np.uint8)), Image.fromarray(np.array([[[9, 9, 8]]], np.uint8))):
        with pytest.raises(ValueError, match='does not list') as e: base._read_map(base.uploaded_picture(png(odd), 'a.png'), space)
    black = LabelSpace(['road', 'car'], [(0, 0, 0), (0, 0, 99)], [False, True])
    assert base._read_map(base.uploaded_picture(png(picture.crop((2, 0, 3, 1))), 'a.png'), black).tolist() == [[1]]
