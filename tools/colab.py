"""Makes a copy of every page that Google Colab can open and run, and the wheel that its first cell installs: python tools/colab.py [FOLDER]

The copies are published with the site, so that page and library are of one version: the badge of a page opens the copy on the site's branch, and
its first cell installs the wheel that lies beside the copies, and whatever else the page imports that the library alone does not bring."""
import ast
import json
import posixpath
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from nbdev.config import get_config

SITE_BRANCH, FOLDER = 'gh-pages', 'colab'
IMPORTED_AS = {'scikit-learn': 'sklearn', 'pillow': 'PIL'} # where that is not the package's own name
REQUIREMENT = re.compile(r'\S+')
PACKAGE = re.compile(r'[\w.-]+')
LINK = re.compile(r'(!?\[[^\]]*\]\(|<img\b[^>]*\bsrc="|<a\b[^>]*\bhref=")(?![a-z]+:|#|/)([^)"\s]+)')
NUMBER = re.compile(r'^\d+[a-z]*_')
WIDGETS = """import sys
if 'google.colab' in sys.modules:
    from google.colab import output
    output.enable_custom_widget_manager()"""


def site_url(): return get_config().doc_host + get_config().doc_baseurl


def badge_url(page):
    "Where Colab opens the copy of a page of nbs/, such as book/03_boundaries.ipynb."
    cfg = get_config()
    return f'https://colab.research.google.com/github/{cfg.user}/{cfg.repo}/blob/{SITE_BRANCH}/{FOLDER}/{page}'


def wheel_name():
    cfg = get_config()
    return f'{cfg.lib_name.replace("-", "_")}-{cfg.version}-py3-none-any.whl'


def requirements(text): return {PACKAGE.match(r)[0].lower(): r for r in REQUIREMENT.findall(text or '')}


def module_of(package): return IMPORTED_AS.get(package, package.replace('-', '_'))


def imports(nodes, package=''):
    "The full names of what statements import, `from a import b` also as a.b; in a module of `package`, whose relative imports are told from it."
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import): found |= {a.name for a in node.names}
        if not isinstance(node, ast.ImportFrom): continue
        above = package.split('.')[:len(package.split('.')) - node.level + 1] if node.level else []
        module = '.'.join([*above, *filter(None, [node.module])])
        found |= {module, *(f'{module}.{a.name}' for a in node.names)}
    return found


def home(name):
    "The file of a module of the library; for a name that a package passes on, that of the module which defines it; None for all else."
    lib = get_config().lib_path
    if not name.startswith(f'{lib.name}.'): return
    path = lib.parent/Path(*name.split('.')).with_suffix('.py')
    if path.is_file(): return path
    package, _, last = name.rpartition('.')
    return next((lib.parent/Path(*module.split('.')).with_suffix('.py') for module, names in index().items()
                 if module.startswith(package + '.') and f'{module}.{last}' in names), None)


@cache
def index(): return runpy.run_path(str(get_config().lib_path/'_modidx.py'))['d']['syms']


@cache
def brought(name):
    "What importing a name or a module of the library imports in its turn, at once."
    path = home(name)
    if path is None: return frozenset()
    package = '.'.join(path.relative_to(get_config().lib_path.parent).parent.parts)
    found = imports(ast.parse(path.read_text(encoding='utf-8')).body, package)
    return frozenset(found.union(*(brought(m) for m in found if home(m) not in (None, path))))


def imported_by(nb):
    "The top-level modules that a notebook needs, through the library too."
    found = set()
    for cell in nb['cells']:
        if cell['cell_type'] != 'code': continue
        try: tree = ast.parse(re.sub(r'^\s*[%!].*', '', ''.join(cell['source']), flags=re.M))
        except SyntaxError: continue
        found |= imports(ast.walk(tree))
    return {m.split('.')[0] for m in found.union(*map(brought, found))}


def extra_requirements(nb):
    "What a page needs that installing the library does not bring, as settings.ini writes it."
    cfg = get_config()
    have, needed = requirements(cfg.requirements), imported_by(nb)
    optional = [v for k, v in cfg.d.items() if k.endswith('_requirements')]
    return sorted({r for text in optional for package, r in requirements(text).items() if package not in have and module_of(package) in needed})


def install_cell(nb):
    "The source of the first cell."
    extra = extra_requirements(nb)
    what = ' '.join(f'"{r}"' for r in [f'{site_url()}/{FOLDER}/{wheel_name()}', *extra])
    lines = ['# Installs the library that this page is about, and what else the page needs', f'%pip install -q {what}']
    return '\n'.join([*lines, WIDGETS] if any(PACKAGE.match(r)[0] == 'anywidget' for r in extra) else lines)


def address(page, link):
    "A relative link of a page, written so that it leads there from anywhere."
    cfg = get_config()
    path, mark, place = link.partition('#')
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
    if target.endswith('.ipynb'):
        folder, name = posixpath.split(target)
        return f'{site_url()}/{posixpath.join(folder, NUMBER.sub("", name)).removesuffix(".ipynb")}.html{mark}{place}'
    inside = posixpath.normpath(f'{cfg.nbs_path.name}/{target}')
    return f'https://raw.githubusercontent.com/{cfg.user}/{cfg.repo}/{cfg.branch}/{inside}'


def colab_copy(page, nb):
    "A copy of a notebook (a dict) that runs in Colab."
    cells = []
    for cell in nb['cells']:
        if cell['cell_type'] == 'markdown':
            text = LINK.sub(lambda m: m[1] + address(page, m[2]), ''.join(cell['source']))
            cell = {**cell, 'source': text.splitlines(keepends=True)}
        cells.append(cell)
    first = dict(cell_type='code', execution_count=None, metadata={}, outputs=[], source=install_cell(nb).splitlines(keepends=True))
    if 'id' in (cells[0] if cells else {}): first['id'] = 'install'
    return {**nb, 'cells': [first, *cells]}


def write_copies(folder):
    "Writes the copy of each page into `folder`; returns their paths."
    nbs, written = get_config().nbs_path, []
    for path in sorted(nbs.rglob('*.ipynb')):
        page = path.relative_to(nbs)
        if any(part.startswith(('.', '_')) for part in page.parts): continue
        (folder/page).parent.mkdir(parents=True, exist_ok=True)
        copy = colab_copy(page.as_posix(), json.loads(path.read_text(encoding='utf-8')))
        (folder/page).write_text(json.dumps(copy, ensure_ascii=False, indent=1) + '\n', encoding='utf-8')
        written.append(folder/page)
    return written


def build_wheel(folder):
    "Builds the library's wheel into `folder`, from a copy: an older build beside the library would get into it."
    cfg = get_config()
    with tempfile.TemporaryDirectory() as tmp:
        source = Path(tmp)/'source'
        shutil.copytree(cfg.lib_path, source/cfg.lib_path.name, ignore=shutil.ignore_patterns('__pycache__'))
        for path in cfg.config_path.iterdir():
            if path.is_file() and not path.name.startswith('.'): shutil.copy(path, source)
        subprocess.run([sys.executable, '-m', 'pip', 'wheel', '-q', '--disable-pip-version-check', '--no-deps', '-w', tmp, str(source)], check=True)
        built = next(Path(tmp).glob('*.whl'))
        if built.name != wheel_name(): sys.exit(f'The wheel is {built.name}, but the pages ask for {wheel_name()}: see settings.ini.')
        shutil.copy(built, folder/built.name)


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else get_config().doc_path/FOLDER
    copies = write_copies(folder)
    build_wheel(folder)
    print(f'{len(copies)} pages for Colab and {wheel_name()} are in {folder}')


if __name__ == '__main__': main()
