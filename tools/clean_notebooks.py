"""Cleans the notebooks: what nbdev_clean removes, widget state, warnings of other packages (with a path of the machine that ran it), photos that are not ours, and prose in the title's cell, which the site would lose."""
import re
from pathlib import Path
from execnb.nbio import mk_cell, nb2str, read_nb
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob

TITLE = re.compile(r'(# [^\n]+(?:\n+> [^\n]+)*)\n\s*([^>\s].*)', re.DOTALL)
WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json'
PHOTOS = '# shows photos' # opens a cell whose output is not ours to publish


def notebooks():
    "Every notebook of the book, in reading order."
    return sorted(nbglob(as_path=True))


def split_title(nb):
    "Gives the prose below the title and its subtitle a cell of its own."
    title = nb.cells[0]
    if title.cell_type == 'markdown' and (parts := TITLE.fullmatch(title.source)):
        title.source = parts[1]
        nb.cells.insert(1, mk_cell(parts[2], 'markdown', id=f'{title.id}-text'))


def cleaned(path):
    "The text that the notebook at `path` should have on disk."
    nb, cfg = read_nb(path), get_config()
    clean_nb(nb, cfg.clear_all, cfg.allowed_metadata_keys.split(), cfg.allowed_cell_metadata_keys.split(), cfg.clean_ids)
    nb.metadata.pop('widgets', None)
    for cell in nb.cells:
        if cell.source.startswith(PHOTOS): cell.outputs = []
        if cell.cell_type == 'code': cell.outputs = [o for o in cell.outputs if not (o.get('name') == 'stderr' and 'site-packages' in ''.join(o['text']))]
        for output in cell.get('outputs', []): output.get('data', {}).pop(WIDGET_VIEW, None)
    split_title(nb)
    return nb2str(nb)


if __name__ == '__main__':
    for path in notebooks():
        text = cleaned(path)
        if text != path.read_text(encoding='utf-8'):
            path.write_text(text, encoding='utf-8')
            print(f'cleaned {path.relative_to(Path.cwd())}')
