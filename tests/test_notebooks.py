"Every notebook runs from top to bottom, in a process and a folder of its own, and says again what it says on its page."
import os
import warnings
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
import pytest
from clean_notebooks import notebooks
from execnb.nbio import dict2nb, read_nb, write_nb
from notebook_process import warm
from stored_outputs import DIFFERS, differences

ROOT = Path(__file__).parents[1]
MINUTES = 15
BESIDE = ['settings.ini', 'pix2pixhd_nb', 'tests', 'benchmarks']


@pytest.fixture(scope='session')
def process():
    "The process from which those of the notebooks are forked."
    with warm() as process: yield process


@pytest.mark.parametrize('path', notebooks(), ids=lambda path: path.relative_to(ROOT/'nbs').as_posix())
def test_notebook_runs(path, tmp_path, process):
    for name in BESIDE: (tmp_path/name).symlink_to(ROOT/name)
    copytree(ROOT/'nbs', tmp_path/'nbs', ignore=ignore_patterns('*.ipynb', '.*'))
    notebook, written = tmp_path/path.relative_to(ROOT), tmp_path/'written.txt'
    copy(path, notebook)
    code = process.run(notebook, tmp_path, written, MINUTES)
    assert code is not None, f'{path.name} ran for more than {MINUTES} minutes'
    assert code == 0, f'{path.name} stops:\n{written.read_text(errors="replace")[-4000:]}'
    changed = differences(read_nb(path), read_nb(notebook), tmp_path)
    if not changed: return
    told = '\n\n'.join(f'cell {i}\n--- stored\n{stored}\n--- now\n{new}' for i, stored, new in changed)
    page = path.relative_to(ROOT/'nbs').with_suffix('')
    said = f'{page} no longer gives its stored text; is it what you want? `make run NB={page}` stores it.\n\n{told}'
    assert not os.environ.get('PIX2PIXHD_STORED'), said
    warnings.warn(said) # another processor, or another number of threads, trains to other figures


def page_of(source, *outputs):
    "A page of one cell."
    return dict2nb(dict(cells=[dict(cell_type='code', id='here', source=source, outputs=list(outputs))]))

def printed(text): return dict(output_type='stream', name='stdout', text=text.splitlines(True))
def shown(text): return dict(output_type='execute_result', data={'text/plain': [text]})


@pytest.mark.parametrize('stored, new', [
    ('mean IoU 0.62', 'mean IoU 0.72'), ('3 discriminators', '2 discriminators'), ('car 0.97', 'bus 0.97'), ('two lines\nof text', 'two lines'), ('torch 2.15.0', 'torch 2.14.1'),
    ('off by 2e-07', 'off by 0.2'), ('128x64', '64x32'), ('', 'a warning'), ('(1, 3, 64)', '(1, 3, 32)'), ('-0.5', '0.5')])
def test_a_changed_text_is_told(stored, new):
    if stored: assert [i for i, *_ in differences(page_of('f()', shown(stored)), page_of('f()', shown(new)))] == ['here']
    assert differences(page_of('f()', printed(stored)), page_of('f()', printed(new))) == [('here', stored, new)]
    assert not differences(page_of(f'{DIFFERS}\nf()', printed(stored)), page_of('f()', printed(new)))


@pytest.mark.parametrize('stored, new', [
    ('took 3.2 s', 'took 41.7 s'), ('85.7 ms, 1.17 times as fast', '91 ms, 1.02 times as fast'), ('said 2.09 GB', 'said 1.98 GB'), ('12 scenes/s', '7 scenes/s'), ('off by 9.3e-07', 'off by 1.2e-06'),
    ('<f at 0x7f001234abcd>', '<f at 0x55d01234abcd>'), ('/tmp/tmpab12cd34/model/a.png', 'model/a.png'), ('loss 1.11421', 'loss 1.11425'), ('0.62', '0.63'), ('a   1\nb  22', 'a  1\nb 22')])
def test_what_differs_from_run_to_run_is_not(stored, new):
    for kind in (printed, shown): assert not differences(page_of('f()', kind(stored)), page_of('f()', kind(new)))


def test_a_page_that_stops_says_where(tmp_path, process):
    for name in BESIDE: (tmp_path/name).symlink_to(ROOT/name)
    (tmp_path/'nbs').mkdir()
    page, written = tmp_path/'nbs/page.ipynb', tmp_path/'written.txt'
    cell = lambda i, source: dict(cell_type='code', id=i, metadata={}, source=source, outputs=[], execution_count=None)
    write_nb(dict2nb(dict(cells=[cell('a', 'import os; print(os.getcwd())'), cell('b', '#| eval: false\n1 / 0')], metadata={}, nbformat=4, nbformat_minor=5)), page)
    assert process.run(page, tmp_path, written, 1) == 0 and read_nb(page).cells[0].outputs[0].text == [f'{tmp_path}/nbs\n']
    write_nb(dict2nb(dict(cells=[cell('a', 'x = 1 / 0')], metadata={}, nbformat=4, nbformat_minor=5)), page)
    assert process.run(page, tmp_path, written, 1) == 1 and 'ZeroDivisionError' in written.read_text()
    write_nb(dict2nb(dict(cells=[cell('a', 'import time; time.sleep(60)')], metadata={}, nbformat=4, nbformat_minor=5)), page)
    assert process.run(page, tmp_path, written, 0.02) is None
