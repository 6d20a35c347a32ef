"The benchmark's page shows what was measured, and says what was not."
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/'benchmarks'))
import gpu
import page
import speed

MACHINE = dict(processor='a processor', cores=16, threads=16, gpu='A GPU', python='3.12', torch='2')


def seconds(s, **more): return dict(median=s, least=s, most=2 * s) | more


def written(folder, monkeypatch, **parts):
    "The page of a machine whose parts were measured."
    monkeypatch.setattr(page, 'RESULTS', folder)
    (folder/'machine.json').write_text(json.dumps({k: dict(what='What it is.', machine=MACHINE, date='2026-01-01') | v for k, v in parts.items()}))
    page.main()
    return (folder/'README.md').read_text()


def test_a_gpu_has_its_section(tmp_path, monkeypatch):
    text = written(tmp_path, monkeypatch, gpu_rates=dict(rates=dict(fp32=5e13, bf16=6e14, copy=3e12)),
                   gpu_step={'recipe': seconds(.6, warm_up=1), 'ours, bf16, CUDA graph': seconds(.1, warm_up=2), 'ours, bf16, compiled': dict(failed='RuntimeError: no compiler\nand more', warm_up=0)} | dict(operations=3e13),
                   gpu_memory=dict(rows={'bf16, activation checkpointing': seconds(1., tensors=7e9, reserved=8e9, device=9e9), 'fp32': dict(failed='out of memory')}),
                   gpu_first_picture=dict(seconds=dict(fast={k: 1.5 for k in ('import', 'load', 'first', 'second', 'until_first')})),
                   gpu_growth=dict(by_pixels={32768: dict(recipe=.1, ours=.01)}, by_batch={1: dict(recipe=None, ours=.02)}),
                   gpu_pooling=dict(recipe=seconds(.1), ours=seconds(.001)))
    assert '## A GPU' in text and 'want of a GPU' not in text
    line = next(x for x in text.splitlines() if x.startswith('| ours, bf16, CUDA graph |'))
    assert line == '| ours, bf16, CUDA graph | 100 (100 to 200) | 6.00 | 6 | 300.0 | 50% | 2.0 |'
    assert '| ours, bf16, compiled | failed: RuntimeError: no compiler |' in text
    assert '| bf16, activation checkpointing | 7.00 GB | 8.00 GB | 9.00 GB | 1,000 (1,000 to 2,000) |' in text and 'failed: out of memory' in text
    assert '| 32,768 pixels | 100 | 10 |' in text and '| fast | 1.50 s |' in text and '| ours | 1 (1 to 2) | 100.00 | 50 |' in text


def test_what_needs_a_gpu_is_marked(tmp_path, monkeypatch):
    monkeypatch.setitem(MACHINE, 'gpu', None)
    text = written(tmp_path, monkeypatch, generating=dict(recipe=seconds(2.), ours=seconds(1.)))
    assert 'Not run here, for want of a GPU (`python benchmarks/gpu.py`' in text
    for what in page.NEEDS_GPU + page.NOT_RUN: assert what in text


def test_the_page_is_that_of_the_results(tmp_path, monkeypatch):
    "The committed page says what the committed figures say."
    for p in page.RESULTS.glob('*.json'): (tmp_path/p.name).write_text(p.read_text())
    committed = (page.RESULTS/'README.md').read_text()
    monkeypatch.setattr(page, 'RESULTS', tmp_path)
    page.main()
    assert (tmp_path/'README.md').read_text() == committed


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_nothing_is_measured():
    run = subprocess.run([sys.executable, ROOT/'benchmarks/gpu.py', '--results', '/nowhere'], capture_output=True, text=True, check=True)
    assert 'There is no GPU here' in run.stdout


@pytest.mark.parametrize('precision', [None, 'bf16'])
def test_the_compiled_rows_of_a_gpu_can_be_made(monkeypatch, precision):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, 'compile', lambda self, **how: compiled.append(self))
    for module in (gpu, speed): monkeypatch.setattr(module, 'DEVICE', 'cpu')
    image = gpu.generating_of((32, 64), precision, compiled=True, graph=False, width=4, n_downsample=2, n_blocks=1, encoder_width=4, discriminator_width=4)()
    assert image.shape[-2:] == (32, 64) and len(compiled) == 1
    assert type(compiled[0]).__name__ == 'GlobalGenerator', 'the generator that makes the image'
