"Every notebook runs from top to bottom, in a process and a folder of its own."
import subprocess
import sys
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
import pytest
from clean_notebooks import notebooks

ROOT = Path(__file__).parents[1]
MINUTES = 15
BESIDE = ['settings.ini', 'pix2pixhd_nb', 'tests', 'benchmarks']


@pytest.mark.parametrize('path', notebooks(), ids=lambda path: path.relative_to(ROOT/'nbs').as_posix())
def test_notebook_runs(path, tmp_path):
    for name in BESIDE: (tmp_path/name).symlink_to(ROOT/name)
    copytree(ROOT/'nbs', tmp_path/'nbs', ignore=ignore_patterns('*.ipynb', '.*'))
    notebook = tmp_path/path.relative_to(ROOT)
    copy(path, notebook)
    run = subprocess.run([Path(sys.executable).with_name('nbdev_test'), '--path', notebook], cwd=tmp_path,
                         timeout=MINUTES * 60, capture_output=True, text=True)
    assert run.returncode == 0, f'{path.name} stops:\n{run.stderr[-4000:]}'
