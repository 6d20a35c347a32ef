"""A browser and Voila for whoever needs them here: found or installed, started, driven and ended.

`served` starts Voila on a folder of apps, `launched` a browser, `App` is one opened page with its kernel, `Canvas` a picture on it."""
import base64
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
import numpy as np
import psutil
from jupyter_client import BlockingKernelClient

os.environ.setdefault('PLAYWRIGHT_BROWSERS_PATH', '0') # a browser that playwright fetches lies within its package, not in the home folder
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
APPS = ROOT/'nbs/apps/pages'
NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-extensions', '--force-color-profile=srgb']
INSTALL_MINUTES, START_SECONDS, OPEN_SECONDS = 10, 60, 120


class NoBrowser(Exception):
    "No browser could be found or installed; says what was tried."


def found():
    "The path of a Chromium: one of the system's, else playwright's own, else None."
    if path := next(filter(None, map(shutil.which, NAMES)), None): return path
    with sync_playwright() as p: own = Path(p.chromium.executable_path)
    return str(own) if own.exists() else None


def ways_to_install():
    "Lists of commands: Debian's chromium where apt-get and the rights for it are at hand, then playwright's own."
    apt = ['apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=300']
    if shutil.which('apt-get') and os.geteuid() == 0:
        yield [*apt, 'update'], [*apt, 'install', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core']
    yield [sys.executable, '-m', 'playwright', 'install', 'chromium'],


def problem(commands):
    "Run commands in turn; what stopped one, in a line, or None."
    for command in commands:
        try: subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60 * INSTALL_MINUTES,
                            env=os.environ | {'DEBIAN_FRONTEND': 'noninteractive'})
        except (OSError, subprocess.SubprocessError) as e:
            said = [line for line in (getattr(e, 'stderr', None) or '').splitlines() if line.startswith('E: ') or 'Error' in line]
            return f'`{" ".join(command)}` stopped: {said[-1] if said else e}'


def chromium():
    "The path of a Chromium, installed if need be."
    problems = []
    if path := found(): return path
    for commands in ways_to_install():
        problems.append(problem(commands))
        if path := found(): return path
    raise NoBrowser(f'no {", ".join(NAMES)} here, and none could be installed: {"; ".join(p or "installed, but not found" for p in problems)}')


@contextmanager
def launched():
    "A browser without a window, with an empty profile, that asks nothing of the network by itself."
    path = chromium()
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=FLAGS)
        try: yield browser
        finally: browser.close()


def free_port():
    "A port of this machine that nobody listens on."
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def answers(url):
    "Whether a server is up at `url`."
    try: return urllib.request.urlopen(url, timeout=5).status == 200
    except (OSError, urllib.error.URLError): return False


def end(process):
    "End a process and all that it started, its kernels too."
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
    if family: process.terminate()
    _, left = psutil.wait_procs(family, timeout=10)
    for p in left: p.kill()
    process.wait()


class Voila:
    "Where the apps are served, and what it takes to reach their kernels."
    def __init__(self, url, runtime): self.url, self.runtime = url, runtime


@contextmanager
def served(folder=APPS, threads=None, warm=False):
    "Voila on a folder of notebooks, on a free port of this machine; `threads` limits those of its kernels, `warm` keeps one of each app ready."
    with tempfile.TemporaryDirectory(prefix='pix2pixhd_nb-voila-') as tmp:
        url, log = f'http://127.0.0.1:{free_port()}', Path(tmp)/'log'
        env = os.environ | {'JUPYTER_PATH': str(APPS), 'PYTHONPATH': str(ROOT)}
        if threads: env['OMP_NUM_THREADS'] = str(threads)
        command = [sys.executable, '-m', 'voila', str(folder), '--no-browser', '--Voila.ip=127.0.0.1',
                   f'--port={urlsplit(url).port}', '--Voila.port_retries=0', f'--Voila.connection_dir_root={tmp}', '--show_tracebacks=True',
                   f'--preheat_kernel={warm}']
        with log.open('w') as out:
            process = subprocess.Popen(command, cwd=APPS, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        try:
            until = time.monotonic() + START_SECONDS
            while not answers(url):
                if process.poll() is not None or time.monotonic() > until: raise RuntimeError(f'Voila did not start:\n{log.read_text()[-3000:]}')
                time.sleep(0.2)
            yield Voila(url, Path(tmp))
        finally: end(process)


class Kernel:
    "The kernel behind a page, asked through a connection of our own."
    def __init__(self, connection):
        self.client = BlockingKernelClient(connection_file=str(connection))
        self.client.load_connection_file()
        self.client.start_channels()

    def __call__(self, expression, setup=''):
        "The value of an expression in the app's kernel, after running `setup` there."
        packed = f"__import__('base64').b64encode(__import__('pickle').dumps(({expression}))).decode()"
        reply = self.client.execute(setup, user_expressions={'value': packed}, store_history=False, reply=True, timeout=60)['content']
        value = reply['user_expressions']['value'] if reply['status'] == 'ok' else reply
        if value['status'] != 'ok': raise RuntimeError(f"{expression}: {value['ename']}: {value['evalue']}")
        return pickle.loads(base64.b64decode(value['data']['text/plain'].strip("'\"")))

    def close(self): self.client.stop_channels()


class App:
    "A notebook opened in a browser; `outside` lists what the page asked of other machines (it gets nothing), `errors` what went wrong on it."
    def __init__(self, browser, voila, notebook, wait_for, **options): # a selector of what the app shows once it runs; of the browser's page
        self.context = browser.new_context(**({'viewport': {'width': 1280, 'height': 900}} | options))
        self.outside, self.errors = [], []
        self.context.route(lambda url: urlsplit(url).hostname not in ('127.0.0.1', None), self._refuse)
        self.page = self.context.new_page()
        self.page.on('pageerror', lambda e: self.errors.append(str(e)))
        self.page.goto(f'{voila.url}/voila/render/{notebook}', wait_until='commit', timeout=1000 * OPEN_SECONDS)
        self.page.wait_for_selector(wait_for, timeout=1000 * OPEN_SECONDS)
        kernel = json.loads(self.page.text_content('#jupyter-config-data'))['kernelId']
        self.kernel = Kernel(next(voila.runtime.rglob(f'kernel-{kernel}.json')))

    def _refuse(self, route):
        self.outside.append(route.request.url)
        route.abort()

    def until(self, condition, seconds=20):
        "Wait until `condition()` is true; whether that came within some seconds."
        end_at = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end_at: return False
            self.page.wait_for_timeout(10)
        return True

    def close(self):
        self.kernel.close()
        self.context.close()


@contextmanager
def opened(browser, voila, notebook, wait_for, **options):
    "An `App`, closed at the end."
    app = App(browser, voila, notebook, wait_for, **options)
    try: yield app
    finally: app.close()


class Canvas:
    "A canvas on a page: its pixels, and a mouse that is told picture pixels."
    def __init__(self, app, selector, number=0): # the canvas of that number among those of the selector
        self.page, self.element = app.page, app.page.locator(selector).nth(number)

    @property
    def rgba(self):
        "What the canvas holds, (H, W, 4) uint8."
        width, height, data = self.element.evaluate("""c => {
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            let s = ''; for (let i = 0; i < d.length; i += 8192) s += String.fromCharCode(...d.subarray(i, i + 8192));
            return [c.width, c.height, btoa(s)] }""")
        return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)

    @property
    def pixels(self): return self.rgba[..., :3] # (H, W, 3) uint8

    def client(self, x, y):
        "Where on the page the centre of a picture pixel is, scrolled into sight if need be."
        return self.element.evaluate("""(c, [x, y]) => {
            const place = () => { const r = c.getBoundingClientRect();
                return [r.left + (x + 0.5) * r.width / c.width, r.top + (y + 0.5) * r.height / c.height] };
            for (let e = c.parentElement; e; e = e.parentElement) {
                const r = e.getBoundingClientRect(), [left, top] = place();
                if (left < r.left || left > r.left + e.clientWidth) e.scrollLeft += left - r.left - e.clientWidth / 2;
                if (top < r.top || top > r.top + e.clientHeight) e.scrollTop += top - r.top - e.clientHeight / 2;
            }
            return place() }""", [x, y])

    def click(self, x, y, **options): self.page.mouse.click(*self.client(x, y), **options)

    def drag(self, points, steps=1):
        "Press at the first point, go through the others with `steps` reports each, release at the last."
        self.page.mouse.move(*self.client(*points[0]))
        self.page.mouse.down()
        for point in points[1:]: self.page.mouse.move(*self.client(*point), steps=steps)
        self.page.mouse.up()
