"""Build the page: `python web/build.py` writes web/dist, a folder that any web server can give out.

Exports the models of WORLDS to ONNX, takes onnxruntime-web from npm, copies src and what it shares with the notebook apps, and lists all files for use without a network."""
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from worlds import WORLDS, fingerprint, write_world

SHARED = ['icons.js', 'stage.js', 'studio.css'] # one source for this page and for the notebook apps
RUNTIME = ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'] # WASM with SIMD and threads
RUNTIME_GPU = ['ort.webgpu.min.mjs', 'ort-wasm-simd-threaded.asyncify.mjs', 'ort-wasm-simd-threaded.asyncify.wasm'] # WebGPU


def runtime():
    "The folder of onnxruntime-web, fetched by npm where it is missing."
    folder = HERE / 'node_modules/onnxruntime-web/dist'
    if folder.is_dir(): return folder
    npm = shutil.which('npm')
    if not npm: raise SystemExit('npm is missing, and the page needs onnxruntime-web from it: install Node.js 20 or later, which brings npm.')
    done = subprocess.run([npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], cwd=HERE, capture_output=True, text=True)
    if done.returncode: raise SystemExit(f'`npm ci` in {HERE.name} stopped: {(done.stderr or done.stdout).strip().splitlines()[-1]}')
    return folder


def build(out=HERE / 'dist'):
    "Write the page; worlds whose model and export have not changed are taken from web/build."
    ort, cache = runtime(), HERE / 'build'
    for name in WORLDS:
        mark = cache / name / 'fingerprint'
        if not mark.is_file() or mark.read_text() != fingerprint(name):
            print(f'Exporting the model of world {name}: about half a minute.', flush=True)
            shutil.rmtree(cache / name, ignore_errors=True)
            write_world(name, cache / name)
            mark.write_text(fingerprint(name))
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(HERE / 'src', out)
    for file in SHARED: shutil.copy(HERE.parent / 'pix2pixhd_nb/apps/static' / file, out / file)
    for name in WORLDS: shutil.copytree(cache / name, out / 'worlds' / name, ignore=shutil.ignore_patterns('fingerprint'))
    (out / 'ort').mkdir()
    for file in RUNTIME + RUNTIME_GPU: shutil.copy(ort / file, out / 'ort' / file)
    (out / 'worlds.json').write_text(json.dumps({name: world.title for name, world in WORLDS.items()}))
    files = sorted(f.relative_to(out).as_posix() for f in out.rglob('*') if f.is_file() and f.name not in ('sw.js', *RUNTIME_GPU))
    version = hashlib.sha256(b''.join((out / f).read_bytes() for f in files)).hexdigest()[:12]
    worker = (out / 'sw.js').read_text()
    (out / 'sw.js').write_text(f'const VERSION = {version!r}, FILES = {json.dumps(files)}\n{worker}')
    size = sum((out / f).stat().st_size for f in files)
    print(f'{out}: {len(files)} files, {size / 1e6:.1f} MB (WebGPU: {sum((out / "ort" / f).stat().st_size for f in RUNTIME_GPU) / 1e6:.0f} MB more, fetched only where there is one). Look at it with `python web/serve.py`.')


if __name__ == '__main__': build()
