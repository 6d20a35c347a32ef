"""Pictures of the widgets for the site, taken in a browser from the apps: .venv/bin/python tools/screenshots.py"""
import io
import sys
from pathlib import Path
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/'tests'))
from browser import launched, opened, served

EDITS = """
car = max((i for i in studio.editor.objects if i // 1000 == LABEL_SPACE.id('car')), key=lambda i: studio.editor._areas[i])
studio.take('paint', 'pavement'); studio.paint([(150, 214), (360, 214)], brush=24)
for x in (235, 262): studio.add(x, 216, 'person')
rows, cols, mask = studio.editor.mask_of(car)
y, x = rows.start + mask.shape[0] // 2, cols.start + mask.shape[1] // 2
studio.take('select'); studio.select(x, y); studio.restyle(k=4)
studio._drawer.wait()
"""
STYLES = """
app = place.children[0]
car = max((i for i in app.editor.objects if i // 1000 == 6), key=lambda i: app.editor._areas[i])
app.select(instance=car); app.choose(3); app._painter.wait()
"""
SHOTS = [ # app, what is on the page once it runs, what is done first, height of the page
    ('explorer', '.p2p-picture', STYLES, 860), ('studio', '.p2p-picture', EDITS, 660), ('preference', '.p2p-study', '', 640)]


def take(browser, voila, name, wait_for, setup, height, scheme='light'):
    "A screenshot of an app after some edits, as a palette PNG."
    with opened(browser, voila, f'{name}.ipynb', wait_for=wait_for, color_scheme=scheme, viewport=dict(width=1100, height=height)) as app:
        app.kernel('0', setup)
        if name == 'preference': app.page.locator('.p2p-go').first.click()
        app.page.wait_for_timeout(3000)
        picture = Image.open(io.BytesIO(app.page.screenshot())).convert('RGB')
    return picture.quantize(256, dither=Image.Dither.NONE)


def main(folder=ROOT/'nbs/images', schemes=('light',)):
    with launched() as browser, served(threads=1) as voila:
        for scheme in schemes:
            for name, *how in SHOTS:
                path = Path(folder)/(f'{name}.png' if scheme == 'light' else f'{name}_{scheme}.png')
                take(browser, voila, name, *how, scheme).save(path, optimize=True)
                print(f'wrote {path.name}, {path.stat().st_size // 1000} kB')


if __name__ == '__main__': main(*([Path(sys.argv[1]), ('light', 'dark')] if len(sys.argv) > 1 else []))
