"""Builds the site into _docs/ without Quarto: nbdev prepares the notebooks, smalldocs renders them, and what both lack is added here.

Pages follow nbs/sidebar.yml: each of its sections is a folder of the site with its own previous and next page."""
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path
import smalldocs.highlight
import yaml
from IPython.core.history import HistoryAccessor
from nbdev.config import get_config
from nbdev.quarto import refresh_quarto_yml
from nbdev.serve import proc_nbs
from smalldocs import layout
from smalldocs.layout import KATEX
from smalldocs.site import build
import alt_text
import colab
import links
import search_index
from all_names import all_names, page as names_page

HERE = Path(__file__).parent
NUMBERED = re.compile(r'\b\d+[a-z]*_(?=[\w.]+\.ipynb)')
NAMES_PAGE = 'names.md'
DOORS = 'Learn', 'Use', 'Play'
THREE_DOORS = re.compile(''.join(rf'^\*\*{door}\.\*\*\s+(.+(?:\n.+)*)\n*' for door in DOORS), re.M)
EXPORTED = '#| code-fold: show\n#| code-summary: "Exported source"\n' # what nbdev writes over exported code
FOLDED = '#| code-fold: true\n#| code-summary: "Source"\n'
SOLUTION = re.compile(r'#\| code-fold: true\n#\| code-summary: "(Solution of \d+)"\n')
CODE_LINK = re.compile(r'(<a href=")([^"#]*)#([^"]+)("[^>]*>\s*<code>([^<]+)</code>)')
SEARCH_BOX = re.compile(r'<div class="smalldocs-search"(.*?)smalldocs-search-results', re.S)
TOOLBAR = re.compile(r'(<button class="navbar-toggler".*?)(<div class="quarto-navbar-tools">.*?</div></div></div>)', re.S)
NOTEBOOK_LINK = re.compile(r'(<a\b[^>]*\bhref=")(?![a-z]+:)([^"#]+)\.ipynb(["#])')
FONT_ELSEWHERE = re.compile(r'@import url\(https?:[^)]*\);?')
FUSE = re.compile(r'<script src="[^"]*fuse\.min\.js"></script>')

HistoryAccessor.enabled.default_value = False # of the cells that nbdev runs; it would go into your home folder
smalldocs.highlight.css_class = cache(smalldocs.highlight.css_class) # asked 200,000 times for a few hundred tokens


def link_pages(folder, online):
    "00_core.ipynb becomes core.ipynb, in names and in links, and nbdev's links to the `online` site lead to pages of this one. Old path by new."
    renamed = {}
    for path in [*folder.rglob('*.ipynb'), folder/'sidebar.yml']:
        text = NUMBERED.sub('', path.read_text(encoding='utf-8'))
        path.write_text(text.replace(f']({online}/', '](/'), encoding='utf-8')
        new = path.with_name(NUMBERED.sub('', path.name))
        if new != path and new.exists(): sys.exit(f'{path.relative_to(folder)} and another page are both called {new.name} on the site: rename one.')
        path.rename(new)
        renamed[new.relative_to(folder).as_posix()] = path.relative_to(folder).as_posix()
    return renamed


def entries(contents):
    "The pages of a part of the sidebar, in order."
    for entry in contents:
        if isinstance(entry, str): yield entry
        elif 'contents' in entry: yield from entries(entry['contents'])
        elif 'href' in entry: yield entry['href']


def folders(sidebar):
    "The pages of each top-level section of a sidebar.yml; pages outside one stand alone."
    contents = yaml.safe_load(sidebar.read_text(encoding='utf-8'))['website']['sidebar']['contents']
    return [list(entries([entry])) for entry in contents]


def neighbours_within(groups):
    "Previous and next stay within a folder: a new order of pages for smalldocs."
    folder_of = {page: group for group in groups for page in group}
    whole = layout.SiteNav.order
    def order(self, page):
        here = folder_of.get(str(page.src), [])
        return [p for p in whole(self, page) if str(p.src) in here]
    return order


def doors(markdown):
    "Three paragraphs that open with **Learn.**, **Use.** and **Play.** become three doors side by side; other Markdown stays."
    def door(m, k): return f'::: {{.door}}\n### {DOORS[k]} {{.unlisted}}\n\n{m[k + 1].strip()}\n:::\n'
    return THREE_DOORS.sub(lambda m: '\n:::: {.doors}\n' + '\n'.join(door(m, k) for k in range(3)) + '::::\n\n', markdown)


def open_doors(nb):
    "On the first page the doors come second, after what the first cell of prose says."
    prose = [cell for cell in nb['cells'] if cell['cell_type'] == 'markdown' and not cell['source'].lstrip().startswith('<!--')]
    for cell in prose[1:]:
        made = doors(cell['source'])
        if made == cell['source']: continue
        cell['source'] = made
        nb['cells'].remove(cell)
        nb['cells'].insert(nb['cells'].index(prose[0]) + 1, cell)


def fold_source(nb):
    "Exported code is folded; a cell that says `#| code-fold: show` itself stays open."
    for cell in nb['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'code' and source.startswith(EXPORTED): cell['source'] = FOLDED + source.removeprefix(EXPORTED)


def raw_html(html): return dict(cell_type='markdown', metadata={}, source='```{=html}\n' + html + '\n```\n')


def fold_solutions(nb):
    "The solution of an exercise is folded whole: its output, which would tell it, goes with the code."
    cells = []
    for cell in nb['cells']:
        solution = SOLUTION.match(cell['source']) if cell['cell_type'] == 'code' else None
        if not solution: cells.append(cell); continue
        cell['source'] = cell['source'][solution.end():]
        cells += [raw_html(f'<details class="solution">\n<summary>{solution[1]}</summary>'), cell, raw_html('</details>')]
    nb['cells'] = cells


def page_links(page):
    "The line under the title: the badge of Colab, and the notebook."
    cfg = get_config()
    notebook = f'{cfg.git_url}/blob/{cfg.branch}/{cfg.nbs_path.name}/{page}'
    return raw_html('<p class="page-links">'
        f'<a class="colab-badge" href="{colab.badge_url(page)}"><span>Open in</span><span>Colab</span></a> <a href="{notebook}">Notebook on GitHub</a></p>')


def prepare(folder, renamed):
    "Changes the prepared notebooks before they are rendered."
    for path in folder.rglob('*.ipynb'):
        page = path.relative_to(folder)
        nb = json.loads(path.read_text(encoding='utf-8'))
        for cell in nb['cells']: cell['source'] = ''.join(cell['source'])
        fold_source(nb)
        def write(name, content):
            (path.parent/name).parent.mkdir(exist_ok=True)
            (path.parent/name).write_bytes(content)
        alt_text.describe(nb, path.stem, write)
        fold_solutions(nb)
        if page.as_posix() == 'index.ipynb': open_doors(nb)
        first = 1 if nb['cells'] and nb['cells'][0]['cell_type'] == 'raw' else 0
        nb['cells'].insert(first, page_links(renamed[page.as_posix()]))
        path.write_text(json.dumps(nb), encoding='utf-8')


def configure(folder):
    "Puts the page of all names into the sidebar and the bar at the top."
    sidebar, quarto = folder/'sidebar.yml', folder/'_quarto.yml'
    content = yaml.safe_load(sidebar.read_text(encoding='utf-8'))
    entry = {'text': 'All names', 'href': NAMES_PAGE}
    content['website']['sidebar']['contents'].append(entry)
    sidebar.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')
    content = yaml.safe_load(quarto.read_text(encoding='utf-8'))
    content['website']['navbar']['left'] = [*content['website']['navbar'].get('left', []), entry]
    quarto.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')


def mend_links(pages, folder):
    "A link to a name that has no place of its own leads to its class, or to the page; one to a notebook, written in HTML, to its page."
    for name, page in pages.items():
        def mend(m):
            target = os.path.normpath((Path(name).parent/m[2]).as_posix()) if m[2] else name
            place, label = m[3], html.unescape(m[5]).strip('()')
            if target not in pages or place.split('.')[-1] != label.lower().split('.')[-1]: return m[0]
            while place and place not in pages[target].ids: place = place.rpartition('.')[0]
            return m[1] + m[2] + ('#' + place if place else '') + m[4]
        path = folder/name
        text = NOTEBOOK_LINK.sub(r'\1\2.html\3', path.read_text(encoding='utf-8'))
        path.write_text(CODE_LINK.sub(mend, text), encoding='utf-8')


def add_search(folder, names):
    "Our own search in place of smalldocs' one, which matches parts of words; in sight on a phone too."
    search_index.write(folder, names)
    shutil.copy(HERE/'site/search.js', folder/'site_libs/search.js')
    shutil.rmtree(folder/'site_libs/fuse')
    for path in folder.rglob('*.html'):
        text = FUSE.sub('', TOOLBAR.sub(r'\2\1', SEARCH_BOX.sub(r'<div class="site-search"\1site-search-results', path.read_text(encoding='utf-8'))))
        script = f'<script src="{Path(os.path.relpath(folder/"site_libs/search.js", path.parent)).as_posix()}" defer></script>'
        path.write_text(text.replace('</head>', script + '</head>', 1), encoding='utf-8')


def fetch_katex(folder):
    "Puts KaTeX, which draws the formulas, into `folder`; False where npm cannot give it."
    package = re.search(r'katex@[\d.]+', KATEX)[0]
    with tempfile.TemporaryDirectory() as tmp:
        try: subprocess.run(['npm', 'pack', '--silent', '--prefer-offline', package], cwd=tmp, check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError): return False
        with tarfile.open(next(Path(tmp).glob('*.tgz'))) as archive: archive.extractall(tmp, filter='data')
        dist = Path(tmp)/'package/dist'
        for name in ['katex.min.js', 'katex.min.css', 'contrib/auto-render.min.js']:
            (folder/name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(dist/name, folder/name)
        shutil.copytree(dist/'fonts', folder/'fonts', ignore=shutil.ignore_patterns('*.ttf', '*.woff'))
    return True


def serve_katex_beside(site):
    "Points the pages to a copy of KaTeX within the site, so that formulas show without a network."
    katex = site/'site_libs/katex'
    if not fetch_katex(katex):
        return print('npm could not fetch KaTeX: formulas show where the reader is online.')
    for page in site.rglob('*.html'):
        html = page.read_text(encoding='utf-8')
        if KATEX in html:
            page.write_text(html.replace(KATEX, Path(os.path.relpath(katex, page.parent)).as_posix()), encoding='utf-8')


def drop_fonts(site):
    "Themes ask other machines for their fonts; the pages use the reader's own."
    for path in (site/'site_libs/themes').rglob('*.css'): path.write_text(FONT_ELSEWHERE.sub('', path.read_text(encoding='utf-8')), encoding='utf-8')


def copy_pictures(prepared, site):
    "The pictures that `prepare` took out of the notebooks, beside the pages that show them."
    for folder in prepared.rglob('*_files'):
        if site not in folder.parents: shutil.copytree(folder, site/folder.relative_to(prepared), dirs_exist_ok=True)


def build_docs():
    cfg = get_config()
    refresh_quarto_yml()
    prepared = proc_nbs(force=True, n_workers=0)
    renamed = link_pages(prepared, online=cfg.doc_host + cfg.doc_baseurl)
    names = all_names()
    (prepared/NAMES_PAGE).write_text(names_page(names), encoding='utf-8')
    groups = folders(prepared/'sidebar.yml')
    configure(prepared)
    prepare(prepared, renamed)
    layout.SiteNav.order = neighbours_within(groups)
    site = build(prepared, quiet=True)
    copy_pictures(prepared, site.out)
    mend_links(links.pages(site.out), site.out)
    add_search(site.out, names)
    drop_fonts(site.out)
    serve_katex_beside(site.out)
    shutil.rmtree(cfg.doc_path, ignore_errors=True)
    shutil.move(site.out, cfg.doc_path)
    page = HERE.parent/'web/dist' # the studio in a browser alone, where `make web` has built it
    if page.is_dir(): shutil.copytree(page, cfg.doc_path/'studio')
    print(f'The site is at {(cfg.doc_path/"index.html").relative_to(Path.cwd())}')
    broken = [w for w in site.warnings if 'broken' in w] # the others tell of Quarto's options that this builder has no use for
    broken += links.broken_links(cfg.doc_path)
    if broken: sys.exit('\n'.join(broken))


if __name__ == '__main__': build_docs()
