"""Runs the quick path as a user would: the built package with the newest fastai and fastcore that pip gives, in .venv-latest."""
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENV = ROOT/'.venv-latest'
PACKAGING = ['setup.py', 'settings.ini', 'README.md', 'LICENSE']


def main():
    python = ENV/'bin/python'
    if not python.exists(): venv.create(ENV, with_pip=True)
    pip = [python, '-m', 'pip', '--disable-pip-version-check']
    with tempfile.TemporaryDirectory() as tmp:
        source = Path(tmp)/'source'
        shutil.copytree(ROOT/'pix2pixhd_nb', source/'pix2pixhd_nb')
        for name in PACKAGING: shutil.copy(ROOT/name, source)
        subprocess.run([*pip, 'wheel', '-q', '--no-deps', '-w', tmp, source], check=True)
        wheel, = Path(tmp).glob('*.whl')
        subprocess.run([*pip, 'install', '-q', '--upgrade', '--upgrade-strategy', 'eager', f'{wheel}[widgets]'], check=True)
        subprocess.run([*pip, 'install', '-q', '--force-reinstall', '--no-deps', wheel], check=True)
        subprocess.run([python, ROOT/'tests/quick_path.py'], cwd=tmp, check=True)


if __name__ == '__main__':
    try: main()
    except subprocess.CalledProcessError as error: sys.exit(f'{" ".join(map(str, error.cmd))} stopped with code {error.returncode}')
