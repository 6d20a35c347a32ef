"""Makes README.md, and the pictures it shows, from nbs/index.ipynb."""
import posixpath
import re
import nbformat
from nbconvert import MarkdownExporter
from nbdev.config import get_config

DIRECTIVE = re.compile(r'^#\s*\|.*\n?', re.MULTILINE)
HIDDEN = re.compile(r'^#\s*\|\s*hide\b', re.MULTILINE)
RELATIVE_LINK = re.compile(r'(\]\(|src=")(?![a-z]+:|#|nbs/)([^)"]+)')


def readme_files():
    "README.md and its pictures: the bytes of each, by path from the top of the repository."
    cfg = get_config()
    nb = nbformat.read(cfg.nbs_path/cfg.readme_nb, as_version=4)
    nb.cells = [cell for cell in nb.cells if not HIDDEN.search(cell.source)]
    for cell in nb.cells: cell.source = DIRECTIVE.sub('', cell.source)
    text, resources = MarkdownExporter().from_notebook_node(
        nb, {'output_files_dir': f'{cfg.nbs_path.name}/images', 'unique_key': 'readme'})
    from_top = lambda m: m[1] + posixpath.normpath(f'{cfg.nbs_path.name}/{m[2]}')
    text = RELATIVE_LINK.sub(from_top, re.sub(r'\n{3,}', '\n\n', text).strip()) + '\n'
    return {**resources['outputs'], 'README.md': text.encode()}


if __name__ == '__main__':
    for name, content in readme_files().items():
        path = get_config().config_path/name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        print(f'wrote {name}')
