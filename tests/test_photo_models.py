"The tool that trains the models of photos, on scenes of a few pixels."
import json
import sys
from dataclasses import replace
from pathlib import Path
import pytest
import torch
from safetensors.torch import load_file
sys.path.insert(0, str(Path(__file__).parents[1]/'tools'))
import photo_models
import score_photo_model
from pix2pixhd_nb.core import colorize, to_pil
from pix2pixhd_nb.data.facades import FACADE_SPACE, synthetic_facade
from pix2pixhd_nb.data.layouts import open_dataset, save_scenes
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.evaluation.report import SizedScenes
from pix2pixhd_nb.evaluation.scores import train_segmenter
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    "House fronts whose image is their label map in colours, in the folders that the tool reads."
    folder = tmp_path_factory.mktemp('data')
    for name, size in (('facades_256', 32), ('facades_ext_256', 32), ('facades_512', 64)):
        for split, n in (('train', 4), ('val', 6)):
            fronts = (synthetic_facade(i, (size, size)) for i in range(n))
            save_scenes([replace(s, image=colorize(s.label_map, FACADE_SPACE), name=f'{i}') for i, s in enumerate(fronts)], folder/name, FACADE_SPACE, split)
    return folder


@pytest.fixture
def tool(monkeypatch, data, tmp_path):
    "Runs the tool with small networks and few steps; gives the folder that it wrote to."
    monkeypatch.setattr(photo_models, 'NETWORKS', photo_models.NETWORKS | dict(width=4, n_downsample=2, n_blocks=1, encoder_width=4, discriminator_width=4))
    monkeypatch.setattr(photo_models, 'OTHERS', dict(pix2pix=dict(width=4, n_downsample=4, discriminator_width=4), crn=dict(widths=(8, 8, 8))))
    world = photo_models.WORLDS['facades']
    sizes, stages = ((16, 16), (16, 16), (32, 32), (64, 64), (64, 64)), world['stages']
    steps = [8, 4, 8, 2, 4]
    small = [s | dict(size=size, steps=n, styles_after=2 if 'styles_after' in s else 0) for s, size, n in zip(stages, sizes, steps, strict=True)]
    monkeypatch.setattr(photo_models, 'WORLDS', dict(facades=world | dict(stages=small)))

    def run(*more, folder=tmp_path/'out'):
        monkeypatch.setattr(sys, 'argv', ['photo_models.py', 'facades', str(data), str(folder), '--vgg', 'small', '--every', '2', *map(str, more)])
        assert photo_models.main() == 0
        return folder
    return run


def test_from_coarse_to_fine(tool):
    out = tool()
    assert [p.name for p in sorted(out.iterdir())] == [f'stage_{k}' for k in range(1, 6)]
    for stage in out.iterdir():
        files = list((stage/'model').glob('*.safetensors'))
        assert sorted(f.name.partition('-')[0] for f in files) == ['discriminator', 'weights']
        assert {t.dtype for f in files for t in load_file(f).values() if t.ndim > 1 and t.is_floating_point()} == {torch.float16}
        lines = [json.loads(line) for line in (stage/'log.jsonl').read_text().splitlines()]
        assert lines[-1]['steps'] and json.loads((stage/'model/how.json').read_text())['losses'].keys() == lines[-1]['losses'].keys()
        assert list(stage.glob('sheet_*.png'))
    coarse, alone, together = (Pix2PixHD.load(out/f'stage_{k}/model') for k in (3, 4, 5))
    assert [type(p.synthesizer.generator).__name__ for p in (coarse, alone, together)] == ['GlobalGenerator', 'CoarseToFineGenerator', 'CoarseToFineGenerator']
    assert [type(p.synthesizer.generator.head[-1]).__name__ for p in (coarse, alone, together)] == ['Notch', 'Tanh', 'Tanh']
    assert coarse.size == (32, 32) and alone.size == together.size == (64, 64)
    assert together.style_book.together and alone.predict(synthetic_facade(1, (64, 64)), seed=0).size == (64, 64)
    below = dict(coarse.synthesizer.encoder.named_parameters())
    assert all(torch.equal(v, below[k]) for k, v in alone.synthesizer.encoder.named_parameters()) # the enhancer learned alone
    assert any(not torch.equal(v, below[k]) for k, v in together.synthesizer.encoder.named_parameters())
    before = {p: p.stat().st_mtime_ns for p in out.rglob('*') if p.is_file()}
    tool() # all is done
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob('*') if p.is_file()}


def test_one_stage_from_a_model_that_is_there(tool, tmp_path):
    whole = tool(folder=tmp_path/'whole')
    one = tool('--start', whole/'stage_3/model', '--stage', 4, folder=tmp_path/'one')
    assert [p.name for p in one.iterdir()] == ['stage_4']
    a, b = (Pix2PixHD.load(p/'stage_4/model').synthesizer.state_dict() for p in (whole, one))
    assert all(torch.allclose(a[k].float(), b[k].float(), atol=1e-2) for k in a if k.startswith('encoder'))


def test_the_rate_falls_at_the_end(tool, monkeypatch, tmp_path):
    "Over the last steps of a stage, to zero; how many steps there are, and how many fall, can be said of one stage."
    rates = []
    class Watched(photo_models.Record):
        def after_batch(self):
            if self.training: rates.append(float(self.opt.hypers[0]['lr']))
            super().after_batch()
    monkeypatch.setattr(photo_models, 'Record', Watched)
    start = tool(folder=tmp_path/'whole')/'stage_2/model'
    rates.clear()
    tool('--start', start, '--stage', 3, '--steps', 16, '--falling', 8, folder=tmp_path/'one')
    flat, falling = rates[:8], rates[8:]
    assert len(rates) == 16 and flat == pytest.approx([photo_models.LR] * 8)
    assert all(a > b for a, b in zip(falling, falling[1:])) and 0 < falling[-1] < photo_models.LR / 7


@pytest.mark.parametrize('method', ['pix2pix', 'crn'])
def test_the_others_end_after_their_minutes(tool, method, tmp_path):
    out = tool('--method', method, '--minutes', 0)
    assert [p.name for p in out.iterdir()] == ['stage_3']
    assert len((out/'stage_3/log.jsonl').read_text().splitlines()) == 1 # the first line of its log ends it
    assert Pix2PixHD.load(out/'stage_3/model').predict(synthetic_facade(1, (32, 32))).size == (32, 32)


def test_what_a_segmenter_reads_in_smaller_pictures(data):
    "The photos themselves are read as well as the photos; noise is not. Pictures are made as small as the segmenter's photos."
    held_out = open_dataset(data/'facades_256', 'val', need_images=True)
    large, small = (ScenesInMemory(SizedScenes(held_out, size)) for size in ((32, 32), (16, 16)))
    segmenter = train_segmenter(small, 40, bs=4)
    same, noise = (score_photo_model.read(segmenter, small, pictures) for pictures in ([to_pil(s.image) for s in large], [to_pil(torch.rand(3, 32, 32) * 2 - 1) for _ in large]))
    assert same['share'] == pytest.approx(1, abs=0.03) and noise['share'] < 0.8 * same['share']
    assert same['interval'][0] <= same['share'] <= same['interval'][1] and same['oracle_iou'].keys() == same['iou'].keys()
