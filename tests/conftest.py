"What the tests share."
import os
import re
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


# Seconds on one idle core, of what takes longest: files of tests, and pages of the book. What is not listed comes after them, in its own order.
SECONDS = {
    'test_never_losing_work.py': 300, 'test_tables.py': 200, 'test_web.py': 160, 'test_distributed.py': 150, 'test_browser.py': 140, 'test_rehearsal.py': 120, 'test_site.py': 100,
    'test_export.py': 100, 'test_readme.py': 90, 'test_image_to_image.py': 60, 'your_data/12_image_to_image': 50, 'test_commands.py': 90, 'your_data/09_high_resolution': 100, 'engine/13_cost': 70, 'your_data/01_first_model': 75, 'book/10_coarse_to_fine': 95,
    'book/01_pix2pix': 85, 'evaluation/07_a_full_evaluation': 80, 'engine/19_several_gpus': 50, 'your_data/08_choosing_the_epoch': 65, 'book/12_styles': 60, 'book/11_instance_features': 60,
    'book/16_what_came_after': 50, 'book/13_editing': 50, 'apps/02_explorer': 45, 'your_data/10_saved_models': 45, 'evaluation/06_reports': 40,
    'book/15_the_papers_tables': 40, 'your_data/07_watching_a_training': 35, 'your_data/05_real_photos': 35, 'evaluation/02_distances': 35, 'book/14_does_it_work': 30}


def unit_of(name): # of a test, as pytest names it
    "What runs in one process without a break: a file of tests, or a page of the book."
    file, _, test = name.partition('::')
    page = re.search(r'\[(.+)\.ipynb\]', test) if file.endswith('test_notebooks.py') else None
    return page[1] if page else Path(file).name


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    "The longest first, so that all processes end together."
    items.sort(key=lambda item: -SECONDS.get(unit_of(item.nodeid), 0))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    "The tests of a file stay in one process, since they share what its fixtures make."
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid): return unit_of(nodeid)
    return Units(config, log)


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
