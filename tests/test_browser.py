"The explorer and the studio in a real browser: what the hand does arrives at the very pixel, and what is in view is the state."
import numpy as np
import pytest
from PIL import Image
from browser import Canvas, opened
from scipy.ndimage import binary_dilation
from pix2pixhd_nb.data.facades import FACADE_SPACE
from pix2pixhd_nb.data.toy import LABEL_SPACE
from pix2pixhd_nb.apps.base import picture_of_map

SCREEN = dict(viewport=dict(width=1720, height=1100), has_touch=True) # wide enough for a picture at zoom 3
CAR, PAVEMENT = LABEL_SPACE.id('car'), LABEL_SPACE.id('pavement')
PICTURE, OVER, READY = 'canvas.picture', 'canvas.over', 'canvas.picture[data-version]'

@pytest.fixture(scope='module')
def explorer_page(browser, voila):
    with opened(browser, voila, 'explorer.ipynb', READY, **SCREEN) as app: yield app


@pytest.fixture(scope='module')
def studio_page(browser, voila):
    with opened(browser, voila, 'studio.ipynb', READY, **SCREEN) as app: yield app


def settle(app):
    "Wait until everything that was asked for is generated and in view."
    assert app.kernel('app._worker.wait(60)')
    assert app.until(lambda: app.canvases[-1].element.get_attribute('data-version') == app.kernel('str(app.version)'))


def begin(app, view):
    "The app as it was opened, both its pictures or one in view."
    app.kernel('0', f"worlds.choice.value = 'street'; app = worlds.opened['street']; app.load(worlds.worlds['street'].numbered(3)); app.earlier, app.selected, app.tool, app.brush = [], None, 'select', 12; app._refresh('')")
    app.canvases = [Canvas(app, 'canvas.map'), Canvas(app, PICTURE)]
    app.page.locator(f'[data-view={view}]').click()
    app.page.locator('[data-act=fit]').click()
    settle(app)
    return app


@pytest.fixture
def explorer(explorer_page):
    app = begin(explorer_page, 'picture')
    yield app
    assert not app.errors


@pytest.fixture
def studio(studio_page):
    app = begin(studio_page, 'both')
    yield app
    assert not app.errors


def has_tool(app, name, cls=None):
    "Take a tool on the page, and a class."
    if cls is not None: app.page.locator(f'[data-cls="{cls}"]').click()
    app.page.locator(f'[data-tool={name}]').and_(app.page.locator('button')).click()
    assert app.until(lambda: app.kernel('app.tool') == name)


def ids(app): return app.kernel('app.editor.instance_map')
def generated(app): return app.kernel("__import__('numpy').asarray(app.editor.generate(app.model))")


def largest_car(app):
    "The id of the largest car, its mask, and a point well inside."
    here = ids(app)
    car = max((i for i in np.unique(here).tolist() if i // 1000 == CAR), key=lambda i: (here == i).sum())
    y, x = (m := np.argwhere(here == car))[np.abs(m - m.mean(0)).sum(1).argmin()].tolist()
    return car, here == car, (x, y)


def points_to_click(here):
    "The corners, pixels on both sides of a boundary, and some at random."
    h, w = here.shape
    rng = np.random.default_rng(0)
    edges = np.argwhere(here[:, 1:] != here[:, :-1])
    beside = [(x + k, y) for y, x in rng.choice(edges, 4, replace=False).tolist() for k in (0, 1)]
    return [(0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1), *beside, *zip(rng.integers(w, size=4).tolist(), rng.integers(h, size=4).tolist())]


@pytest.mark.parametrize('zoom', [0, 2])
@pytest.mark.parametrize('name', ['explorer', 'studio'])
def test_a_click_selects_the_object_under_it(name, zoom, request):
    app = request.getfixturevalue(name)
    here, picture = ids(app), app.canvases[1]
    for _ in range(zoom): app.page.locator('[data-act=larger]').click()
    frame = picture.element.evaluate('c => { const r = c.parentElement.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] }')
    for x, y in points_to_click(here):
        left, top = picture.client(x, y)
        if not (frame[0] + 2 < left < frame[2] - 2 and frame[1] + 2 < top < frame[3] - 2): continue # out of the frame at this zoom
        app.kernel('0', 'app.deselect()')
        settle(app)
        app.page.mouse.click(*picture.client(x, y))
        assert app.until(lambda: app.kernel('app.selected') is not None, 60), f'a click on {(x, y)} did not arrive'
        assert app.kernel('app.selected') == here[y, x], (x, y)


def test_a_finger_selects_and_two_fingers_zoom(explorer):
    car, _, point = largest_car(explorer)
    picture = explorer.canvases[1]
    explorer.page.touchscreen.tap(*picture.client(*point))
    assert explorer.until(lambda: explorer.kernel('app.selected') == car)
    wide = lambda: picture.element.evaluate('c => c.getBoundingClientRect().width')
    before, (x, y) = wide(), picture.client(256, 128)
    session = explorer.context.new_cdp_session(explorer.page)
    touch = lambda kind, *apart: session.send(
        'Input.dispatchTouchEvent', dict(type=kind, touchPoints=[dict(x=x + side * d, y=y, id=i) for d in apart for i, side in enumerate((-1, 1))]))
    touch('touchStart', 40)
    for d in (50, 60, 70, 80): touch('touchMove', d)
    touch('touchEnd')
    assert explorer.until(lambda: 1.7 < wide() / before < 2.3), wide() / before
    assert explorer.kernel('app.selected') == car and not explorer.kernel('len(app.editor.done)')


def test_a_restyle_changes_the_pixels_of_that_object(explorer):
    picture, (car, mask, point) = explorer.canvases[1], largest_car(explorer)
    before = picture.pixels.astype(int)
    assert np.array_equal(before, generated(explorer))
    picture.click(*point)
    explorer.page.wait_for_selector('.styles button >> nth=9')
    book = explorer.kernel('app.model.style_book.centres')[CAR]
    k = (book - explorer.kernel('app.editor.styles')[car]).norm(dim=1).argmax().item()
    explorer.page.locator('.styles button').nth(k).click()
    assert explorer.until(lambda: explorer.kernel('len(app.editor.done)'))
    settle(explorer)
    assert np.array_equal(picture.pixels, generated(explorer))
    change = np.abs(picture.pixels - before).mean(2)
    inside, outside = change[mask].mean(), change[~binary_dilation(mask, iterations=8)].mean()
    assert inside > 10 and outside < 0.05 * inside, (inside, outside)
    assert explorer.page.locator('.styles button').nth(k).get_attribute('aria-pressed') == 'true'


def pixels_along(points):
    "Every pixel that the line through the centres of some pixels enters, as (x, y)."
    t = np.linspace(0, 1, 4000)[:, None]
    return np.unique(np.concatenate([np.rint(a + t * (np.subtract(b, a))) for a, b in zip(points, points[1:])]).astype(int), axis=0)


def test_a_dragged_stroke_paints_every_pixel_along_it_and_undo_brings_back_the_exact_map(studio):
    (label_map, image), before = studio.canvases, ids(studio)
    first = [c.pixels for c in studio.canvases]
    has_tool(studio, 'brush', PAVEMENT)
    studio.kernel('0', 'app.brush = 3')
    assert studio.until(lambda: studio.page.locator('input.brush').input_value() == '3')
    points = [(20, 240), (180, 150), (190, 236), (480, 200)]
    label_map.drag(points)
    assert studio.until(lambda: studio.kernel('len(app.editor.done)') == 1)
    settle(studio)
    painted, (x, y) = ids(studio) == PAVEMENT, pixels_along(points).T
    assert painted[y, x].mean() > 0.98 # the pointer's place is rounded by the page
    line = np.zeros_like(painted)
    line[y, x] = True
    assert not (painted & (before != PAVEMENT) & ~binary_dilation(line, np.ones((3, 3)), iterations=3)).any()
    assert studio.until(lambda: np.array_equal(label_map.pixels, picture_of_map(ids(studio), LABEL_SPACE))) and np.array_equal(image.pixels, generated(studio))
    studio.page.keyboard.press('Control+z')
    assert studio.until(lambda: not studio.kernel('len(app.editor.done)'))
    settle(studio)
    assert np.array_equal(ids(studio), before)
    assert all(studio.until(lambda: np.array_equal(c.pixels, old)) for c, old in zip(studio.canvases, first))


def test_fifty_rapid_edits_leave_the_picture_equal_to_the_state(studio):
    label_map, image = studio.canvases
    has_tool(studio, 'brush', PAVEMENT)
    for k in range(50): label_map.drag([(20 + 8 * k, 140 + k % 7), (60 + 8 * k, 240 - k % 5)])
    assert studio.until(lambda: len(studio.kernel('app.editor.done')) == 50), studio.kernel('len(app.editor.done)')
    settle(studio)
    assert studio.until(lambda: np.array_equal(label_map.pixels, picture_of_map(ids(studio), LABEL_SPACE)))
    assert np.array_equal(image.pixels, generated(studio))


def test_an_object_is_dragged_removed_and_brought_back(studio):
    car, mask, (x, y) = largest_car(studio)
    before = ids(studio)
    studio.canvases[1].drag([(x, y), (x + 60, y + 4)], steps=4) # the generated image listens too
    assert studio.until(lambda: studio.kernel('len(app.editor.done)') == 1)
    moved = np.argwhere(ids(studio) == car).mean(0) - np.argwhere(mask).mean(0)
    assert 40 < moved[1] < 80, moved
    studio.page.keyboard.press('Delete')
    assert studio.until(lambda: studio.kernel('len(app.editor.done)') == 2) and car not in ids(studio)
    for _ in range(2): studio.page.keyboard.press('Control+z')
    assert studio.until(lambda: not studio.kernel('len(app.editor.done)')) and np.array_equal(ids(studio), before)


def test_keys_do_what_a_mouse_does(studio):
    here = ids(studio)
    studio.canvases[0].element.focus()
    for key in ['Shift+ArrowLeft', 'ArrowUp', 'ArrowRight', 'Enter']: studio.page.keyboard.press(key)
    assert studio.until(lambda: studio.kernel('app.selected') == here[127, 247])
    studio.kernel('0', "app.take('brush', 'pavement'); app.brush = 1; app.deselect()")
    assert studio.until(lambda: studio.page.locator('.studio').get_attribute('data-tool') == 'brush' and studio.page.locator('input.brush').input_value() == '1')
    for key in ['Enter', *['ArrowDown'] * 6, *['ArrowRight'] * 5, 'Enter']: studio.page.keyboard.press(key)
    assert studio.until(lambda: studio.kernel('len(app.editor.done)') == 1)
    assert (ids(studio)[127:134, 247] == PAVEMENT).all() and (ids(studio)[133, 247:253] == PAVEMENT).all()
    for key in [']', ']', ']', '[']: studio.page.keyboard.press(key)
    assert studio.until(lambda: studio.kernel('app.brush') == 3)


def test_the_first_picture_is_compared(explorer):
    over = Canvas(explorer, OVER, 1)
    explorer.page.locator('[data-act=shuffle]').click()
    assert explorer.until(lambda: explorer.kernel('len(app.editor.done)') == 1)
    explorer.page.locator('[data-act=compare]').click()
    assert explorer.until(lambda: explorer.kernel('bool(app.first_png)')) and explorer.page.locator('[data-act=compare]').get_attribute('aria-pressed') == 'true'
    covered = lambda: (over.rgba[..., 3] > 0).mean()
    assert explorer.until(lambda: covered() > 0.2)
    half = covered()
    explorer.canvases[1].drag([(256, 100), (100, 120)], steps=5)
    assert explorer.until(lambda: covered() < 0.7 * half)
    explorer.page.locator('[data-act=compare]').click()
    assert explorer.until(lambda: not explorer.kernel('app.comparing'))


def test_one_click_downloads_what_is_there_now(studio, tmp_path):
    for what, ending in (('picture', '.png'), ('scene', '.json'), ('colors', '_colors.png')):
        with studio.page.expect_download() as download:
            if what == 'picture': studio.page.locator('[data-act=download]').click()
            else:
                studio.page.locator('[data-act=files]').click()
                studio.page.locator(f'[data-save={what}]').click()
        assert download.value.suggested_filename.endswith(ending)
        download.value.save_as(tmp_path/what)
        if what != 'picture': studio.page.locator('.saving form button').click()
    assert np.array_equal(np.asarray(Image.open(tmp_path/'picture')), generated(studio))
    before = ids(studio)
    studio.kernel('0', "app.shuffle(3)")
    studio.page.locator('input.file').set_input_files(dict(name='back.png', mimeType='image/png', buffer=(tmp_path/'colors').read_bytes()))
    assert studio.until(lambda: 'back.png' in studio.kernel('app.message')), studio.kernel('app.message')
    assert np.array_equal(np.where(ids(studio) >= 1000, ids(studio) // 1000, ids(studio)), np.where(before >= 1000, before // 1000, before))


def test_another_world(studio):
    "Chosen on the page: its own map and picture; the first one is as it was left when one comes back."
    studio.kernel('0', 'app.shuffle(4)')
    left, choice = studio.kernel('app.recipe'), studio.page.locator('select').first
    choice.select_option(label='House fronts')
    assert studio.until(lambda: studio.kernel("'facade' in worlds.opened and worlds.opened['facade']._worker.wait(60)"))
    studio.kernel('0', "app = worlds.opened['facade']")
    studio.canvases = [Canvas(studio, 'canvas.map'), Canvas(studio, PICTURE)]
    settle(studio)
    assert np.array_equal(studio.canvases[0].pixels, picture_of_map(ids(studio), FACADE_SPACE)) and np.array_equal(studio.canvases[1].pixels, generated(studio))
    choice.select_option(label='Synthetic streets')
    assert studio.until(lambda: studio.kernel("worlds.place.children[0] is worlds.opened['street']"))
    assert studio.kernel("worlds.opened['street'].recipe") == left


def test_a_tool_of_one_entry_has_button_key_and_gesture(studio):
    car, _, (x, y) = largest_car(studio)
    setup = """from pix2pixhd_nb.apps.base import Tool
app.TOOLS['throw'] = Tool('Throw', 't', 'Drag from an object to nowhere', drag=lambda app, start, end: app.remove(app.editor.at(*start)), icon='M4 4l16 16')
app.about = app._about('')"""
    before = studio.kernel('app.about')
    try:
        studio.kernel('0', setup)
        button = studio.page.locator('button[data-tool=throw]')
        button.wait_for()
        assert button.inner_text() == 'Throw' and button.get_attribute('title') == 'Drag from an object to nowhere (T)'
        assert button.locator('path').get_attribute('d') == 'M4 4l16 16'
        studio.canvases[0].element.focus()
        studio.page.keyboard.press('t')
        assert studio.until(lambda: studio.kernel('app.tool') == 'throw') and button.get_attribute('aria-pressed') == 'true'
        assert 'Drag from an object to nowhere' in studio.page.locator('.status').inner_text()
        studio.canvases[0].click(x, y)
        studio.canvases[0].drag([(x, y), (x + 30, y)], steps=4)
        assert studio.until(lambda: studio.kernel('len(app.editor.done)')) and car not in ids(studio)
        assert studio.kernel('len(app.editor.done)') == 1, 'the click did something, too'
    finally: studio.kernel('0', f"app.TOOLS.pop('throw', 0); app.about = {before!r}; app.tool = 'select'")


NAMELESS = """() => [...document.querySelectorAll('button, input, select, canvas[tabindex], dialog, [role=toolbar], [role=group]')].filter(e => {
  const words = e.tagName == 'BUTTON' ? e.textContent.trim() || e.title : [...(e.labels ?? [])].map(l => l.textContent).join('').trim();
  return e.checkVisibility() && !(e.getAttribute('aria-label') || words) }).map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize('name', ['explorer', 'studio'])
def test_every_control_has_a_name(name, request):
    app = request.getfixturevalue(name)
    app.canvases[1].click(*largest_car(app)[2])
    app.page.wait_for_selector('.styles button >> nth=9')
    for act, dialog in ((None, None), ('files', '.saving'), ('help', '.helping'), ('gallery', '.gallery')):
        if act: app.page.locator(f'[data-act={act}]').click()
        if act == 'gallery': app.page.wait_for_selector('.thumbnails button')
        assert app.page.evaluate(NAMELESS) == []
        if act: app.page.locator(f'{dialog} form button').click()


def test_a_phone_shows_all_of_the_picture_and_fingers_hit_the_buttons(studio):
    page = studio.page
    page.set_viewport_size(dict(width=390, height=800))
    try:
        page.locator('[data-view=picture]').click()
        page.locator('[data-view=picture]').evaluate('e => e.scrollIntoView()')
        assert studio.until(lambda: page.evaluate('document.documentElement.scrollWidth') <= 390)
        box = page.locator(PICTURE).bounding_box()
        assert box['x'] >= 0 and box['x'] + box['width'] <= 390 and box['width'] > 340 and box['height'] > 160, box
        small = page.evaluate("[...document.querySelectorAll('.studio button, .studio select')].filter(e => e.checkVisibility() && !e.closest('dialog') && Math.min(e.getBoundingClientRect().height, e.closest('.bar') ? e.getBoundingClientRect().width : 44) < 44).map(e => e.outerHTML.slice(0, 100))")
        assert small == []
    finally: page.set_viewport_size(SCREEN['viewport'])


def test_nothing_is_asked_of_other_machines(explorer, studio):
    assert explorer.outside == [] and studio.outside == []


def test_the_page_says_the_same_thing_twice_and_shows_the_steps_of_this_scene_only(studio):
    status = studio.page.locator('.status p')
    for _ in range(2):
        studio.page.locator('input.file').set_input_files(dict(name='bad.png', mimeType='image/png', buffer=b'no picture'))
        assert studio.until(lambda: 'cannot be decoded' in status.inner_text()), status.inner_text()
        studio.page.locator('[data-tool=brush]').and_(studio.page.locator('button')).click() # the tool's tip takes the line
        assert studio.until(lambda: 'cannot be decoded' not in status.inner_text())
    seed = studio.page.locator('.seed')
    for k in (1, 2):
        now = seed.input_value()
        studio.page.locator('[data-act=shuffle]').click()
        assert studio.until(lambda: seed.input_value() == str(int(now) + 1))
        settle(studio)
        assert studio.until(lambda: studio.page.locator('.history button').count() == k + 1)
    studio.page.locator('[data-act=gallery]').click()
    other = studio.page.locator('.thumbnails button').filter(has_text='Scene 4')
    other.click()
    assert studio.until(lambda: studio.kernel('app.name') == 'scene_4')
    settle(studio)
    assert studio.until(lambda: studio.page.locator('.history button').count() == 1)
