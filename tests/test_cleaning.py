"What `make clean` takes out of a notebook, and what it leaves."
import nbformat
from nbformat import v4
from clean_notebooks import WIDGET_VIEW, cleaned


def test_cleaning(tmp_path):
    shown = v4.new_output('display_data', {'image/png': 'iVBORw0K', WIDGET_VIEW: {'model_id': '1'}})
    nb = v4.new_notebook(metadata={'widgets': {'state': {}}, 'kernelspec': {'name': 'python3', 'display_name': 'mine'}})
    nb.cells = [v4.new_markdown_cell('# Title\n\n> Subtitle\n\nOpening words.\n\nMore.'),
                v4.new_code_cell('show()', execution_count=7, outputs=[shown], metadata={'scrolled': True})]
    path = tmp_path/'a.ipynb'
    nbformat.write(nb, path)
    text = cleaned(path)
    title, opening, code = nbformat.reads(text, as_version=4).cells
    assert (title.source, opening.source) == ('# Title\n\n> Subtitle', 'Opening words.\n\nMore.')
    assert list(code.outputs[0].data) == ['image/png'] and code.execution_count is None and not code.metadata
    assert 'widgets' not in text
    path.write_text(text)
    assert cleaned(path) == text
