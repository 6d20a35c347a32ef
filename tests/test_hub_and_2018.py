"The Hub, spoken to over HTTP that a stand-in answers; weights of 2018 by one command."
import base64
import hashlib
import json
import httpx
import numpy as np
import pytest
import torch
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.core import LabelSpace, to_pil
from pix2pixhd_nb.models.generators import GlobalGenerator
from pix2pixhd_nb.models.synthesizer import Synthesizer
from pix2pixhd_nb.synthesis import hub # noqa: F401, gives Pix2PixHD.from_pretrained
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from test_pipeline import GOLDEN

huggingface_hub = pytest.importorskip('huggingface_hub')
LABELS = torch.arange(32 * 64).view(32, 64) % 5
COMMIT = 'a' * 40


@pytest.fixture
def pipe():
    torch.manual_seed(0)
    return Pix2PixHD(Synthesizer(GlobalGenerator(6, width=4, n_downsample=2, n_blocks=1), 5), LabelSpace(list('abcde')), training=dict(size=[32, 64], steps=7, options=dict(lr=0.001)))


def same(a, b): return np.array_equal(np.asarray(a.predict(LABELS)), np.asarray(b.predict(LABELS)))


def test_a_local_folder(pipe, tmp_path):
    folder = pipe.save_pretrained(tmp_path/'model')
    card = (folder/'README.md').read_text()
    assert '| steps | 7 |' in card and '| option lr | 0.001 |' in card and huggingface_hub.ModelCard.load(folder/'README.md').data.library_name == 'pix2pixhd_nb'
    assert same(Pix2PixHD.from_pretrained(folder), pipe)
    (folder/'README.md').write_text('my own')
    assert (pipe.save_pretrained(folder)/'README.md').read_text() == 'my own'


@pytest.fixture
def answers(tmp_path, monkeypatch):
    "The library's HTTP client talks to a function; files that are committed can be fetched."
    files, seen = {}, []
    def answer(request):
        path = request.url.path
        seen.append((request.method, path))
        if path == '/api/validate-yaml': return httpx.Response(200, json=dict(errors=[], warnings=[]))
        if path == '/api/repos/create': return httpx.Response(200, json=dict(url='https://huggingface.co/me/model', name='me/model'))
        if path.startswith('/api/models/me/model/preupload'):
            return httpx.Response(200, json=dict(files=[dict(path=f['path'], uploadMode='regular', shouldIgnore=False, oid=None) for f in json.loads(request.read())['files']]))
        if path.startswith('/api/models/me/model/commit'):
            for line in map(json.loads, request.read().splitlines()):
                if line['key'] == 'file': files[line['value']['path']] = base64.b64decode(line['value']['content'])
            return httpx.Response(200, json=dict(success=True, commitOid=COMMIT, commitUrl=f'https://huggingface.co/me/model/commit/{COMMIT}', hookOutput=''))
        entries = [dict(type='file', path=k, size=len(v), oid=hashlib.sha1(v).hexdigest()) for k, v in files.items()]
        if '/tree/' in path: return httpx.Response(200, json=entries)
        if path.startswith('/api/models/me/model'):
            return httpx.Response(200, json=dict(id='me/model', _id='1', sha=COMMIT, private=False, disabled=False, downloads=0, likes=0, tags=[], siblings=[dict(rfilename=k) for k in files]))
        if path.startswith('/me/model/resolve/'):
            content = files[path.split('/')[-1]]
            headers = {'ETag': f'"{hashlib.sha1(content).hexdigest()}"', 'X-Repo-Commit': COMMIT, 'Content-Length': str(len(content))}
            return httpx.Response(200, headers=headers, content=b'' if request.method == 'HEAD' else content)
        return httpx.Response(404, headers={'X-Error-Code': 'RepoNotFound'}, json=dict(error='Repository not found'))
    huggingface_hub.set_client_factory(lambda: httpx.Client(transport=httpx.MockTransport(answer)))
    yield files, seen
    huggingface_hub.set_client_factory(httpx.Client)


def test_there_and_back(pipe, answers, tmp_path):
    pipe.push_to_hub('me/model', token='hf_made_up')
    assert sorted(f.split('.')[-1] for f in answers[0]) == ['json', 'md', 'safetensors']
    assert same(Pix2PixHD.from_pretrained('me/model', cache_dir=tmp_path, token=False), pipe)


def test_no_such_repository(answers, tmp_path):
    with pytest.raises(ValueError, match='the Hub refused it'): Pix2PixHD.from_pretrained('me/nothing', cache_dir=tmp_path, token=False)


def test_offline_is_said(tmp_path):
    def down(request): raise httpx.ConnectError('no network', request=request)
    huggingface_hub.set_client_factory(lambda: httpx.Client(transport=httpx.MockTransport(down)))
    try:
        with pytest.raises(ValueError, match='cannot be reached'): Pix2PixHD.from_pretrained('me/model', cache_dir=tmp_path, token=False)
    finally: huggingface_hub.set_client_factory(httpx.Client)


def test_convert_2018(tmp_path, capsys):
    "A checkpoint with the old names becomes a pipeline; it generates the golden picture (8-bit reference: a few levels off)."
    for name, key in (('G.pth', 'one_enhancer'), ('E.pth', 'encoder')): torch.save(GOLDEN['state'][key], tmp_path/name)
    n, t = GOLDEN['config']['n_classes'], GOLDEN['tensors']
    (tmp_path/'meta.json').write_text(json.dumps(LabelSpace([f'class {i}' for i in range(n)]).to_dict()))
    np.save(tmp_path/'f.npy', {0: np.zeros((2, 3), 'float32'), 1: np.ones((1, 3), 'float32')}, allow_pickle=True)
    command = ['convert-2018', str(tmp_path/'G.pth'), str(tmp_path/'out'), '--label-space', str(tmp_path)]
    assert main([*command, '--encoder', str(tmp_path/'E.pth'), '--styles', str(tmp_path/'f.npy')]) == 0
    pipe = Pix2PixHD.load(tmp_path/'out')
    assert pipe.style_book.centres[0].shape == (2, 3)
    for label, instances, image, expected in zip(t['label'], t['inst'], t['image'], t['one_enhancer']):
        generated = np.asarray(pipe.predict(label, instances, reference=to_pil(image))).astype(int)
        assert abs(generated - np.asarray(to_pil(expected))).max() <= 3
    assert main([*command[:2], str(tmp_path/'other'), *command[3:]]) == 2 and 'give the encoder' in capsys.readouterr().err
