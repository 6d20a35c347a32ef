"What the tests share."
import os
import shutil
import tempfile
from pathlib import Path
import pytest

SHARED = Path(__file__).parents[2]/'shared/data'


def pytest_configure(config):
    "Keeps what libraries cache (fonts, settings, histories) out of the home folder of whoever runs the tests."
    if hasattr(config, 'workerinput'): return  # a second test process gets the first one's
    os.environ['HOME'] = tempfile.mkdtemp(prefix='pix2pixhd_nb-home-')
    config.add_cleanup(lambda: shutil.rmtree(os.environ['HOME'], ignore_errors=True))


@pytest.fixture(scope='session')
def shared_data():
    "The folder of real scenes, which are optional: $PIX2PIXHD_DATA, or shared/data beside the repository."
    folder = Path(os.environ.get('PIX2PIXHD_DATA', SHARED))
    if not folder.is_dir(): pytest.skip(f'no real scenes: set PIX2PIXHD_DATA to their folder ({folder} is not there)')
    return folder
