"""Nothing that is there is written over: not what a command reads, and other files only with --overwrite."""
import shutil
from pathlib import Path
import pytest
import torch
from PIL import Image
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.core import LabelSpace
from pix2pixhd_nb.data.layouts import save_scenes
from pix2pixhd_nb.data.toy import LABEL_SPACE, SyntheticScenes
from pix2pixhd_nb.editing.editor import SceneEditor
from pix2pixhd_nb.evaluation.segmenters import save_segmenter
from pix2pixhd_nb.evaluation.scores import train_segmenter
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.models.encoder import FeatureEncoder
from pix2pixhd_nb.models.generators import GlobalGenerator
from pix2pixhd_nb.models.synthesizer import Synthesizer
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.synthesis.styles import StyleBook

MINE = b'a file of mine'

@pytest.fixture(scope='module')
def made(tmp_path_factory):
    "A dataset, a model, an edit file and a segmenter."
    d, n = tmp_path_factory.mktemp('made'), LABEL_SPACE.n_classes
    for split in ('train', 'test'): save_scenes(SyntheticScenes(2, size=(32, 64)), d / 'data', LABEL_SPACE, split)
    net = Synthesizer(GlobalGenerator(n + 1 + 3, width=4, n_downsample=2, n_blocks=1), n, FeatureEncoder(3, width=4))
    classes = range(n)
    book = StyleBook({c: torch.zeros(2, 3) for c in classes}, {c: torch.ones(2, dtype=torch.long) for c in classes}, LABEL_SPACE)
    Pix2PixHD(net, LABEL_SPACE, book, dict(size=[32, 64])).save(d / 'model')
    scene = SyntheticScenes(1, size=(32, 64))[0]
    (d / 'edits.json').write_text(SceneEditor(scene.label_map, scene.instance_map, LABEL_SPACE).to_json())
    save_segmenter(train_segmenter(ScenesInMemory(SyntheticScenes(2, size=(32, 64))), 2, bs=2), d / 'segmenter.safetensors')
    return d

def said(capsys, *words):
    status = main([str(w) for w in words])
    return status, capsys.readouterr().err.strip()

def contents(folder): return {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob('*') if p.is_file()}

CASES = { # command with OUT for the result, the file of it that is there already
    'synthesize': ('synthesize model data OUT', 'OUT/toy_000000.png'),
    'evaluate': ('evaluate model data OUT --split test --segmenter segmenter.safetensors', 'OUT/table.txt'),
    'evaluate, with a segmenter of another': ('evaluate model data OUT --split test --steps 2', 'OUT/segmenter.safetensors'),
    'styles': ('styles model OUT', 'OUT'),
    'edit': ('edit model edits.json OUT.png', 'OUT.png'),
    'edit, every state': ('edit model edits.json OUT', 'OUT/00_before.png'),
    'export': ('export model OUT.onnx', 'OUT.onnx'),
    'export, the graph of styles': ('export model OUT.onnx', 'OUT-styles.onnx'),
    'doctor': ('doctor data --sheet OUT', 'OUT'),
    'demo': ('demo --quick --folder OUT', 'OUT/index.html'),
    'demo, over a model': ('demo --quick --folder OUT', 'OUT/model/pipeline.json'),
    'selftest': ('selftest --device cpu --out OUT', 'OUT'),
    'convert': ('convert to-colors data OUT', 'OUT/notes.txt'),
    'convert_2018': ('convert-2018 net_G.pth OUT', 'OUT/pipeline.json'),
}

@pytest.mark.parametrize('name', CASES)
def test_a_file_that_is_there_stays(made, tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(made)
    line, taken = (text.replace('OUT', str(tmp_path / 'out')) for text in CASES[name])
    Path(taken).parent.mkdir(parents=True, exist_ok=True)
    Path(taken).write_bytes(MINE)
    status, message = said(capsys, *line.split())
    assert status == 2 and len(message.splitlines()) == 1 and taken.rsplit('/', 1)[0] in message, message
    assert 'is there already' in message
    assert contents(tmp_path) == {Path(taken).relative_to(tmp_path): MINE}

AGAIN = ['synthesize', 'evaluate', 'evaluate, with a segmenter of another', 'styles', 'edit', 'edit, every state', 'doctor']

@pytest.mark.parametrize('name', AGAIN)
def test_its_own_and_what_it_is_told_to_are_replaced(made, tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(made)
    line, taken = (text.replace('OUT', str(tmp_path / 'out')) for text in CASES[name])
    for again in range(2): assert said(capsys, *line.split())[0] == 0 # its own files are replaced
    Path(taken).write_bytes(MINE)
    if not name.startswith('evaluate'): assert said(capsys, *line.split())[0] == 2
    status, message = said(capsys, *line.split(), '--overwrite')
    assert status == 0, message
    assert Path(taken).read_bytes() != MINE

def test_what_another_model_made_stays(made, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(made)
    pipe = Pix2PixHD.load('model')
    with torch.no_grad(): next(pipe.synthesizer.parameters()).add_(1)
    pipe.save(tmp_path / 'other')
    for line in ('synthesize MODEL data OUT', 'evaluate MODEL data OUT-graded --split test --segmenter segmenter.safetensors', 'styles MODEL OUT-styles.png', 'edit MODEL edits.json OUT-edited.png'):
        line = line.replace('OUT', str(tmp_path / 'out'))
        assert said(capsys, *line.replace('MODEL', 'model').split())[0] == 0
        before = contents(tmp_path)
        status, message = said(capsys, *line.replace('MODEL', str(tmp_path / 'other')).split())
        assert status == 2 and 'is there already' in message and contents(tmp_path) == before

READ = ['synthesize model data data/test/image', 'synthesize model data data/test/label', 'synthesize model data data/test/../test/image', 'styles model data/test/image/toy_000000.png --folder data',
        'doctor data --sheet data/train/image/toy_000000.png', 'edit model edits.png edits.png']

@pytest.mark.parametrize('line', READ)
def test_what_is_read_is_never_written_over(made, tmp_path, capsys, monkeypatch, line):
    copy = shutil.copytree(made, tmp_path / 'copy')
    shutil.copy(copy / 'edits.json', copy / 'edits.png')
    monkeypatch.chdir(copy)
    before = contents(copy)
    for more in ((), ('--overwrite',)):
        status, message = said(capsys, *line.split(), *more)
        assert status == 2 and 'written over' in message or 'is there already' in message and not more, message
    assert contents(copy) == before

def test_a_report_of_the_selftest_is_its_own(made, tmp_path):
    from pix2pixhd_nb.commands.selftest import _is_report
    (tmp_path / 'a').write_text('{"machine": {}, "seconds": 1, "rows": []}')
    (tmp_path / 'b').write_text('[1]')
    assert _is_report(tmp_path / 'a') and not _is_report(tmp_path / 'b') and not _is_report(made / 'edits.json')

def test_a_dataset_of_other_classes_shows_no_styles(made, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(made)
    space = LabelSpace(['sea', *LABEL_SPACE.names[1:]], LABEL_SPACE.colors, LABEL_SPACE.things)
    save_scenes(SyntheticScenes(2, size=(32, 64)), tmp_path / 'other', space, 'test')
    status, message = said(capsys, 'styles', 'model', tmp_path / 'sheet.png', '--folder', tmp_path / 'other')
    assert status == 2 and "id 0 is 'sea' there" in message and not (tmp_path / 'sheet.png').exists()

def test_a_picture_is_whole_or_not_there(made, tmp_path, capsys, monkeypatch):
    "A disk that is full under each of the pictures."
    monkeypatch.chdir(made)
    def full(self, path, *a, **k):
        Path(path).write_bytes(b'half')
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(Image.Image, 'save', full)
    for k, line in enumerate(('synthesize model data OUT', 'styles model OUT', 'edit model edits.json OUT.png', 'doctor data --sheet OUT')):
        status, message = said(capsys, *line.replace('OUT', str(tmp_path / f'out{k}')).split())
        assert status == 2 and 'no space left' in message
        assert not contents(tmp_path)
