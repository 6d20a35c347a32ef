"The server: what it answers, and what it refuses."
import struct
import threading
import time
import zlib
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
from pix2pixhd_nb.data.toy import LABEL_SPACE # noqa: E402
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


def encoded(picture, format='PNG', **more):
    out = BytesIO()
    picture.save(out, format, **more)
    return out.getvalue()


def grey_of_4_bits(ids):
    "The bytes of a grey PNG with two pixels in a byte, which Pillow does not write."
    chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = b''.join(b'\0' + bytes((row[::2] << 4 | row[1::2]).tolist()) for row in ids)
    head = struct.pack('>IIBBBBB', ids.shape[1], ids.shape[0], 4, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')


IDS = np.ones((32, 64), np.uint8)
IDS[16:], IDS[10:20, 10:25] = 3, 5
TURNED = Image.Exif()
TURNED[0x0112] = 6 # a quarter to the right
COLORS = np.array(LABEL_SPACE.colors, np.uint8)[IDS]


@pytest.mark.parametrize('body', [
    encoded(Image.fromarray(IDS)), grey_of_4_bits(IDS), encoded(Image.fromarray(IDS).convert('RGB')), encoded(Image.fromarray(COLORS)),
    encoded(Image.fromarray(IDS.astype(np.uint16))), encoded(Image.fromarray(IDS.astype(np.int32)), 'TIFF'),
    encoded(Image.fromarray(np.rot90(IDS).copy()), exif=TURNED)], ids='8-bit 4-bit RGB colours 16-bit TIFF turned'.split())
def test_a_map_is_read_as_from_a_file(pipe, body, tmp_path):
    (tmp_path / 'map').write_bytes(body)
    answer = TestClient(create_app(generator_of(pipe))).post('/generate?seed=1', content=body)
    assert answer.status_code == 200, answer.text
    picture = np.asarray(Image.open(BytesIO(answer.content)))
    assert (picture == np.asarray(pipe.predict(IDS.astype(int), seed=1))).all()
    assert (picture == np.asarray(pipe.predict(tmp_path / 'map', seed=1))).all()


@pytest.mark.parametrize('body, said', [
    (encoded(Image.fromarray(IDS), 'JPEG'), 'is a JPEG, which changes the ids'), (encoded(Image.fromarray(IDS), 'WEBP', quality=50), 'lossy WEBP'),
    (encoded(Image.fromarray(IDS), 'GIF', save_all=True, append_images=[Image.fromarray(IDS[::-1].copy())]), 'holds 2'),
    (encoded(Image.fromarray(np.uint8(COLORS * .9))), 'has colours that the label space does not list'),
    (encoded(Image.fromarray(IDS / 2.), 'TIFF'), 'stores fractions')], ids='JPEG WebP GIF colours fractions'.split())
def test_a_map_that_no_file_may_hold_is_refused(pipe, body, said):
    answer = TestClient(create_app(generator_of(pipe))).post('/generate', content=body)
    assert answer.status_code == 400 and answer.text.startswith('label_map ') and said in answer.text and len(answer.text.splitlines()) == 1


def test_a_model_for_images_takes_photos_and_never_several():
    n, photo = dict(width=4, n_downsample=1, n_blocks=1), Image.fromarray(COLORS)
    client = TestClient(create_app(generator_of(Pix2PixHD(Synthesizer(GlobalGenerator(3, **n), 3, boundary=False)))))
    answers = [client.post('/generate', content=body) for body in (encoded(photo, 'JPEG'), encoded(photo.rotate(90, expand=True), exif=TURNED))]
    assert [Image.open(BytesIO(a.content)).size for a in answers] == [(64, 32)] * 2
    several = client.post('/generate', content=encoded(photo, 'GIF', save_all=True, append_images=[photo.rotate(180)]))
    assert several.status_code == 400 and 'holds 2 pictures' in several.text


def test_a_picture_that_claims_more_than_any_is_too_large():
    head = struct.pack('>IIBBBBB', 2**30, 2**30, 8, 0, 0, 0, 0)
    body = b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + b'IHDR' + head + struct.pack('>I', zlib.crc32(b'IHDR' + head)) + png()[33:]
    answer = TestClient(create_app(lambda job: b'')).post('/generate', content=body)
    assert answer.status_code == 413 and 'MAX_PIXELS' not in answer.text


@pytest.mark.parametrize('seed, status', [(-3, 400), (2**70, 200), ('x', 422)])
def test_a_seed_is_any_number_from_0(pipe, seed, status):
    assert TestClient(create_app(generator_of(pipe))).post(f'/generate?seed={seed}', content=png((1, 1))).status_code == status
