"A module imports only from lower floors, or from earlier modules of its own."
import ast
from pathlib import Path
import pytest
from pix2pixhd_nb._house import FLOORS, PACKAGES

LIBRARY = Path(__file__).parents[1]/'pix2pixhd_nb'
PLACES = {module: (floor, k) for floor, modules in enumerate(FLOORS) for k, module in enumerate(modules)}


def module_of(path): return '.'.join(path.relative_to(LIBRARY).with_suffix('').parts)


def imported(module, text):
    "The modules of the library that a module's text imports anywhere, as (line, name); a package's name stands for all of it."
    inside = ['pix2pixhd_nb', *module.split('.')[:-1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import): found = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join([*inside[:len(inside) + 1 - node.level], *filter(None, [node.module])]) if node.level else node.module
            found = [f'{base}.{a.name}' for a in node.names]
        else: continue
        for name in found:
            path = name.split('.')
            if path[0] == 'pix2pixhd_nb': yield node.lineno, '.'.join(path[1:])


def faults(module, text):
    "What a module imports that does not stand below it."
    for line, name in imported(module, text):
        if name in ('', '__version__', '_house') or name.startswith('_house.'): continue
        below = next((m for m in PLACES if name == m or name.startswith(f'{m}.')), None)
        if below is None: yield f'line {line}: {name}, a name of a package or of no floor: import it from its module'
        elif PLACES[below] >= PLACES[module]: yield f'line {line}: {below}, which stands higher or later'


FILES = sorted(path for path in LIBRARY.rglob('*.py') if path.name != '__init__.py' and not path.stem.startswith('_'))


def test_every_module_has_a_place():
    assert {module_of(path) for path in FILES} == set(PLACES)
    assert sum(map(len, FLOORS)) == len(PLACES)


def test_a_package_lies_on_one_floor():
    for package in PACKAGES: assert len({floor for module, (floor, _) in PLACES.items() if module.startswith(f'{package}.')}) == 1, package


@pytest.mark.parametrize('path', FILES, ids=module_of)
def test_imports_stand_below(path):
    module = module_of(path)
    found = list(faults(module, path.read_text(encoding='utf-8')))
    assert not found, f'{module} imports, {found}'


@pytest.mark.parametrize('module, text', [
    ('models.blocks', 'from pix2pixhd_nb.training.losses import GANLoss'), ('models.blocks', 'from ..training.losses import GANLoss'),
    ('models.blocks', 'from .generators import grow'), ('models.blocks', 'def f():\n    from .blocks import stem'),
    ('models.blocks', 'from ..data import open_dataset'), ('models.blocks', 'import pix2pixhd_nb.apps.canvas'), ('core', 'from .models import blocks')])
def test_what_stands_higher_is_found(module, text): assert list(faults(module, text))


@pytest.mark.parametrize('module, text', [
    ('models.generators', 'from .blocks import stem'), ('training.step', 'from ..models.blocks import stem'), ('evaluation.report', 'from . import scores'),
    ('core', 'import numpy as np'), ('models.blocks', 'from ..core import one_hot')])
def test_what_stands_below_is_allowed(module, text): assert not list(faults(module, text))
