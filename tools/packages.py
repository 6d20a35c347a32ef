"""Writes the `__init__.py` of every package: the public names of its modules, each imported when it is asked for."""
import ast
from pathlib import Path
from pix2pixhd_nb._house import EVERYDAY, FLOORS, PACKAGES

LIBRARY = Path(__file__).parents[1]/'pix2pixhd_nb'
ROOT = 'pix2pixHD as a book you can run: label maps to photos'


def public_names(path):
    "The `__all__` of a module, read from its text."
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == '__all__': return ast.literal_eval(node.value)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)): break
    return []


def tables(library=LIBRARY):
    "For every package its modules, and of each the public names that do not hide a module."
    out = {package: {} for package in PACKAGES}
    for module in (m for floor in FLOORS for m in floor if '.' in m):
        package, name = module.split('.')
        out[package][name] = public_names(library/package/f'{name}.py')
    for package, modules in out.items():
        for name, names in modules.items(): modules[name] = [n for n in names if n not in modules]
    return out


def written(package, doc, modules, version=None):
    "The text of an `__init__.py`."
    rows = ''.join(f'    {name!r}: {names!r},\n' for name, names in modules.items() if names)
    return (f'"{doc}"\n' + (f'__version__ = "{version}"\n' if version else '') + 'from pix2pixhd_nb._house import lazy\n\n'
            f'__all__, __getattr__, __dir__ = lazy(__name__, {{\n{rows}}})\n')


def packages(library=LIBRARY):
    "The text of each `__init__.py`, by path within the library."
    from configparser import ConfigParser
    config = ConfigParser(delimiters=['='])
    config.read(LIBRARY.parent/'settings.ini', encoding='utf-8')
    out = {f'{package}/__init__.py': written(package, PACKAGES[package], modules) for package, modules in tables(library).items()}
    return out | {'__init__.py': written('', ROOT, EVERYDAY, config['DEFAULT']['version'])}


if __name__ == '__main__':
    for path, text in packages().items():
        if (LIBRARY/path).read_text(encoding='utf-8') != text: (LIBRARY/path).write_text(text, encoding='utf-8')
