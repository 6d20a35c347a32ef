"A preference study in a real browser: a pair is in view for as long as was asked, measured there, and keys answer."
import pytest
from browser import opened

STUDY = '.p2p-study'
pytestmark = pytest.mark.alone


@pytest.fixture(scope='module')
def page(browser, voila):
    with opened(browser, voila, 'preference.ipynb', STUDY) as app: yield app


def start(app, times):
    "A new timed study of two streets on the page, and begin it."
    app.kernel('0', f'study = PreferenceStudy(pairs[:6], times={times}, check_every=0, seed=1); place.children = [study]')
    app.page.wait_for_selector(f'{STUDY}[data-state=ready]')
    app.page.locator('.p2p-go').first.click()


def count(app): return app.page.locator('.p2p-count').first.inner_text()
def state(app): return app.page.locator(STUDY).first.get_attribute('data-state')


def test_a_pair_is_in_view_for_its_time(page):
    start(page, (1 / 8, 1 / 4, 1 / 2, 1, 2))
    n = page.kernel('len(study.trials)')
    for k in range(n):
        assert page.until(lambda: state(page) == 'covered' and page.kernel('len(study.rows)') == k, 30)
        page.page.keyboard.press('ArrowLeft' if k % 2 else '2')
        assert page.until(lambda: page.kernel('len(study.rows)') == k + 1) and page.until(lambda: state(page) != 'covered')
    rows = page.kernel('study.rows')
    assert len({r['time'] for r in rows}) >= 4
    assert all(abs(r['shown'] - r['time']) <= 0.020 and r['in_time'] for r in rows), [(r['time'], r['shown']) for r in rows]
    assert [r['side'] for r in rows] == ['left' if k % 2 else 'right' for k in range(n)]
    assert page.until(lambda: state(page) == 'done') and not page.errors and not page.outside


def test_no_answer_counts_before_the_pair_was_in_view(page):
    start(page, (1,))
    assert page.until(lambda: state(page) == 'shown')
    page.page.keyboard.press('1')
    page.page.locator('.p2p-side').first.dispatch_event('click')
    assert page.until(lambda: state(page) == 'covered') and page.kernel('len(study.rows)') == 0


def test_a_page_that_is_loaded_again_goes_on_with_the_answers(page):
    again = "study = PreferenceStudy(pairs[:6], check_every=0, seed=5, keep='test'); place.children = [study]"
    page.kernel('0', again)
    page.page.wait_for_selector(f'{STUDY}[data-state=ready]')
    page.page.locator('.p2p-go').first.click()
    for k, key in enumerate('1221'):
        assert page.until(lambda: count(page) == f'{k} of 6' and state(page) == 'free')
        page.page.keyboard.press(key)
        assert page.until(lambda: page.kernel('len(study.rows)') == k + 1)
    assert page.until(lambda: count(page) == '4 of 6')
    before = page.kernel('study.rows')
    page.kernel('0', again) # a new study in Python, a new view of it: as after a reload
    assert page.until(lambda: page.kernel('len(study.rows)') == 4) and page.kernel('study.rows') == before
    assert page.until(lambda: count(page) == '4 of 6') and state(page) == 'ready' # nothing flashes before the rater is there
    assert page.page.locator('.p2p-go').first.inner_text() == 'Go on'
    page.page.locator('.p2p-go').first.click()
    assert page.until(lambda: state(page) == 'free')
    page.page.keyboard.press('ArrowLeft') # the keys are heard
    assert page.until(lambda: page.kernel('len(study.rows)') == 5)
    page.kernel('0', again.replace('seed=5', 'seed=6')) # another plan knows nothing of it
    page.page.wait_for_selector(f'{STUDY}[data-state=ready]')
    assert page.kernel('len(study.rows)') == 0 and not page.errors


def test_the_first_of_two_quick_keys_counts_after_a_reload_too(page):
    again = "study = PreferenceStudy(pairs[:3], check_every=0, seed=8, keep='quick'); place.children = [study]"
    page.kernel('0', again)
    page.page.wait_for_selector(f'{STUDY}[data-state=ready]')
    page.page.locator('.p2p-go').first.click()
    assert page.until(lambda: state(page) == 'free')
    page.page.evaluate("""() => { const study = document.querySelector('.p2p-study');
        for (const key of ['ArrowLeft', 'ArrowRight']) study.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true})) }""")
    assert page.page.locator(STUDY).first.get_attribute('data-chosen') in ('left', None)
    assert page.until(lambda: count(page) == '1 of 3')
    page.kernel('0', again)
    assert page.until(lambda: page.kernel('len(study.rows)') == 1) and page.kernel('study.rows[0]["side"]') == 'left'
    page.page.wait_for_selector(f'{STUDY}[data-state=ready]')
    page.kernel('0', "study._answered = lambda message: (_ for _ in ()).throw(OSError('the disk is full'))")
    page.page.locator('.p2p-go').first.click()
    assert page.until(lambda: state(page) == 'free' and count(page) == '1 of 3')
    page.page.keyboard.press('1')
    assert page.until(lambda: page.page.locator('.p2p-say').first.inner_text() == 'the disk is full')
    page.kernel('0', 'del study._answered')
    page.page.keyboard.press('2') # a problem was told, so the rater may choose anew
    assert page.until(lambda: page.kernel('len(study.rows)') == 2) and page.kernel('study.rows[1]["side"]') == 'right'
    assert not page.errors


def test_once_more_is_offered_only_where_it_is_granted(page, tmp_path):
    for settings, offered in (("keep='more'", True), (f'save_to={str(tmp_path / "a.jsonl")!r}', False)):
        page.kernel('0', f'study = PreferenceStudy(pairs[:2], check_every=0, {settings}); place.children = [study]')
        page.page.wait_for_selector(f'{STUDY}[data-state=ready]')
        page.kernel('[study.answer("left") for _ in range(2)] and 0')
        assert page.until(lambda: state(page) == 'done')
        assert page.page.locator('[data-ask=results]').first.is_visible() and page.page.locator('[data-ask=again]').first.is_visible() is offered
        if not offered: continue
        page.page.locator('.p2p-go').first.dispatch_event('click')
        page.page.locator('[data-ask=again]').first.click()
        assert page.until(lambda: state(page) == 'free')
        page.page.keyboard.press('ArrowLeft') # the keys are heard
        assert page.until(lambda: page.kernel('len(study.rows)') == 1)
    assert not page.errors
