"The quick path that `make test-latest` runs with the newest fastai also works here."
import subprocess
import sys
from pathlib import Path


def test_quick_path(tmp_path):
    subprocess.run([sys.executable, Path(__file__).with_name('quick_path.py')], cwd=tmp_path, check=True)
