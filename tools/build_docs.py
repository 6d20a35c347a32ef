"""Builds the site into _docs/ without Quarto: nbdev prepares the notebooks, smalldocs renders them."""
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from nbdev.config import get_config
from nbdev.quarto import refresh_quarto_yml
from nbdev.serve import proc_nbs
from smalldocs.layout import KATEX
from smalldocs.site import build

NUMBERED = re.compile(r'\b\d+[a-z]*_(?=[\w.]+\.ipynb)')


def link_pages(folder, online):
    "00_core.ipynb becomes core.ipynb, in names and in links, and nbdev's links to the `online` site lead to pages of this one."
    for path in [*folder.rglob('*.ipynb'), folder/'sidebar.yml']:
        text = NUMBERED.sub('', path.read_text(encoding='utf-8'))
        path.write_text(text.replace(f']({online}/', '](/'), encoding='utf-8')
        path.rename(path.with_name(NUMBERED.sub('', path.name)))


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


def build_docs():
    cfg = get_config()
    refresh_quarto_yml()
    prepared = proc_nbs(force=True, n_workers=0)
    link_pages(prepared, online=cfg.doc_host + cfg.doc_baseurl)
    site = build(prepared, quiet=True)
    serve_katex_beside(site.out)
    shutil.rmtree(cfg.doc_path, ignore_errors=True)
    shutil.move(site.out, cfg.doc_path)
    print(f'The site is at {(cfg.doc_path/"index.html").relative_to(Path.cwd())}')
    broken = [w for w in site.warnings if 'broken' in w] # the others tell of Quarto's options that this builder has no use for
    if broken: sys.exit('\n'.join(broken))


if __name__ == '__main__': build_docs()
