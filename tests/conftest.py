"What the tests share."
import os
import shutil
import tempfile
from pathlib import Path
import pytest


def pytest_configure(config):
    "Names the folder of real scenes, and keeps what libraries cache (fonts, settings, histories) out of your home folder."
    if hasattr(config, 'workerinput'): return  # the test processes inherit both
    os.environ.setdefault('PIX2PIXHD_DATA', str(Path(__file__).parents[2]/'shared/data'))
    os.environ['HOME'] = tempfile.mkdtemp(prefix='pix2pixhd_nb-home-')
    config.add_cleanup(lambda: shutil.rmtree(os.environ['HOME'], ignore_errors=True))


@pytest.fixture(scope='session')
def shared_data():
    "The folder of real scenes, which are optional: $PIX2PIXHD_DATA, or shared/data beside the repository."
    folder = Path(os.environ['PIX2PIXHD_DATA'])
    if not folder.is_dir(): pytest.skip(f'no real scenes: {folder} is not there; set PIX2PIXHD_DATA to the folder that holds them')
    return folder
