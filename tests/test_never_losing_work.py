"Runs that are killed, interrupted, starved of disk, fed damaged files, asked to stop or two in one folder: nothing whole is lost, nothing damaged is used."
import json
import subprocess
import sys
from pathlib import Path
import pytest


@pytest.fixture(scope='module')
def result(tmp_path_factory):
    "What `interrupted_runs.py` saw."
    out = subprocess.run([sys.executable, Path(__file__).with_name('interrupted_runs.py'), tmp_path_factory.mktemp('runs')], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    print(*(line for line in out.stderr.splitlines() if line.endswith(' s')), sep='\n')
    return json.loads(out.stdout.splitlines()[-1])

def test_twenty_kills_change_nothing(result):
    killed = result['killed']
    print(killed)
    assert killed['kills'] == 20 and killed['damaged'] == 0 and killed['went_back'] == 0 and killed['parts'] == 0
    assert killed['equal'] and killed['same_losses']

def test_killed_at_any_line_of_a_write(result):
    tally = result['killed_at_every_line']
    print(tally)
    assert set(tally) == {'checkpoint', 'model', 'segmenter', 'previews', 'report'}
    for name, seen in tally.items():
        assert seen['kills'] >= 12 and seen['before'] > 0 and seen['other'] == seen['stray'] == 0, name
        assert seen['before'] + seen['after'] >= seen['kills'], name
    assert sum(seen['kills'] for seen in tally.values()) >= 100

def test_a_ctrl_c_in_a_save_stops_after_it_and_two_stop_at_once(result):
    tally = result['interrupted']
    print(tally)
    assert tally['once'] == tally['stopped'] >= 10 and tally['twice'] == tally['at_once'] >= 6
    assert tally['damaged'] == tally['lost'] == 0

def test_a_ctrl_c_while_the_model_is_written_names_resume(result):
    tally = result['interrupted_at_the_end']
    print(tally)
    assert tally['statuses'] == [130] * len(tally['statuses']) and len(tally['statuses']) >= 10
    assert tally['said'] == tally['resume_named'] == len(tally['statuses'])
    assert tally['saved'] and tally['parts'] == 0

def test_asked_to_stop_it_saves_and_goes_on(result):
    for run, name in zip(result['asked_to_stop'], ('SIGTERM', 'SIGINT'), strict=True):
        assert run['status'] == 0 and f'Training was asked to stop ({name}) and did' in run['said'], run
        assert run['epoch'] < 6 and run['again'] == 2 and 'has checkpoints of an earlier run' in run['refusal'], run
        assert run['done'] == 0 and run['reached'] == 6 and run['saved'], run

def test_two_trainings_in_one_folder(result):
    two = result['two_at_once']
    assert two['second'] == two['resumed'] == 2 and all('Another training (process' in s for s in two['said']) and two['named'], two
    assert two['first_went_on'] and two['third'] == 0, two # who was killed holds no lock
    assert two['damaged'] == two['parts'] == 0 and not two['lock'], two

def test_a_full_disk_keeps_what_is_whole(result):
    full = result['full_disk']
    said = '\n'.join(full['said'])
    assert full['status'] == 0 and full['loads'] and full['parts'] == full['damaged'] == 0, full
    assert full['left'][-1] == 'stage0-epoch00001-batch0000000', full # from before the disk was full
    assert said.count('No pictures were written') == 1 and said.count('No checkpoint was written') == 2 and 'make room; training goes on' in said, said
    assert 'The model was not written' in said and 'make room; it is tried again' in said and 'The model was written, after ' in said, said
    print(full['disk'], full['writes'])
    for name, seen in full['writes'].items():
        assert seen['kept'] and seen['after'] and seen['parts'] == 0, (name, seen)
        if name == 'checkpoint': assert 'make room' in seen['said'][0], seen
        else: assert seen['error'].startswith('OSError') and len(seen['error'].splitlines()) == 1, (name, seen)

def test_no_damage_is_taken_for_whole(result): assert result['damage'] == dict(cases=40, taken_for_whole=0)

def test_reading_processes_change_nothing(result): assert result['workers_agree']

def test_images_that_vanish_end_in_an_error_message(result):
    for run in result['images_vanish']: assert run['named'] and run['steps'] >= 3, run

def test_a_long_run_does_not_grow(result):
    soak = result['soak']
    print(soak)
    assert soak['steps'] >= 240 and len(soak['memory']) == 5
    assert soak['memory'][-1] < 1.01 * soak['memory'][0], soak['memory']
    assert soak['tensors'][-1] - soak['tensors'][0] <= soak['steps'], soak['tensors'] # fastai's Recorder keeps one a step
    assert soak['files'] <= 0 and soak['processes'] <= 0
