"""The recipe of 2018, rendered plainly from the paper and the chapters' naive versions: what the benchmarks compare with.

fp32, three discriminator passes, a loop over objects, a condition made with scatter and four shifted comparisons, no trick of any kind."""
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from torch import nn


def layer(conv, n): return nn.Sequential(conv, nn.InstanceNorm2d(n), nn.ReLU(True))

class Residual(nn.Module):
    "Two 3x3 convolutions beside a shortcut."
    def __init__(self, n):
        super().__init__()
        self.body = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(n, n, 3), nn.InstanceNorm2d(n), nn.ReLU(True),
                                  nn.ReflectionPad2d(1), nn.Conv2d(n, n, 3), nn.InstanceNorm2d(n))
    def forward(self, x): return x + self.body(x)

def generator(channels, width=64, n_downsample=4, n_blocks=9, out=3):
    "The global generator; with no blocks, the encoder."
    layers = [nn.ReflectionPad2d(3), *layer(nn.Conv2d(channels, width, 7), width)]
    for i in range(n_downsample): layers += layer(nn.Conv2d(width << i, width << i + 1, 3, 2, 1), width << i + 1)
    layers += [Residual(width << n_downsample) for _ in range(n_blocks)]
    for i in reversed(range(n_downsample)): layers += layer(nn.ConvTranspose2d(width << i + 1, width << i, 3, 2, 1, output_padding=1), width << i)
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, out, 7), nn.Tanh())

class Discriminators(nn.Module):
    "Three patch discriminators, each at half the size of the one before; every layer's features."
    def __init__(self, channels, width=64, n_scales=3):
        super().__init__()
        widths = [channels, width, 2 * width, 4 * width, 8 * width]
        def one():
            parts = [nn.Sequential(nn.Conv2d(channels, width, 4, 2, 2), nn.LeakyReLU(0.2, True))]
            parts += [nn.Sequential(nn.Conv2d(a, b, 4, s, 2), nn.InstanceNorm2d(b), nn.LeakyReLU(0.2, True)) for a, b, s in zip(widths[1:], widths[2:], (2, 2, 1))]
            return nn.ModuleList([*parts, nn.Conv2d(8 * width, 1, 4, 1, 2)])
        self.scales = nn.ModuleList(one() for _ in range(n_scales))

    def forward(self, x):
        outputs = []
        for i, parts in enumerate(self.scales):
            if i: x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            features = [x]
            for part in parts: features.append(part(features[-1]))
            outputs.append(features[1:])
        return outputs

def boundaries(inst):
    "The four shifted comparisons, written into a byte map."
    edge = torch.zeros(inst.shape, dtype=torch.bool, device=inst.device)
    edge[:, :, :, 1:] = edge[:, :, :, 1:] | (inst[:, :, :, 1:] != inst[:, :, :, :-1])
    edge[:, :, :, :-1] = edge[:, :, :, :-1] | (inst[:, :, :, 1:] != inst[:, :, :, :-1])
    edge[:, :, 1:] = edge[:, :, 1:] | (inst[:, :, 1:] != inst[:, :, :-1])
    edge[:, :, :-1] = edge[:, :, :-1] | (inst[:, :, 1:] != inst[:, :, :-1])
    return edge.float()

def pool(features, inst):
    "A loop over objects, pictures and channels, each with its own search for the object's pixels."
    pooled = features.clone()
    for i in inst.unique().tolist():
        for n in range(len(inst)):
            where = (inst[n:n + 1] == i).nonzero()
            if not len(where): continue
            for c in range(features.shape[1]):
                place = (where[:, 0] + n, where[:, 1] + c, where[:, 2], where[:, 3])
                pooled[place] = features[place].mean()
    return pooled

def style_book(encoder, scenes, device, k=10):
    "Every object's mean feature, found one by one, and K-means for each class, with the ten starts that scikit-learn had as its default."
    vectors = {}
    for s in scenes:
        features, inst = encoder(s.image[None].to(device)), s.instance_map[None].to(device)
        for i in inst.unique().tolist():
            where = (inst[0, 0] == i).nonzero()
            c = int(s.label_map[0][tuple(where[0].tolist())])
            vectors.setdefault(c, []).append(features[0, :, where[:, 0], where[:, 1]].mean(1).cpu().numpy())
    return {c: KMeans(min(k, len(v)), n_init=10, random_state=0).fit(v).cluster_centers_ for c, v in vectors.items()}

def one_hot(label, n): return torch.zeros(len(label), n, *label.shape[-2:], device=label.device).scatter_(1, label.long(), 1.)

class Recipe:
    "The three networks, their two optimisers and the training step."
    def __init__(self, n_classes, size_of=None, n_features=3, **shape): # `shape`: width, n_downsample, n_blocks, n_scales
        width, n_scales = shape.get('width', 64), shape.get('n_scales', 3)
        down, blocks = shape.get('n_downsample', 4), shape.get('n_blocks', 9)
        self.n_classes = n_classes
        self.G = generator(n_classes + 1 + n_features, width, down, blocks)
        self.E = generator(3, shape.get('encoder_width', 16), down, 0, n_features)
        self.D = Discriminators(n_classes + 1 + 3, shape.get('discriminator_width', 64), n_scales)
        self.optimisers = [torch.optim.Adam(p, 2e-4, (0.5, 0.999)) for p in ([*self.G.parameters(), *self.E.parameters()], self.D.parameters())]

    def condition(self, label, inst): return torch.cat([one_hot(label, self.n_classes), boundaries(inst)], 1)

    def generate(self, label, inst, features): return self.G(torch.cat([self.condition(label, inst), features], 1))

    def step(self, label, inst, real, note=lambda part: None): # `note` is called after each part
        condition = self.condition(label, inst)
        note('condition')
        features = pool(self.E(real), inst)
        note('encoder')
        fake = self.G(torch.cat([condition, features], 1))
        note('generator')
        discriminate = lambda picture: self.D(torch.cat([condition, picture], 1))
        detached, on_real, attached = discriminate(fake.detach()), discriminate(real), discriminate(fake)
        score = lambda outputs, goal: sum(F.mse_loss(o[-1], torch.full_like(o[-1], goal)) for o in outputs)
        d_loss = (score(detached, 0.) + score(on_real, 1.)) / 2
        matching = sum(F.l1_loss(a, b.detach()) for x, y in zip(attached, on_real) for a, b in zip(x[:-1], y[:-1])) * 10 * 4 / 4 / len(on_real)
        g_loss = score(attached, 1.) + matching
        note('discriminators')
        for loss, optimiser in zip((g_loss, d_loss), self.optimisers):
            optimiser.zero_grad()
            loss.backward()
            note('backward')
            optimiser.step()
            note('adam')
        return dict(g=g_loss.item(), d=d_loss.item())
