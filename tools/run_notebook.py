"""Runs notebooks from top to bottom and saves them with their outputs, cleaned: run_notebook.py book/07_losses ..."""
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from clean_notebooks import cleaned

NBS = Path(__file__).parents[1] / 'nbs'


def run(name): # of a page under nbs/, with or without its ending
    "Run one page in its own folder and save it."
    path = NBS / f'{name.removeprefix("nbs/").removesuffix(".ipynb")}.ipynb'
    if not path.is_file(): sys.exit(f'{path.relative_to(NBS.parent)} is not there: give the name of a page under nbs/, such as book/07_losses.')
    nb = nbformat.read(path, as_version=4)
    not_run = {c.id: c for c in nb.cells if '#| eval: false' in c.source}
    kept = {i: (c.source, c.outputs) for i, c in not_run.items()}
    for c in not_run.values(): c.source = ''
    NotebookClient(nb, timeout=1800, resources=dict(metadata=dict(path=str(path.parent)))).execute()
    for c in nb.cells:
        if c.id in kept: c.source, c.outputs = kept[c.id]
    nbformat.write(nb, path)
    path.write_text(cleaned(path), encoding='utf-8')
    print(f'ran {path.relative_to(NBS.parent)}')


if __name__ == '__main__':
    if not sys.argv[1:]: sys.exit('Which page? For example: make run NB=book/07_losses')
    for name in sys.argv[1:]: run(name)
