"""Cleans the notebooks: what nbdev_clean removes, widget state, warnings of other packages, progress bars, names of temporary folders, photos that are not ours, and prose in the title's cell, which the site would lose."""
import re
from pathlib import Path
from execnb.nbio import mk_cell, nb2str, read_nb
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob

TITLE = re.compile(r'(# [^\n]+(?:\n+> [^\n]+)*)\n\s*([^>\s].*)', re.DOTALL)
WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json'
TEMPORARY = re.compile(r'(?:/[\w.-]+)*/tmp\w{6,}/') # a folder of tempfile's, which says nothing to a reader
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


def is_progress(output):
    "Is an output a progress bar, or the style of one?"
    html = ''.join(output.get('data', {}).get('text/html', ''))
    return '<progress' in html or html.strip().startswith('<style>') and html.strip().endswith('</style>')


def without_folders(output):
    "Takes the names of temporary folders out of what was printed."
    for where, kind in ((output, 'text'), (output.get('data', {}), 'text/plain')):
        if kind in where: where[kind] = TEMPORARY.sub('', ''.join(where[kind])).splitlines(keepends=True)


def cleaned(path):
    "The text that the notebook at `path` should have on disk."
    nb, cfg = read_nb(path), get_config()
    clean_nb(nb, cfg.clear_all, cfg.allowed_metadata_keys.split(), cfg.allowed_cell_metadata_keys.split(), cfg.clean_ids)
    nb.metadata.pop('widgets', None)
    for cell in nb.cells:
        if cell.source.startswith(PHOTOS): cell.outputs = []
        if cell.cell_type == 'code': cell.outputs = [o for o in cell.outputs if not (o.get('name') == 'stderr' and 'site-packages' in ''.join(o['text'])) and not is_progress(o)]
        for output in cell.get('outputs', []):
            output.get('data', {}).pop(WIDGET_VIEW, None)
            without_folders(output)
    split_title(nb)
    return nb2str(nb)


if __name__ == '__main__':
    for path in notebooks():
        text = cleaned(path)
        if text != path.read_text(encoding='utf-8'):
            path.write_text(text, encoding='utf-8')
            print(f'cleaned {path.relative_to(Path.cwd())}')
