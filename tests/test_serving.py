"The server: what it answers, and what it refuses."
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
import numpy as np
import pytest
from PIL import Image

pytest.importorskip('fastapi')
pytest.importorskip('httpx')
from fastapi.testclient import TestClient # noqa: E402
from pix2pixhd_nb.commands.main import main # noqa: E402
from pix2pixhd_nb.commands.serving import create_app, generator_of # noqa: E402
from pix2pixhd_nb.models.generators import GlobalGenerator # noqa: E402
from pix2pixhd_nb.models.synthesizer import Synthesizer # noqa: E402
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD, street_model # noqa: E402


def png(size=(128, 64), value=0):
    "The bytes of a label map of one class."
    out = BytesIO()
    Image.new('L', size, value).save(out, 'PNG')
    return out.getvalue()


@pytest.fixture(scope='module')
def pipe(): return street_model()


def test_an_image_is_what_predict_gives(pipe):
    client = TestClient(create_app(generator_of(pipe)))
    answer = client.post('/generate?seed=3', content=png())
    assert answer.status_code == 200 and answer.headers['content-type'] == 'image/png'
    expected = pipe.predict(Image.open(BytesIO(png())), seed=3)
    assert (np.asarray(Image.open(BytesIO(answer.content))) == np.asarray(expected)).all()


@pytest.mark.parametrize('takes, makes, said', [(5, 3, 'takes pictures of 5 channels, which'), (1, 6, 'makes pictures of 6 channels, which'), (5, 6, 'takes pictures of 5 channels and makes pictures of 6 channels')])
def test_channels_that_no_png_holds_are_refused_before_it_serves(takes, makes, said):
    networks = dict(width=4, n_downsample=2, n_blocks=1)
    with pytest.raises(ValueError, match=said): generator_of(Pix2PixHD(Synthesizer(GlobalGenerator(takes, makes, **networks), takes, boundary=False)))


def test_ids_that_the_model_does_not_have_are_the_callers_mistake(pipe):
    answer = TestClient(create_app(generator_of(pipe))).post('/generate', content=png(value=200))
    assert answer.status_code == 400 and '200' in answer.text


@pytest.mark.parametrize('body, status', [(png((200, 200)), 413), (b'\0' * 3000, 413), (b'hello', 415), (png((90, 90))[:-30], 400)])
def test_uploads_are_bounded(body, status):
    done = []
    client = TestClient(create_app(done.append, max_bytes=2000, max_pixels=10_000))
    answer = client.post('/generate', content=body)
    assert answer.status_code == status and len(answer.text.splitlines()) == 1 and not done


def test_a_length_that_is_not_told_is_counted():
    client = TestClient(create_app(lambda job: b'', max_bytes=2000))
    assert client.post('/generate', content=(b'\0' * 500 for _ in range(10))).status_code == 413


def test_a_full_queue_says_so_at_once_and_the_others_get_theirs():
    hold, seen, threads = threading.Event(), [], set()
    def work(job):
        threads.add(threading.get_ident())
        hold.wait(30)
        seen.append(job[1])
        return b'picture'
    app = create_app(work, waiting=2)
    client, jobs = TestClient(app), app.state.worker.jobs
    def until(there, n=1000):
        while not there() and (n := n - 1): time.sleep(.01)
        assert there()
    with ThreadPoolExecutor(4) as pool:
        ask = lambda seed: pool.submit(client.post, f'/generate?seed={seed}', content=png())
        answers = [ask(0)]
        until(lambda: threads and jobs.empty()) # it is with the worker
        answers += [ask(1), ask(2)]
        until(jobs.full)
        try:
            refused = client.post('/generate', content=png())
            assert client.get('/health').json() == {'waiting': 2, 'at_most': 2}
        finally: hold.set()
        assert refused.status_code == 503 and refused.headers['retry-after'] == '1'
        assert [a.result(30).status_code for a in answers] == [200] * 3
    assert sorted(seen) == [0, 1, 2] and len(threads) == 1


def test_a_caller_is_sent_away_and_what_waited_is_not_begun():
    hold, seen = threading.Event(), []
    app = create_app(lambda job: (seen.append(job[1]), hold.wait(30), b'')[2], patience=.2)
    client = TestClient(app)
    assert [client.post(f'/generate?seed={seed}', content=png()).status_code for seed in (1, 2)] == [504, 504]
    hold.set()
    app.state.worker.close()
    assert seen == [1]


def test_a_failure_of_the_worker_is_not_its_end():
    def work(job):
        if job[1] == 1: raise ValueError('no such seed')
        return b'picture'
    client = TestClient(create_app(work))
    assert [client.post(f'/generate?seed={seed}', content=png()).status_code for seed in (1, 2)] == [400, 200]


def test_the_command_refuses_a_folder_without_a_model(tmp_path, capsys):
    assert main(['serve', str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
