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


def test_what_a_run_leaves_behind(tmp_path):
    bar = v4.new_output('display_data', {'text/html': '<progress value="3" max="4"></progress>', 'text/plain': '<HTML>'})
    said = v4.new_output('stream', name='stdout', text='wrote /tmp/tmp0a1b2c3d/model/a.png\nkept /home/me/a.png\n')
    nb = v4.new_notebook(cells=[v4.new_markdown_cell('# Title'), v4.new_code_cell('run()', outputs=[bar, said])])
    nbformat.write(nb, path := tmp_path/'a.ipynb')
    outputs = nbformat.reads(cleaned(path), as_version=4).cells[1].outputs
    assert [o.text for o in outputs] == ['wrote model/a.png\nkept /home/me/a.png\n']
