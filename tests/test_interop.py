"2018 checkpoints that cannot be read say why in an error message that names the file, and run no code."
import os
from pathlib import Path
import pytest
import torch
from pix2pixhd_nb.synthesis.weights_2018 import read_2018_discriminator, read_2018_encoder, read_2018_generator

STATE = torch.load(Path(__file__).parent/'golden.pt', weights_only=True)['state']
LOADERS = dict(one_enhancer=read_2018_generator, encoder=read_2018_encoder, discriminator=read_2018_discriminator)


class Code:
    "Touches a file when it is unpickled by who trusts it."
    def __init__(self, path): self.path = path
    def __reduce__(self): return os.mknod, (str(self.path),)


@pytest.mark.parametrize('kind', LOADERS)
def test_truncation_at_any_place_is_told(kind, tmp_path):
    path = tmp_path/'latest_net.pth'
    torch.save(STATE[kind], path)
    whole = path.read_bytes()
    assert LOADERS[kind](path) is not None
    for n in range(0, len(whole), len(whole) // 12):
        path.write_bytes(whole[:n])
        with pytest.raises(ValueError, match=r'latest_net\.pth') as e: LOADERS[kind](path)
        assert '\n' not in str(e.value)


@pytest.mark.parametrize('kind', LOADERS)
def test_another_network_is_told(kind):
    for other in LOADERS.keys() - {kind}:
        with pytest.raises(ValueError, match='holds a 2018'): LOADERS[kind](STATE[other])


@pytest.mark.parametrize('kind', LOADERS)
def test_missing_surplus_and_misshapen_weights_are_told(kind):
    state = STATE[kind]
    for k in state:
        with pytest.raises(ValueError): LOADERS[kind]({name: v for name, v in state.items() if name != k})
        with pytest.raises(ValueError) as e: LOADERS[kind](state | {k: torch.zeros(7, *state[k].shape)})
        assert '\n' not in str(e.value)
    with pytest.raises(ValueError): LOADERS[kind](state | {f'{next(iter(state))}.more': torch.zeros(1)})


def test_no_code_runs(tmp_path):
    mark = tmp_path/'ran'
    torch.save({'model.1.weight': Code(mark)}, tmp_path/'latest_net_G.pth')
    with pytest.raises(ValueError, match=r'latest_net_G\.pth .* opening it could run code'): read_2018_generator(tmp_path/'latest_net_G.pth')
    assert not mark.exists()


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'No checkpoint at .*latest_net_G\.pth'): read_2018_generator(tmp_path/'latest_net_G.pth')
