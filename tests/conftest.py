"What the tests share."
import os
import shutil
import tempfile
from pathlib import Path
import pytest
from browser import NoBrowser, launched, served


def pytest_configure(config):
    "Names the folder of real scenes, and keeps what libraries cache (fonts, settings, histories) out of your home folder."
    if hasattr(config, 'workerinput'): return  # the test processes inherit both
    os.environ.setdefault('PIX2PIXHD_DATA', str(Path(__file__).parents[2]/'shared/data'))
    os.environ['HOME'] = tempfile.mkdtemp(prefix='pix2pixhd_nb-home-')
    config.add_cleanup(lambda: shutil.rmtree(os.environ['HOME'], ignore_errors=True))


def pytest_collection_modifyitems(items):
    "Marks the tests that ask for a browser."
    for item in items:
        if 'browser' in item.fixturenames: item.add_marker('browser')


@pytest.fixture(scope='module')
def browser():
    "A browser. Where none can be had its tests are skipped; where $CI is set they fail."
    context = launched()
    try: yield context.__enter__()
    except NoBrowser as e: (pytest.fail if os.environ.get('CI') else pytest.skip)(str(e))
    context.__exit__(None, None, None)


@pytest.fixture(scope='module')
def voila(browser):
    "Voila, serving nbs/apps/pages."
    with served() as voila: yield voila


@pytest.fixture(scope='session')
def shared_data():
    "The folder of real scenes, which are optional: $PIX2PIXHD_DATA, or shared/data beside the repository."
    folder = Path(os.environ['PIX2PIXHD_DATA'])
    if not folder.is_dir(): pytest.skip(f'no real scenes: {folder} is not there; set PIX2PIXHD_DATA to the folder that holds them')
    return folder
