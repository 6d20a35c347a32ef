"The networks of a pipeline as ONNX graphs for the page: plain maps and styles in, an image out."
import warnings
from pathlib import Path
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import nn


class Drawing(nn.Module):
    "Label map, instance map and a style for every pixel in; the image out. One-hot and boundary are made inside."
    def __init__(self, synthesizer):
        super().__init__()
        self.generator, self.n_classes, self.boundary = synthesizer.generator, synthesizer.n_classes, synthesizer.boundary

    def forward(self, label, instance, styles): # (1, 1, H, W) int32 twice, (1, F, H, W) float
        classes = torch.arange(self.n_classes, dtype=torch.int32).view(1, -1, 1, 1)
        parts = [(label == classes).float()]
        if self.boundary: parts.append(self.edges(instance))
        return self.generator(torch.cat([*parts, styles], 1))

    def edges(self, instance):
        across = (instance[..., 1:] != instance[..., :-1]).float()
        down = (instance[..., 1:, :] != instance[..., :-1, :]).float()
        beside = torch.maximum(F.pad(across, (1, 0)), F.pad(across, (0, 1)))
        return torch.maximum(beside, torch.maximum(F.pad(down, (0, 0, 1, 0)), F.pad(down, (0, 0, 0, 1))))


class Encoding(nn.Module):
    "A photo in; what the encoder says of each of its pixels out. The page takes the mean over every object."
    def __init__(self, synthesizer):
        super().__init__()
        self.encoder, self.shrink = synthesizer.encoder, synthesizer.shrink

    def forward(self, image): # (1, 3, H, W) in [-1, 1]
        raw = self.encoder.raw(F.avg_pool2d(image, self.shrink) if self.shrink > 1 else image)
        return F.interpolate(raw, scale_factor=float(self.shrink)) if self.shrink > 1 else raw


def write_graph(network, inputs, names, output, path):
    "One network as an ONNX file for any size."
    free = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        graph = torch.onnx.export(network.eval(), tuple(inputs), dynamo=True, input_names=names, output_names=[output],
                                  dynamic_shapes=tuple(dict(free) for _ in inputs), verbose=False)
    graph.save(path)
    onnx.save(in_16_bits(onnx.load(path)), path)


def in_16_bits(model, least=1000): # numbers of a tensor worth the trouble
    "The same graph with its weights kept in 16 bits, as the shipped models keep them: half the bytes, and computed in 32 bits as before."
    graph, casts = model.graph, []
    for t in graph.initializer:
        name, values = t.name, numpy_helper.to_array(t)
        if values.dtype != np.float32 or values.size < least: continue
        t.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + '_16'))
        casts.append(helper.make_node('Cast', [name + '_16'], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def export_networks(pipeline, # Pix2PixHD
                    folder, # where the graphs go
                   ): # {'generator': file name, 'encoder': file name or None}
    "What the page loads. Replace this function to export in another way; the page asks only for these inputs and outputs."
    s, folder = pipeline.synthesizer, Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for m in s.generator.modules():
        if hasattr(m, 'one_hot'): m.one_hot = 0 # the way for a processor, which looks at the data, is no part of a graph
    size, ids = 64, lambda: torch.zeros(1, 1, 64, 64, dtype=torch.int32) # a tensor of its own for each input: one given twice would become one input
    write_graph(Drawing(s), [ids(), ids(), torch.zeros(1, s.feature_channels, size, size)], ['label', 'instance', 'styles'], 'image', folder / 'generator.onnx')
    if s.encoder: write_graph(Encoding(s), [torch.zeros(1, s.encoder.config['in_channels'], size, size)], ['image'], 'features', folder / 'encoder.onnx')
    return dict(generator='generator.onnx', encoder='encoder.onnx' if s.encoder else None)
