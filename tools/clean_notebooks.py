"""Cleans the notebooks: what nbdev_clean removes, and the state of widgets, which nbdev_clean keeps."""
from pathlib import Path
from execnb.nbio import nb2str, read_nb
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob

WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json'


def notebooks():
    "Every notebook of the book, in reading order."
    return sorted(nbglob(as_path=True))


def cleaned(path):
    "The text that the notebook at `path` should have on disk."
    nb, cfg = read_nb(path), get_config()
    clean_nb(nb, cfg.clear_all, cfg.allowed_metadata_keys.split(), cfg.allowed_cell_metadata_keys.split(), cfg.clean_ids)
    nb.metadata.pop('widgets', None)
    for cell in nb.cells:
        for output in cell.get('outputs', []): output.get('data', {}).pop(WIDGET_VIEW, None)
    return nb2str(nb)


if __name__ == '__main__':
    for path in notebooks():
        text = cleaned(path)
        if text != path.read_text(encoding='utf-8'):
            path.write_text(text, encoding='utf-8')
            print(f'cleaned {path.relative_to(Path.cwd())}')
