"Exported graphs: under onnxruntime they generate what PyTorch generates, for every generator, norm and size."
import numpy as np
import pytest
import torch
from pix2pixhd_nb.core import LabelSpace, to_pil
from pix2pixhd_nb.models.baselines import UNet
from pix2pixhd_nb.models.encoder import FeatureEncoder
from pix2pixhd_nb.models.generators import CoarseToFineGenerator, GlobalGenerator
from pix2pixhd_nb.models.pooling import instance_vectors
from pix2pixhd_nb.models.synthesizer import Synthesizer
from pix2pixhd_nb.synthesis.export import number_objects
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD, street_model

ort = pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')
KINDS = dict(global_=lambda c, n: GlobalGenerator(c, width=4, n_downsample=2, n_blocks=1, norm=n),
             notched=lambda c, n: GlobalGenerator(c, width=4, n_downsample=2, n_blocks=1, norm=n, upsampling='resize', notch=True),
             enhancer=lambda c, n: CoarseToFineGenerator(c, width=4, n_downsample=1, n_blocks=1, n_enhancers=1, n_enhancer_blocks=1, norm=n),
             notched_enhancer=lambda c, n: CoarseToFineGenerator(c, width=4, n_downsample=1, n_blocks=1, n_enhancers=1, n_enhancer_blocks=1, norm=n, upsampling='resize', notch=True),
             unet=lambda c, n: UNet(c, width=4, n_downsample=3, norm=n))


def small(kind, norm, styles=True, n=20):
    "Random weights and, with batch norm, random statistics; the outputs fill the range."
    torch.manual_seed(0)
    generator = KINDS[kind](n + 1 + 3 * styles, norm)
    encoder = FeatureEncoder(width=4, n_downsample=2, norm=norm) if styles else None
    model = Synthesizer(generator, n, encoder=encoder)
    for m in model.modules():
        if isinstance(m, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)): torch.nn.init.normal_(m.weight, 0, 0.1)
        if isinstance(m, torch.nn.BatchNorm2d): m.running_mean.normal_(0, 0.1); m.running_var.uniform_(0.5, 1.5)
    return Pix2PixHD(model, LabelSpace([f'c{i}' for i in range(n)], ignore_id=255))


def scene(h, w, ids=(7, 26001, 26002, 3, 90000), seed=0):
    rng = np.random.default_rng(seed)
    blocks = lambda choices: torch.tensor(rng.choice(choices, (1, 1, h // 4, w // 4)).repeat(4, 2).repeat(4, 3))
    return blocks([*range(20), 255]), blocks(list(ids))


def run(path, **feed):
    session = ort.InferenceSession(path)
    return session.run(None, {i.name: np.asarray(feed[i.name]) for i in session.get_inputs()})[0]


@pytest.mark.parametrize('norm', ['instance', 'batch'])
@pytest.mark.parametrize('kind', KINDS)
def test_graphs_equal_torch(kind, norm, tmp_path):
    pipe = small(kind, norm)
    image, styles = pipe.export(tmp_path/'out.onnx')
    for h, w in (32, 64), (48, 40):
        label, instances = scene(h, w)
        objects, ids = number_objects(instances)
        table = torch.randn(len(ids), 3)
        expected = pipe.generate(label, instances, table[objects[0, 0].long()].permute(2, 0, 1)[None])
        generated = run(image, label_map=label.int(), objects=objects, styles=table)
        assert expected.std() > 0.02 and np.abs(generated - expected.numpy()).max() < 1e-3
        predicted = pipe.predict(label, instances, styles={int(i): v for i, v in zip(ids, table)})
        levels = np.abs(np.asarray(to_pil(torch.tensor(generated))).astype(int) - np.asarray(predicted))
        assert levels.max() <= 1 and (levels > 0).mean() < 1e-3 # a value on the border of two levels
        photo = torch.rand(1, 3, h, w) * 2 - 1
        pooled = instance_vectors(pipe.synthesizer.pixel_features(photo), instances)['vector']
        measured = run(styles, photo=photo, objects=objects, numbers=torch.arange(len(ids), dtype=torch.int32))
        assert pooled.std() > 1e-3 and np.abs(measured - pooled.numpy()).max() < 1e-3


def test_one_object_and_no_styles(tmp_path):
    pipe = small('global_', 'instance', styles=False)
    image, = pipe.export(tmp_path/'out.onnx')
    label, instances = scene(32, 32, ids=[5])
    assert np.abs(run(image, label_map=label.int(), objects=number_objects(instances)[0]) - pipe.generate(label, instances).numpy()).max() < 1e-3


def test_torch_export():
    network, example, shapes = small('enhancer', 'instance').graphs()['image']
    program = torch.export.export(network, example, dynamic_shapes=shapes)
    label, instances = scene(64, 32)
    inputs = label.int(), number_objects(instances)[0], torch.randn(5, 3)
    assert (program.module()(*inputs) - network(*inputs)).abs().max() < 1e-3


def test_the_street_model_fits_a_browser(tmp_path):
    "The shipped model, in 16-bit weights: under 10 MB, and the picture that `predict` gives."
    pipe = street_model()
    files = pipe.export(tmp_path/'street.onnx', half=True)
    assert all(f.stat().st_size < 10e6 for f in files)
    label = torch.zeros(1, 1, 64, 128, dtype=torch.long)
    label[..., 32:, :] = 1
    ids, styles = label + 10, pipe.random_styles(label, label + 10, 0)
    objects, names = number_objects(ids)
    generated = run(files[0], label_map=label.int(), objects=objects, styles=torch.stack([styles[int(i)] for i in names]).float())
    levels = np.abs(np.asarray(to_pil(torch.tensor(generated))).astype(int) - np.asarray(pipe.predict(label, ids, styles=styles)))
    assert levels.max() <= 1 and (levels > 0).mean() < 1e-2


def test_another_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match='ends in .onnx'): small('unet', 'batch').export(tmp_path/'out.pt')


def test_names_of_axes_that_torch_leaves_out_are_not_told(tmp_path):
    import warnings
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        street_model().export(tmp_path / 'm.onnx')
    assert not [w for w in told if 'axis name' in str(w.message)]
