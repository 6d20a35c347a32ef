"What the repository promises about itself: the library is what the notebooks say, and both are tidy."
import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns
import pytest
import torch
import yaml
from build_readme import readme_files
from clean_notebooks import cleaned, notebooks
from execnb.nbio import read_nb
from safetensors.torch import load_file

ROOT = Path(__file__).parents[1]
MAX_BYTES = 1_000_000
HOME_PATH = re.compile(r'(/home/|/Users/|/root/|[A-Z]:\\+Users\\+)')
by_notebook = pytest.mark.parametrize('path', notebooks(), ids=lambda path: path.relative_to(ROOT/'nbs').as_posix())


def python_files(folder):
    "The text of each Python file under `folder`, by relative path."
    return {path.relative_to(folder).as_posix(): path.read_text(encoding='utf-8') for path in folder.rglob('*.py')}


def test_modules_equal_their_notebooks(tmp_path):
    (tmp_path/'settings.ini').write_bytes((ROOT/'settings.ini').read_bytes())
    copytree(ROOT/'nbs', tmp_path/'nbs', ignore=ignore_patterns('.*'))
    env = {name: value for name, value in os.environ.items() if name != 'IN_TEST'}
    subprocess.run([Path(sys.executable).with_name('nbdev_export')], cwd=tmp_path, env=env, check=True)
    committed, exported = python_files(ROOT/'pix2pixhd_nb'), python_files(tmp_path/'pix2pixhd_nb')
    differing = sorted(name for name in committed | exported if committed.get(name) != exported.get(name) and not name.endswith('__init__.py'))
    assert not differing, f'pix2pixhd_nb/{differing[0]} is not what its notebook exports: run `make export`. All: {differing}'


@pytest.mark.parametrize('folder', sorted(p.parent for p in (ROOT/'pix2pixhd_nb/pretrained').glob('*/pipeline.json')), ids=lambda p: p.name)
def test_a_shipped_model_is_small(folder):
    "In 16 bits, at most 16 MB with its discriminators, and the card says how many."
    files = list(folder.glob('*.safetensors'))
    assert sum(f.stat().st_size for f in files) <= 16e6
    for file in files:
        kinds = {t.dtype for t in load_file(file).values() if t.ndim > 1 and t.is_floating_point()}
        assert kinds == {torch.float16}, f'{file.name} has {kinds}'
    weights = next(f.stat().st_size for f in files if f.name.startswith('weights'))
    assert f'{weights / 1e6:.1f} MB' in (folder/'README.md').read_text(encoding='utf-8')


@by_notebook
def test_notebook_is_clean(path):
    assert cleaned(path) == path.read_text(encoding='utf-8'), f'{path.name} has metadata or counts to clean: run `make clean`.'


@by_notebook
def test_notebook_is_small(path):
    assert path.stat().st_size < MAX_BYTES, f'{path.name} has {path.stat().st_size:,} bytes of {MAX_BYTES:,}: show smaller pictures.'


@by_notebook
def test_notebook_shows_no_home_folder(path):
    outputs = [str(output) for cell in read_nb(path).cells for output in cell.get('outputs', [])]
    found = [match[0] for match in map(HOME_PATH.search, outputs) if match]
    assert not found, f'{path.name} prints a path under {found[0]}: print the name of the file alone.'


def runs_beside_its_imports(cell):
    "Whether a cell imports something and also does something: the site's build runs each cell that imports."
    if cell.cell_type != 'code' or cell.source.lstrip().startswith(('%', '!', '#| export', '#| eval: false')): return False
    tree = ast.parse(cell.source)
    imports = any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(tree))
    return imports and not all(isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)) for node in tree.body)


@by_notebook
def test_imports_stand_alone(path):
    mixed = [cell.source for cell in read_nb(path).cells if runs_beside_its_imports(cell)]
    assert not mixed, f'{path.name} mixes imports with other code, which breaks `make docs`: give them a cell of their own.\n{mixed[0]}'


def test_sidebar_lists_every_notebook():
    contents = yaml.safe_load((ROOT/'nbs/sidebar.yml').read_text())['website']['sidebar']['contents']
    pages = re.findall(r"[\w./]+\.ipynb", str(contents))
    differing = set(pages) ^ {path.relative_to(ROOT/'nbs').as_posix() for path in notebooks()}
    assert not differing, f'nbs/sidebar.yml and the notebooks differ in {sorted(differing)}: edit nbs/sidebar.yml.'


def test_next_is_the_next_page_of_the_sidebar():
    "A reader who follows the last line of a page meets the pages in the order of the sidebar; the book leads on to the reader's own data, that to the apps."
    contents = yaml.safe_load((ROOT/'nbs/sidebar.yml').read_text())['website']['sidebar']['contents']
    pages = [page for section in contents for page in section.get('contents', []) if '/pages/' not in page]
    wrong = []
    for page, after in zip(pages, pages[1:]):
        prose = '\n'.join(''.join(c['source']) for c in read_nb(ROOT/'nbs'/page).cells if c.cell_type == 'markdown')
        for link in re.findall(r'^Next:.*?\]\(([^)#]+)', prose, re.MULTILINE):
            if (ROOT/'nbs'/page).parent.joinpath(link).resolve() != (ROOT/'nbs'/after).resolve(): wrong.append(f'{page} leads to {link}, the sidebar to {after}')
    assert not wrong, wrong


def test_readme_equals_its_notebook():
    differing = [name for name, content in readme_files().items()
                 if not (ROOT/name).exists() or (ROOT/name).read_bytes() != content]
    assert not differing, f'{differing} differ from what nbs/index.ipynb makes: run `make readme`.'


def test_ruff():
    subprocess.run([sys.executable, '-m', 'ruff', 'check', '--no-cache', ROOT], check=True)
