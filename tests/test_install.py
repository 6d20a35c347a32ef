"What pip installs: the wheel and the source distribution, built as a release is."
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

pytest.importorskip('build')
TOP = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    "The source distribution, and the wheel that is built from it."
    out = tmp_path_factory.mktemp('dist')
    files = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=TOP, capture_output=True, check=True).stdout.decode().split('\0')
    clone = tmp_path_factory.mktemp('clone')
    for name in filter(None, files):
        if not (TOP / name).is_file(): continue
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes((TOP / name).read_bytes())
    run = subprocess.run([sys.executable, '-m', 'build', '--no-isolation', '--outdir', str(out), str(clone)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return next(out.glob('*.tar.gz')), next(out.glob('*.whl'))


def metadata(wheel):
    with zipfile.ZipFile(wheel) as z: return message_from_bytes(z.read(next(n for n in z.namelist() if n.endswith('METADATA'))))


def test_the_long_description_has_no_relative_link(built):
    text = metadata(built[1]).get_payload()
    links = re.findall(r'\]\(([^)]+)\)', text)
    assert len(links) > 20 and not [x for x in links if not re.match(r'https?://|#|mailto:', x)]
    assert 'raw.githubusercontent.com' in next(x for x in links if x.endswith('.png'))


def test_the_wheel_holds_models_types_and_extras(built):
    with zipfile.ZipFile(built[1]) as z: names = z.namelist()
    assert {'pix2pixhd_nb/py.typed', 'pix2pixhd_nb/pretrained/street/pipeline.json', 'pix2pixhd_nb/pretrained/street/README.md'} <= set(names)
    assert not [n for n in names if n.startswith(('tests/', 'nbs/', 'web/'))]
    about = metadata(built[1])
    assert {'widgets', 'hub', 'onnx', 'serve', 'tiff', 'trackers', 'distributed', 'dev'} <= set(about.get_all('Provides-Extra'))
    assert 'Typing :: Typed' in about.get_all('Classifier')


def test_the_source_distribution_tests_itself(built, tmp_path):
    with tarfile.open(built[0]) as t: t.extractall(tmp_path, filter='data')
    top = next(tmp_path.iterdir())
    assert {'Makefile', 'CHANGELOG.md', 'CITATION.cff', 'nbs', 'tests', 'web'} <= {p.name for p in top.iterdir()}
    run = subprocess.run([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'tests/test_packages.py', '-k', 'init or unknown or program'],
                         cwd=top, capture_output=True, text=True, env={'PYTHONPATH': str(top), 'PATH': '/usr/bin:/bin', 'HOME': str(tmp_path)})
    assert run.returncode == 0 and ' passed' in run.stdout, run.stdout[-2000:]


def test_the_version_is_one():
    version = re.search(r'^version = (.+)$', (TOP / 'settings.ini').read_text(), re.MULTILINE)[1]
    assert f'\nversion: {version}\n' in (TOP / 'CITATION.cff').read_text() and f'\n## {version}\n' in (TOP / 'CHANGELOG.md').read_text()
