"""The page "All names": every public name of the library, a line each, linked to where it is explained."""
import ast
import html
import re
import runpy
from dataclasses import dataclass
from pathlib import Path
from nbdev.config import get_config


@dataclass
class Name:
    module: str # without the library's name: data.loaders
    name: str # scene_dataloaders, or LabelSpace.id
    href: str # from the top of the site
    doc: str # the first line of its docstring


def documented(tree):
    "The first docstring line of each function, class, method and patched method of a module, by name."
    docs = {}
    def visit(nodes, prefix=''):
        for node in nodes:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)): continue
            patched = [ast.unparse(d) for d in node.decorator_list if ast.unparse(d).split('(')[0].startswith('patch')] if not isinstance(node, ast.ClassDef) else []
            owner = ast.unparse(node.args.args[0].annotation) + '.' if patched and node.args.args and node.args.args[0].annotation else prefix
            docs[owner + node.name] = (ast.get_docstring(node) or '').split('\n')[0]
            if isinstance(node, ast.ClassDef): visit(node.body, node.name + '.')
    visit(tree.body)
    return docs


def public(name): return not any(part.startswith('_') for part in name.split('.'))


def exported(tree):
    "What a module's `__all__` lists."
    values = [n.value for n in tree.body if isinstance(n, ast.Assign) and any(getattr(t, 'id', '') == '__all__' for t in n.targets)]
    return [ast.literal_eval(e) for v in values if isinstance(v, ast.List) for e in v.elts]


def all_names(lib=None):
    "Every public name, by module, as nbdev's index has it; constants too, which link to their page."
    lib = Path(lib or get_config().lib_path)
    found = []
    for module, names in sorted(runpy.run_path(str(lib/'_modidx.py'))['d']['syms'].items()):
        path = lib.parent/Path(*module.split('.')).with_suffix('.py')
        tree = ast.parse(path.read_text(encoding='utf-8'))
        docs, short = documented(tree), module.split('.', 1)[-1]
        here = {full.removeprefix(module + '.'): href for full, (href, _) in names.items()}
        page = next(iter(here.values()), '').partition('#')[0]
        here |= {name: page for name in exported(tree) if name not in here and page}
        found += [Name(short, name, href, docs.get(name, '')) for name, href in sorted(here.items(), key=lambda x: x[0].lower()) if public(name)]
    return found


def line(name):
    "A name as an item of a list."
    doc = re.sub(r'`([^`]+)`', r'<code>\1</code>', html.escape(name.doc))
    return f'<a href="{html.escape(name.href)}"><code>{html.escape(name.name)}</code></a>{doc}'


def items(names):
    "Functions and classes, a line each; the methods of a class are folded under it."
    methods = {}
    for n in names:
        if '.' in n.name: methods.setdefault(n.name.rpartition('.')[0], []).append(n)
    tops = {n.name: n for n in names if '.' not in n.name}
    for owner in dict.fromkeys([*tops, *methods]):
        mine = methods.get(owner, [])
        folded = f'<details><summary>{len(mine)} method{"s" * (len(mine) > 1)}</summary><ul>{"".join(f"<li>{line(n)}</li>" for n in mine)}</ul></details>' if mine else ''
        yield f'<li>{line(tops[owner]) if owner in tops else f"<code>{html.escape(owner)}</code>"}{folded}</li>'


def page(names):
    "The page's Markdown."
    lines = ['---', 'title: All names', 'description: The whole library, a line each', 'toc-depth: 2', 'search: false', '---', '']
    for module in dict.fromkeys(n.module for n in names):
        lines += [f'## {module}', '', '```{=html}', '<ul class="names">', *items([n for n in names if n.module == module]), '</ul>', '```', '']
    return '\n'.join(lines)
