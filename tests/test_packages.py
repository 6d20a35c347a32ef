"What a package gives: the public names of its modules, and nothing is imported before it is needed."
import subprocess
import sys
from importlib import import_module
import pytest
from packages import LIBRARY, packages
from pix2pixhd_nb._house import EVERYDAY, PACKAGES

HEAVY = ('torch', 'numpy', 'fastai', 'matplotlib', 'PIL')


def loaded_by(code):
    "Which heavy packages a fresh Python has imported after `code`, and what it printed."
    program = f'import sys\n{code}\nprint("loaded:", *[m for m in {HEAVY} if m in sys.modules])'
    run = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True)
    said, _, loaded = run.stdout.rpartition('loaded:')
    return loaded.split(), said


@pytest.mark.parametrize('path', packages())
def test_an_init_is_what_its_modules_give(path):
    assert (LIBRARY/path).read_text(encoding='utf-8') == packages()[path], f'pix2pixhd_nb/{path} is not what tools/packages.py writes: run `make export`.'


@pytest.mark.parametrize('package', PACKAGES)
def test_every_name_of_a_package_is_there(package):
    module = import_module(f'pix2pixhd_nb.{package}')
    assert module.__all__ and not [name for name in module.__all__ if getattr(module, name, None) is None]


def test_the_everyday_names_are_there():
    import pix2pixhd_nb
    assert set(pix2pixhd_nb.__all__) == {name for names in EVERYDAY.values() for name in names} >= {'Scene', 'open_dataset', 'Pix2PixHD', 'evaluate'}
    for name in pix2pixhd_nb.__all__: assert getattr(pix2pixhd_nb, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    import pix2pixhd_nb
    with pytest.raises(AttributeError, match="'pix2pixhd_nb' has no attribute 'pix2pix'"): pix2pixhd_nb.pix2pix


def test_the_package_and_its_packages_import_without_torch():
    assert loaded_by('import pix2pixhd_nb\n' + '\n'.join(f'import pix2pixhd_nb.{package}' for package in PACKAGES)) == ([], '')


def test_one_name_imports_its_own_floor_alone():
    loaded, _ = loaded_by('from pix2pixhd_nb.models import instance_boundaries')
    assert loaded[0] == 'torch' and not {'fastai', 'matplotlib'} & set(loaded)


@pytest.mark.parametrize('arguments', [['--help'], ['--version'], []])
def test_the_program_answers_without_torch(arguments):
    loaded, said = loaded_by(f'from pix2pixhd_nb.commands.main import main\ntry: main({arguments})\nexcept SystemExit: pass')
    assert loaded == []
    if arguments == ['--help']: assert all(line in said for line in ('Train on a dataset', 'Grade a model', 'doctor', 'plan'))


def test_help_of_a_command_lists_its_arguments():
    _, said = loaded_by("from pix2pixhd_nb.commands.main import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass")
    assert '--enhancers' in said and 'learning rate' in said


def test_a_training_starts_without_what_it_does_not_use():
    "torchvision's operators import PyTorch's compiler: two seconds of every command."
    program = "import sys, pix2pixhd_nb.commands.training\nprint([m for m in ('torchvision', 'torch._dynamo') if m in sys.modules])"
    assert subprocess.run([sys.executable, '-W', 'ignore', '-c', program], capture_output=True, text=True, check=True).stdout.strip() == '[]'
