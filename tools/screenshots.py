"""Pictures of the widgets for the site, taken in a browser from the apps: .venv/bin/python tools/screenshots.py"""
import io
import sys
import threading
from pathlib import Path
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT/'tests'), str(ROOT/'web')]
from browser import launched, opened, served
from serve import server

EDITS = """
studio = worlds.opened['street']
car = max((i for i in studio.editor.objects if i // 1000 == studio.model.label_space.id('car')), key=lambda i: studio.editor._areas[i])
studio.take('brush', 'pavement')
studio.paint([(150, 214), (360, 214)], brush=24)
for x in (235, 262): studio.add(x, 216, 'person')
rows, cols, mask = studio.editor.mask_of(car)
y, x = rows.start + mask.shape[0] // 2, cols.start + mask.shape[1] // 2
studio.take('select')
studio.select(x, y)
studio.restyle(k=4)
studio._worker.wait()
"""
STYLES = """
explorer = worlds.opened['street']
car = max((i for i in explorer.editor.objects if i // 1000 == 6), key=lambda i: explorer.editor._areas[i])
explorer.select(instance=car)
explorer.choose(3)
explorer._worker.wait()
"""
PICTURE = 'canvas.picture[data-version]'
SHOTS = [ # app, what is on the page once it runs, what is done first, height of the page
    ('explorer', PICTURE, STYLES, 800), ('studio', PICTURE, EDITS, 860), ('preference', '.p2p-study', '', 720)]


def take(browser, voila, name, wait_for, setup, height, scheme='light'):
    "A screenshot of an app after some edits, as a palette PNG."
    with opened(browser, voila, f'{name}.ipynb', wait_for=wait_for, color_scheme=scheme, viewport=dict(width=1300, height=height)) as app:
        app.kernel('0', setup)
        if name == 'preference': app.page.locator('.p2p-go').first.click()
        app.page.wait_for_timeout(3000)
        picture = Image.open(io.BytesIO(app.page.screenshot())).convert('RGB')
    return picture.quantize(256, dither=Image.Dither.NONE)


def take_page(browser, name, width, height, scheme='light', **options):
    "A screenshot of the studio in a browser alone, of web/dist, after an object has another style."
    with server() as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        context = browser.new_context(viewport=dict(width=width, height=height), color_scheme=scheme, service_workers='block', **options)
        page = context.new_page()
        page.goto(f'http://127.0.0.1:{site.server_port}/')
        page.wait_for_selector('body[data-generated]', timeout=60_000)
        page.select_option('#object', page.evaluate("[...document.querySelectorAll('#object option')].map(o => o.value).find(id => id >= 2000 && id < 3000)")) # a building
        page.wait_for_timeout(3000)
        page.click('#styles button:nth-child(4)')
        page.wait_for_timeout(15_000) # the ten thumbnails come one by one
        picture = Image.open(io.BytesIO(page.screenshot())).convert('RGB')
        context.close()
        site.shutdown()
    return picture.quantize(256, dither=Image.Dither.NONE)


def page_pictures(browser, folder=ROOT/'nbs/images'):
    take_page(browser, 'desktop', 1200, 840).save(folder/'browser_alone.png', optimize=True)
    take_page(browser, 'phone', 390, 844, 'dark', has_touch=True).save(folder/'browser_alone_phone.png', optimize=True)


def main(folder=ROOT/'nbs/images', schemes=('light',)):
    with launched() as browser, served(threads=1) as voila:
        if (ROOT/'web/dist').is_dir(): page_pictures(browser, Path(folder)) # built by `make web`
        for scheme in schemes:
            for name, *how in SHOTS:
                path = Path(folder)/(f'{name}.png' if scheme == 'light' else f'{name}_{scheme}.png')
                take(browser, voila, name, *how, scheme).save(path, optimize=True)
                print(f'wrote {path.name}, {path.stat().st_size // 1000} kB')


if __name__ == '__main__': main(*([Path(sys.argv[1]), ('light', 'dark')] if len(sys.argv) > 1 else []))
