"The explorer and the studio in a real browser: what the hand does arrives at the very pixel, and what is in view is the state."
import numpy as np
import pytest
from browser import Canvas, opened
from scipy.ndimage import binary_dilation
from pix2pixhd_nb.data.toy import LABEL_SPACE
from pix2pixhd_nb.apps.studio import picture_of_map

SCREEN = dict(viewport=dict(width=1720, height=1100), has_touch=True) # wide enough for a picture at zoom 3
CAR, PAVEMENT = LABEL_SPACE.id('car'), LABEL_SPACE.id('pavement')
PICTURE, OVER = '.p2p-picture', '.p2p-over'

def all_listen_for(app, gesture):
    "Whether both canvases of the studio, in the browser, wait for this gesture."
    return [e.get_attribute('data-gesture') for e in app.page.locator(OVER).all()] == [gesture] * 2


@pytest.fixture(scope='module')
def explorer_page(browser, voila):
    with opened(browser, voila, 'explorer.ipynb', PICTURE, **SCREEN) as app: yield app


@pytest.fixture(scope='module')
def studio_page(browser, voila):
    with opened(browser, voila, 'studio.ipynb', PICTURE, **SCREEN) as app: yield app


def settle(app):
    "Wait until everything that was asked for is generated and in view."
    assert app.kernel('worker.wait(60)')
    in_view = lambda: [c.element.get_attribute('data-version') for c in app.canvases]
    versions = app.kernel('[str(canvas.version) for canvas in seen]')
    assert app.until(lambda: in_view() == versions), f'the page shows versions {in_view()}, the state is at {versions}'


@pytest.fixture
def explorer(explorer_page):
    "The explorer as it was opened, at zoom 1."
    app = explorer_page
    app.kernel('0', 'enter(3); app = place.children[0]; app.canvas.zoom = 1.; seen, worker = [app.canvas], app._painter')
    app.canvases = [Canvas(app, PICTURE)]
    settle(app)
    yield app
    assert not app.errors


@pytest.fixture
def studio(studio_page):
    "The studio as it was opened."
    app = studio_page
    app.kernel('0', "app = studio; app.load(street(3)); app.take('select', 'sky'); app.map.zoom, app.brush.value = 1., 12; seen, worker = [app.map, app.photo], app._drawer")
    app.canvases = [Canvas(app, PICTURE, i) for i in (0, 1)]
    settle(app)
    yield app
    assert not app.errors


def ids(app): return app.kernel('app.editor.instance_map')
def size_on_page(canvas): return canvas.element.evaluate('c => [c.clientWidth, c.clientHeight]')
def generated(app): return app.kernel("__import__('numpy').asarray(app.editor.draw(app.model))")


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


def show_at(app, zoom, dots=1):
    "Show the picture at a zoom, on a screen of `dots` dots to a pixel of the page."
    metrics = dict(width=SCREEN['viewport']['width'], height=SCREEN['viewport']['height'], deviceScaleFactor=dots, mobile=False)
    app.context.new_cdp_session(app.page).send('Emulation.setDeviceMetricsOverride', metrics)
    app.kernel('0', f'seen[0].zoom = {zoom}')
    wanted = [round(n * zoom) for n in ids(app).shape[::-1]]
    assert app.until(lambda: [round(n) for n in size_on_page(app.canvases[0])] == wanted), size_on_page(app.canvases[0])


@pytest.mark.browser
@pytest.mark.parametrize('zoom, dots', [(1, 1), (3, 1), (0.7, 2)])
@pytest.mark.parametrize('name', ['explorer', 'studio'])
def test_a_click_selects_the_object_under_it(name, zoom, dots, request):
    app = request.getfixturevalue(name)
    here = ids(app)
    show_at(app, zoom, dots)
    try:
        for x, y in points_to_click(here):
            app.kernel('0', 'app.deselect()')
            app.canvases[0].click(x, y)
            assert app.until(lambda: app.kernel('app.selected') is not None), f'a click on {(x, y)} did not arrive'
            assert app.kernel('app.selected') == here[y, x], (x, y)
    finally: show_at(app, 1)


def test_the_selected_object_is_outlined(explorer):
    car, mask, point = largest_car(explorer)
    explorer.canvases[0].click(*point)
    over = Canvas(explorer, OVER)
    edge = binary_dilation(mask) & ~mask
    assert explorer.until(lambda: over.rgba[..., 3].any())
    outlined = over.rgba[..., 3] > 0
    assert outlined[edge].all() and not (outlined & ~binary_dilation(mask)).any() and outlined.sum() < mask.sum()


def test_a_finger_selects_and_two_fingers_zoom(explorer):
    car, _, point = largest_car(explorer)
    explorer.page.touchscreen.tap(*explorer.canvases[0].client(*point))
    assert explorer.until(lambda: explorer.kernel('app.selected') == car)
    x, y = explorer.canvases[0].client(256, 128)
    session = explorer.context.new_cdp_session(explorer.page)
    touch = lambda kind, *apart: session.send(
        'Input.dispatchTouchEvent', dict(type=kind, touchPoints=[dict(x=x + side * d, y=y, id=i) for d in apart for i, side in enumerate((-1, 1))]))
    touch('touchStart', 40)
    for apart in (45, 55, 70, 80): touch('touchMove', apart)
    touch('touchEnd')
    assert explorer.until(lambda: abs(explorer.kernel('app.canvas.zoom') - 2) < 0.1), explorer.kernel('app.canvas.zoom')
    assert explorer.kernel('app.selected') == car


def test_a_restyle_changes_the_pixels_of_that_object(explorer):
    canvas, (car, mask, point) = explorer.canvases[0], largest_car(explorer)
    before = canvas.pixels.astype(int)
    assert np.array_equal(before, generated(explorer))
    canvas.click(*point)
    explorer.page.wait_for_selector('.p2p-choice >> nth=9')
    now = explorer.kernel('app.editor.looks')[car]
    book = explorer.kernel('app.model.style_book.centres')[CAR]
    k = (book - now).norm(dim=1).argmax().item()
    explorer.page.locator('.p2p-choice').nth(k).click()
    assert explorer.until(lambda: explorer.kernel('len(app.editor.done)'))
    settle(explorer)
    assert np.array_equal(canvas.pixels, generated(explorer))
    change = np.abs(canvas.pixels - before).mean(2)
    inside, outside = change[mask].mean(), change[~binary_dilation(mask, iterations=8)].mean()
    assert inside > 10 and outside < 0.05 * inside, (inside, outside)
    assert explorer.page.locator('.p2p-choice').nth(k).get_attribute('aria-checked') == 'true'


def pixels_along(points):
    "Every pixel that the line through the centres of some pixels enters, as (x, y)."
    t = np.linspace(0, 1, 4000)[:, None]
    return np.unique(np.concatenate([np.rint(a + t * (np.subtract(b, a))) for a, b in zip(points, points[1:])]).astype(int), axis=0)


@pytest.mark.parametrize('zoom', [1, 3])
def test_a_dragged_stroke_paints_every_pixel_along_it_and_undo_brings_back_the_exact_map(studio, zoom):
    (label_map, image), before = studio.canvases, ids(studio)
    first = [c.pixels for c in studio.canvases]
    studio.page.get_by_role('button', name='pavement', exact=True).click()
    assert studio.until(lambda: all_listen_for(studio, 'stroke'))
    studio.kernel('0', 'app.brush.value = 3')
    assert studio.until(lambda: studio.kernel('app.map.brush') == 3)
    show_at(studio, zoom)
    points = [(20, 240), (180, 150), (190, 236), (480, 200)]
    label_map.drag(points)
    assert studio.until(lambda: studio.kernel('len(app.editor.done)') == 1)
    settle(studio)
    show_at(studio, 1)
    painted, (x, y) = ids(studio) == PAVEMENT, pixels_along(points).T
    assert painted[y, x].all()
    line = np.zeros_like(painted)
    line[y, x] = True
    assert not (painted & (before != PAVEMENT) & ~binary_dilation(line, np.ones((3, 3)), iterations=2)).any()
    assert np.array_equal(label_map.pixels, picture_of_map(ids(studio), LABEL_SPACE)) and np.array_equal(image.pixels, generated(studio))
    studio.page.keyboard.press('Control+z')
    assert studio.until(lambda: not studio.kernel('len(app.editor.done)'))
    settle(studio)
    assert np.array_equal(ids(studio), before)
    assert all(np.array_equal(c.pixels, old) for c, old in zip(studio.canvases, first))


def test_a_hundred_rapid_edits_leave_the_picture_equal_to_the_state(studio):
    label_map, image = studio.canvases
    studio.page.get_by_role('button', name='pavement', exact=True).click()
    assert studio.until(lambda: all_listen_for(studio, 'stroke'))
    for k in range(100): label_map.drag([(20 + 4 * k, 140 + k % 7), (60 + 4 * k, 240 - k % 5)])
    assert studio.until(lambda: studio.kernel('app.serial') >= 100 and len(studio.kernel('app.editor.done')) == 100), studio.kernel('len(app.editor.done)')
    settle(studio)
    assert np.array_equal(label_map.pixels, picture_of_map(ids(studio), LABEL_SPACE))
    assert np.array_equal(image.pixels, generated(studio))


def test_a_hundred_rapid_choices_leave_the_picture_equal_to_the_state(explorer):
    canvas, (car, mask, point) = explorer.canvases[0], largest_car(explorer)
    canvas.click(*point)
    explorer.page.wait_for_selector('.p2p-choice >> nth=9')
    shown = explorer.kernel('app.canvas.version')
    explorer.page.evaluate("() => { for (let k = 0; k < 100; k++) document.querySelectorAll('.p2p-choice')[k % 7].click() }")
    assert explorer.until(lambda: explorer.kernel('len(app.editor.done)') == 100)
    settle(explorer)
    assert np.array_equal(canvas.pixels, generated(explorer)) and explorer.kernel('app.strip.chosen') == 99 % 7
    assert explorer.kernel('app.canvas.version') - shown < 100


def test_an_object_is_dragged_removed_and_brought_back(studio):
    car, mask, (x, y) = largest_car(studio)
    before = ids(studio)
    studio.page.get_by_role('button', name='move', exact=True).click()
    assert studio.until(lambda: all_listen_for(studio, 'drag'))
    studio.canvases[1].drag([(x, y), (x + 60, y + 4)]) # the generated image listens too
    assert studio.until(lambda: studio.kernel('len(app.editor.done)') == 1)
    moved = np.argwhere(ids(studio) == car).mean(0) - np.argwhere(mask).mean(0)
    assert 40 < moved[1] < 80, moved
    studio.page.keyboard.press('Delete')
    assert studio.until(lambda: studio.kernel('len(app.editor.done)') == 2) and car not in ids(studio)
    for _ in range(2): studio.page.keyboard.press('Control+z')
    assert studio.until(lambda: not studio.kernel('len(app.editor.done)')) and np.array_equal(ids(studio), before)


def test_keys_do_what_a_mouse_does(studio):
    label_map, here = studio.canvases[0], ids(studio)
    Canvas(studio, OVER).element.focus()
    for key in ['Shift+ArrowLeft', 'ArrowUp', 'ArrowRight', 'Enter']: studio.page.keyboard.press(key)
    assert studio.until(lambda: studio.kernel('app.selected') == here[127, 247])
    studio.kernel('0', "app.take('paint', 'pavement'); app.brush.value = 1; app.deselect()")
    assert studio.until(lambda: all_listen_for(studio, 'stroke'))
    studio.page.wait_for_timeout(200) # the smaller brush gets there with it
    for key in ['Enter', *['ArrowDown'] * 6, *['ArrowRight'] * 5, 'Enter']: studio.page.keyboard.press(key)
    assert studio.until(lambda: studio.kernel('len(app.editor.done)') == 1)
    assert (ids(studio)[127:134, 247] == PAVEMENT).all() and (ids(studio)[133, 247:253] == PAVEMENT).all()
    for key in [']', ']', ']', '[']: studio.page.keyboard.press(key)
    assert studio.until(lambda: studio.kernel('app.brush.value') == 3)


def test_before_and_after_are_compared(explorer):
    canvas, first = explorer.canvases[0], explorer.canvases[0].pixels
    explorer.page.get_by_role('button', name='Shuffle').click()
    assert explorer.until(lambda: explorer.kernel('len(app.editor.done)') == 1)
    settle(explorer)
    after = canvas.pixels
    explorer.page.get_by_text('Compare with the first picture').click()
    assert explorer.until(lambda: np.array_equal(canvas.pixels[:, :256], first[:, :256])) and np.array_equal(canvas.pixels[:, 256:], after[:, 256:])
    canvas.drag([(300, 100), (100, 120)], steps=5)
    assert explorer.until(lambda: np.array_equal(canvas.pixels[:, 101:], after[:, 101:])) and np.array_equal(canvas.pixels[:, :100], first[:, :100])


def test_nothing_is_asked_of_other_machines(explorer, studio):
    assert explorer.outside == [] and studio.outside == []
