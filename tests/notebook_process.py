"""Runs notebooks, each in a process of its own, forked from one that has imported what they all import.

Those imports take longer than most pages. Nothing else is shared: a page's process has its own folder, modules of the package and working state.
"""
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

# Only what leaves everything else as it was: fastai's own modules change how tensors are compared, so a page imports them itself.
IMPORTED = ('torch', 'torch._dynamo', 'torchvision', 'fastai.imports', 'fastprogress.fastprogress', 'sklearn.cluster', 'ipywidgets', 'execnb.shell', 'nbdev.process')


class Warm:
    "The process from which those of the notebooks are forked."
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, notebook, folder, output, minutes):
        "Runs `notebook` in place, in the checkout `folder`, and returns its exit code (None: stopped after `minutes`); what it writes goes to `output`."
        self.process.stdin.write(json.dumps([str(notebook), str(folder), str(output), minutes * 60]) + '\n')
        self.process.stdin.flush()
        if not (answer := self.process.stdout.readline()): raise RuntimeError('the process that starts the notebooks has ended')
        return json.loads(answer)


@contextmanager
def warm():
    "A `Warm`, ended when it is left."
    process = Warm()
    try: yield process
    finally:
        process.process.stdin.close()
        process.process.wait()
        process.process.stdout.close()


def run_here(notebook, folder):
    "Runs `notebook` and keeps its outputs, as `nbdev_test` does, which forgets them."
    from execnb.nbio import write_nb
    from execnb.shell import CaptureShell
    from nbdev.process import NBProcessor
    os.environ['IN_TEST'] = '1'
    sys.path[0] = str(folder)
    os.chdir(folder) # where settings.ini is looked for
    nb = NBProcessor(notebook, process=True).nb
    os.chdir(notebook.parent)
    shell = CaptureShell(notebook, mpl_format='png')
    not_run = lambda cell: cell.cell_type != 'code' or cell.directives_.get('eval:', [''])[0].lower() == 'false'
    try: shell.run_all(nb, exc_stop=True, preproc=not_run)
    except BaseException:
        sys.stderr.write(shell.prettytb(fname=notebook) + '\n')
        return 1
    write_nb(nb, notebook)
    return 0


def in_child(notebook, folder, output):
    "Makes the forked process one of its own, as if started from a shell, and runs `notebook`."
    os.setsid()
    nothing, written = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(nothing, 0), os.dup2(written, 1), os.dup2(written, 2)
    try: return run_here(Path(notebook), Path(folder))
    except BaseException:
        traceback.print_exc()
        return 1


def ended(pid, seconds):
    "The exit code of the process group `pid`; None if it had to be stopped after so many seconds."
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done: return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def as_on_a_page():
    "What is printed in a terminal is printed as on a page: tables of 20 columns, and no bars, which a page shows as HTML."
    import fastprogress.fastprogress
    import pandas
    fastprogress.fastprogress.NO_BAR = True
    pandas.set_option('display.max_columns', 20)


def serve():
    "Forks for each line that comes in, and answers with the exit code."
    for name in IMPORTED: __import__(name)
    as_on_a_page()
    for line in sys.stdin:
        notebook, folder, output, seconds = json.loads(line)
        pid = os.fork()
        if pid == 0: return in_child(notebook, folder, output)
        print(json.dumps(ended(pid, seconds)), flush=True)
    return 0


if __name__ == '__main__': sys.exit(serve())
