"""From a hand's click to the newly generated 512x256 picture, measured inside the browser: .venv/bin/python benchmarks/latency.py

The page notes when the pointer went up and when the canvas got its next picture; both times are the browser's own. Explorer: another
style for the largest car, chosen by its thumbnail. Studio: a stroke of pavement on the label map, until the generated image follows."""
import argparse
import json
import os
import platform
import sys
from pathlib import Path
import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/'tests'))
from browser import Canvas, launched, opened, served

WATCH = """number => {
  window.ups = []; window.shows = [];
  document.addEventListener('pointerup', () => window.ups.push(performance.now()), true);
  const canvas = document.querySelectorAll('.p2p-picture')[number], seen = changes => changes.some(c => c.oldValue !== canvas.dataset.version) && window.shows.push(performance.now());
  new MutationObserver(seen).observe(canvas, {attributeFilter: ['data-version'], attributeOldValue: true});
}"""


def settled(app, worker):
    "Everything is generated, and the page has been quiet for a moment."
    app.kernel(f'{worker}.wait(60)')
    app.page.wait_for_timeout(300)


def milliseconds(app, number, worker, acts):
    "The time from the pointer's release to the next picture on canvas `number`, for each act."
    app.page.evaluate(WATCH, number)
    times = []
    for act in acts:
        settled(app, worker)
        app.page.evaluate('() => { ups = []; shows = []; }')
        act()
        assert app.until(lambda: app.page.evaluate('shows.length')), 'no picture came'
        times.append(app.page.evaluate('shows[0] - ups[0]'))
    return times


def explorer(app, n):
    "Styles chosen by their thumbnails, none of them seen before."
    app.kernel('0', 'app = place.children[0]; app.select(instance=max((i for i in app.editor.objects if i // 1000 == 6), key=lambda i: app.editor._areas[i]))')
    app.page.wait_for_selector('.p2p-choice >> nth=9')
    times = []
    for k in range(n):
        app.kernel('0', f'app.shuffle({k})')
        settled(app, 'app._painter')
        times += milliseconds(app, 0, 'app._painter', [app.page.locator('.p2p-choice[aria-checked=false]').nth(k % 9).click])
    return times


def studio(app, n):
    "Strokes on the label map."
    app.kernel('0', "app = studio; app.take('paint', 'pavement')")
    canvas = Canvas(app, '.p2p-picture')
    return milliseconds(app, 1, 'app._painter', [lambda k=k: canvas.drag([(40 + 18 * k, 190), (90 + 16 * k, 235)], steps=3) for k in range(n)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--n', type=int, default=21, help='how often each is done')
    parser.add_argument('--out', type=Path, default=ROOT/'benchmarks/results/latency.json', help='JSON file for the figures')
    args = parser.parse_args()
    figures = dict(machine=f'{platform.machine()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}', torch=torch.__version__, n=args.n)
    with launched() as browser, served() as voila:
        for name, measure in (('explorer', explorer), ('studio', studio)):
            with opened(browser, voila, f'{name}.ipynb', '.p2p-picture', viewport=dict(width=1280, height=1000)) as app: times = measure(app, args.n)
            figures[name] = dict(zip(('median', 'least', 'most'), np.round([np.median(times), min(times), max(times)]).tolist()))
            print(f"{name}: {figures[name]['median']:.0f} ms in the median, {figures[name]['least']:.0f} to {figures[name]['most']:.0f}")
    args.out.write_text(json.dumps(figures, indent=1))


if __name__ == '__main__': main()
