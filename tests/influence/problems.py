"""Small losses of several kinds, their dense curvatures by torch.func, and a head as in a detector."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, hessian, jacrev

from mmal.influence.last_layer_curvature import AffineCurvature
from mmal.influence.parameters import gradient


class Softmax(nn.Module):
    """A linear softmax head after a nonlinear trunk; called on a batch, a problem gives its per-sample losses."""

    def __init__(self):
        super().__init__()
        self.trunk, self.head = nn.Sequential(nn.Linear(5, 6), nn.Tanh()), nn.Linear(6, 4)

    def outputs(self, batch):
        return [self.head(self.trunk(batch[0]))]

    def loss(self, outs, batch):
        return F.cross_entropy(outs[0], batch[1], reduction='none')

    def forward(self, batch, raw=False):
        return self.outputs(batch) if raw else self.loss(self.outputs(batch), batch)

    @staticmethod
    def data(n):
        return [torch.randn(n, 5), torch.randint(4, (n, ))]


class MultiLabel(Softmax):
    """Sigmoids in place of the softmax."""

    def loss(self, outs, batch):
        return F.binary_cross_entropy_with_logits(outs[0], F.one_hot(batch[1], 4).double(), reduction='none').mean(1)


class Regression(Softmax):
    """Squared error."""

    def loss(self, outs, batch):
        return (outs[0] - F.one_hot(batch[1], 4)).square().mean(1)


class Bounded(Softmax):
    """One minus the probability of the label: negative curvature where the model is sure and wrong."""

    def loss(self, outs, batch):
        return 1 - outs[0].softmax(1).gather(1, batch[1][:, None])[:, 0]


class Pyramid(Softmax):
    """Two heads shared by two pyramid levels, as in FCOS: focal loss, and an IoU loss of exp(sides)."""

    def __init__(self):
        nn.Module.__init__(self)
        self.trunk, self.cls, self.reg = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(3, 4, 1)
        nn.init.normal_(self.cls.weight, std=3)  # sure and wrong here and there, where focal loss bends down

    def outputs(self, batch):
        feats = [self.trunk(f).tanh() for f in batch[0]]
        return [self.cls(f) for f in feats] + [self.reg(f) for f in feats]

    def loss(self, outs, batch):
        total = 0
        for cls, reg, label, box in zip(outs[:2], outs[2:], batch[1], batch[2], strict=True):
            p, ce = cls.sigmoid(), F.binary_cross_entropy_with_logits(cls, label, reduction='none')
            focal = (p * (1 - label) + (1 - p) * label)**2 * ce
            inter, area, other = (self.area(s) for s in (torch.minimum(reg.exp(), box), reg.exp(), box))
            iou = inter / (area + other - inter)
            total = total + focal.flatten(1).sum(1) + (label.amax(1) * (1 - iou)).flatten(1).sum(1)
        return total

    @staticmethod
    def area(sides):
        return (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])

    @staticmethod
    def data(n):
        shapes = [(n, 4, 4), (n, 2, 2)]
        return [[torch.randn(n, 3, h, w) for n, h, w in shapes],
                [torch.randint(2, (n, 2, h, w)).double() for n, h, w in shapes],
                [torch.rand(n, 4, h, w) * 2 + 0.1 for n, h, w in shapes]]


PROBLEMS = [(Softmax, ['head']), (MultiLabel, ['head']), (Regression, ['head']), (Bounded, ['head']),
            (Pyramid, ['cls']), (Pyramid, ['cls', 'reg']), (Pyramid, ['reg.weight'])]


def assert_close(found, expected, rtol):
    """Largest deviation, relative to the largest entry."""
    assert float((found - expected).abs().max()) <= rtol * float(expected.abs().max())


def cut(vector, like):
    pieces = vector.split([t.numel() for t in like])
    return [piece.view_as(t) for piece, t in zip(pieces, like, strict=True)]


def join(tensors):
    return torch.cat([t.flatten() for t in tensors])


def of_params(problem, params, *args):
    """The problem's result as a function of the flat chosen parameters, and where these are now."""
    def function(vector):
        values = dict(zip(params, cut(vector, params.values()), strict=True))
        return functional_call(problem, values, args)

    return function, join(params.values()).detach()


def dense_hessian(problem, params, batches):
    """Of the mean over all samples, by torch.func."""
    total = 0
    for batch in batches:
        losses, here = of_params(problem, params, batch)
        total = total + hessian(lambda v, losses=losses: losses(v).sum())(here).detach()
    return total / sum(len(problem(b)) for b in batches)


def sample_of(batch, i):
    return batch[i:i + 1] if isinstance(batch, torch.Tensor) else [sample_of(part, i) for part in batch]


def dense_ggn(problem, params, batches):
    """J^T max(H_out, 0) J of the mean, a sample at a time, all its outputs in one matrix."""
    total, samples = 0, [sample_of(b, i) for b in batches for i in range(len(problem(b)))]
    for sample in samples:
        outputs, here = of_params(problem, params, sample, True)
        outs = outputs(here)
        J = jacrev(lambda v, outputs=outputs: join(outputs(v)))(here)
        H = hessian(lambda z, s=sample, o=outs: problem.loss(cut(z, o), s).sum())(join(outs).detach())
        values, vectors = torch.linalg.eigh(H)
        total = total + J.T @ (vectors * values.clamp(min=0)) @ vectors.T @ J
    return total.detach() / len(samples)


def matrix(curvature, batch=None):
    size = sum(p.numel() for p in curvature.params.values())
    return torch.stack([curvature.product(unit, batch) for unit in torch.eye(size)], 1)


def closed_form(problem, params, batches, kind='hessian'):
    curvature = AffineCurvature(problem, params, kind)
    for batch in batches:
        curvature.add(problem, batch)
    return curvature


class Head(nn.Module):
    """A conv used on two levels, as in a detector, a linear layer that shares no input, and a learnable scale."""

    def __init__(self):
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 3, padding=1)
        self.fc, self.scale = nn.Linear(3, 2, bias=False), nn.Parameter(torch.tensor(1.5))

    def forward(self, feats):
        outs = [self.last(self.stem(f).relu()) for f in feats]
        outs[0] += 1.0  # in place, as some heads do
        return sum((o.exp() * self.scale).flatten(1).mean(1) for o in outs) + self.fc(feats[0].mean((2, 3))).prod(1)


LAST = ('last.weight', 'last.bias', 'fc.weight')


def per_sample_derivatives(head, feats, params, s):
    return torch.stack([gradient(loss, params, retain_graph=True) @ s for loss in head(feats)])
