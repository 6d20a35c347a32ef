"What the commands say on standard error: nothing that is not ours. Image to image, through all of them."
import json
import subprocess
import sys
import numpy as np
import pytest
from PIL import Image

TINY = '--width 8 --n-downsample 2 --n-blocks 1 --discriminator-width 8 --n-scales 2 --epochs 1 --decay 1 --batch 1'.split()
PROGRAM = '''
import json, sys
from pix2pixhd_nb.commands.main import main
for line in json.loads(sys.argv[1]):
    sys.stderr.write('$ ' + line[0] + '\\n')
    sys.stderr.write(f'= {main(line)}\\n')
'''


def run(lines):
    "Each command's exit status and what it wrote to standard error, by its name; all in one fresh Python."
    err = subprocess.run([sys.executable, '-c', PROGRAM, json.dumps(lines)], capture_output=True, text=True, check=True).stderr
    before, *parts = err.split('$ ')
    found = {part.split('\n', 1)[0]: part.split('\n', 1)[1].rpartition('= ') for part in parts}
    return before, {name: (int(status), said) for name, (said, _, status) in found.items()}


@pytest.fixture(scope='module')
def said(tmp_path_factory):
    "All commands on pairs of pictures."
    folder, rng = tmp_path_factory.mktemp('pairs'), np.random.default_rng(0)
    for split, n in (('train', 4), ('test', 2)):
        (folder/'ab'/split).mkdir(parents=True)
        for i in range(n): Image.fromarray(rng.integers(0, 256, (32, 128, 3), dtype=np.uint8)).save(folder/'ab'/split/f'{i}.png')
    data, model = str(folder/'data'), str(folder/'model')
    lines = [['convert', 'side-by-side', str(folder/'ab'), data], ['doctor', data], ['train', data, model, *TINY],
             ['synthesize', model, data, str(folder/'out')], ['evaluate', model, data, str(folder/'graded'), '--split', 'test'],
             ['styles', model, str(folder/'styles.png')]]
    return (folder, *run(lines))


def test_no_warning_of_others(said):
    _, before, commands = said
    assert before == '' and len(commands) == 6
    assert not [said for _, said in commands.values() if 'Warning' in said or 'warn(' in said or 'Traceback' in said]


def test_image_to_image_goes_through_all_commands(said):
    _, _, commands = said
    assert {name: status for name, (status, _) in commands.items()} == dict(convert=0, doctor=0, train=0, synthesize=0, evaluate=0, styles=2)
    assert 'no styles to show' in commands['styles'][1]
