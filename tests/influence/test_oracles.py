"""The engine against code nobody here wrote: torch.func, curvlinops and pyDVL. All of it in float64."""

import pytest
import torch
import torch.nn.functional as F
from mmal.influence.api import Influence
from mmal.influence.curvature import DoubleBackward
from mmal.influence.last_layer_curvature import AffineCurvature
from mmal.influence.parameters import gradient, select_parameters
from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.dense import Dense
from torch import nn
from torch.func import functional_call, hessian, jacrev


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


@pytest.fixture(autouse=True)
def _float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


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


@pytest.mark.parametrize(('kind', 'names'), PROBLEMS)
def test_closed_form_and_double_backward_equal_torch_func(kind, names):
    problem, batches = kind(), [kind.data(n) for n in (5, 3, 2)]
    params = select_parameters(problem, names)
    for curvature in closed_form(problem, params, batches), DoubleBackward(problem, batches, params):
        assert_close(matrix(curvature), dense_hessian(problem, params, batches), 1e-12)
        for i in range(3):
            assert_close(matrix(curvature, i), dense_hessian(problem, params, [batches[i]]), 1e-12)
        assert not curvature.product(torch.ones_like(join(params.values()))).requires_grad


@pytest.mark.parametrize(('kind', 'names'), PROBLEMS)
def test_ggn_is_the_clamped_hessian(kind, names):
    problem, batches = kind(), [kind.data(n) for n in (4, 3)]
    params = select_parameters(problem, names)
    curvature = closed_form(problem, params, batches, 'ggn')
    found, full = matrix(curvature), dense_hessian(problem, params, batches)
    assert curvature.clamped
    assert_close(found, dense_ggn(problem, params, batches), 1e-12)
    assert torch.linalg.eigvalsh(found)[0] > -1e-12
    convex = kind in (Softmax, MultiLabel, Regression)
    assert (float((found - full).norm() / full.norm()) < 1e-12) == convex
    assert (float(torch.linalg.eigvalsh(full)[0]) > -1e-12) == convex


@pytest.mark.parametrize(('kind', 'criterion'), [
    (Softmax, nn.CrossEntropyLoss()), (Regression, nn.MSELoss()), (MultiLabel, nn.BCEWithLogitsLoss())])
def test_products_equal_curvlinops(kind, criterion):
    curvlinops = pytest.importorskip('curvlinops', reason='optional: pip install curvlinops-for-pytorch==3.0.1')
    problem, batches = kind(), [kind.data(n) for n in (6, 4, 3)]
    model = nn.Sequential(problem.trunk, problem.head)
    data = [(x, y if kind is Softmax else F.one_hot(y, 4).double()) for x, y in batches]
    for names in ['head'], ['trunk', 'head']:
        params = select_parameters(problem, names)
        eye = torch.eye(len(join(params.values())))

        def theirs(operator, params=params, eye=eye):
            return getattr(curvlinops, operator)(model, criterion, list(params.values()), data) @ eye

        assert_close(matrix(DoubleBackward(problem, batches, params)), theirs('HessianLinearOperator'), 1e-12)
        if names == ['head']:
            assert_close(matrix(closed_form(problem, params, batches)), theirs('HessianLinearOperator'), 1e-12)
            assert_close(matrix(closed_form(problem, params, batches, 'ggn')), theirs('GGNLinearOperator'), 1e-12)


@pytest.fixture(scope='module')
def digits():
    """Handwritten digits, and a linear classifier trained on the first 300 of them."""
    load_digits = pytest.importorskip('sklearn.datasets').load_digits
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16), torch.tensor(y)
    torch.manual_seed(0)
    model = nn.Linear(64, 10).double()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=30)

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[:300]), y[:300]) + 0.005 * sum(p.square().sum() for p in model.parameters())
        loss.backward()
        return loss

    optimizer.step(closure)
    return model, (x[:300], y[:300]), (x[300:400], y[300:400]), (x[400:450], y[400:450])


def cross_entropy(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1], reduction='none')


def quiet(text):
    pass


def test_scores_equal_minus_pydvls(digits):
    pydvl = pytest.importorskip('pydvl.influence.torch', reason='optional: pip install "pyDVL[influence]==0.10.0"')
    model, (x, y), reference, pool = digits
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=100)
    direct = pydvl.DirectInfluence(model, F.cross_entropy, regularization=0.01).fit(loader)
    factors = direct.influence_factors(*reference).mean(0, keepdim=True)
    theirs = direct.influences_from_factors(factors, *pool)[0]
    for solver, rtol in (Dense(damping=0.01), 1e-11), (CG(damping=0.01, tol=1e-12, max_iter=300), 1e-10):
        influence = Influence(model, cross_entropy, solver=solver, log=quiet)
        solution = influence.fit([(x[:100], y[:100]), (x[100:], y[100:])], [reference])
        assert_close(solution.x, factors[0], rtol)
        assert_close(influence.scores(pool), -theirs, rtol)


def call(problem, batch):
    return problem(batch)


def test_the_bias_counts():
    problem, train, reference, pool = Softmax(), *(Softmax.data(n) for n in (9, 5, 6))
    scores = {}
    for names in (['head'], ['head.weight']):
        influence = Influence(problem, call, names, Dense(), quiet)
        s = influence.fit([train], [reference]).x
        scores[len(s)] = influence.scores(pool)
        plain = torch.stack([-gradient(problem(sample_of(pool, i)).sum(), influence.params) @ s for i in range(6)])
        assert_close(scores[len(s)], plain, 1e-12)
    assert float((scores[28] - scores[24]).norm() / scores[28].norm()) > 0.1


def test_sets_are_means():
    """Twice the same set is the same set, and batches of any size and order make the same set."""
    problem, (x, y), reference = Softmax(), Softmax.data(10), Softmax.data(7)
    train = list(zip(x.split(4), y.split(4), strict=True))
    expected = Influence(problem, call, solver=Dense(), log=quiet).fit([(x, y)], [reference]).x
    for batches, references in ((train, [reference]), (train[::-1], [reference]), (train * 2, [reference]),
                                ([(x, y)], [reference] * 2), ([(x, y)], [sample_of(reference, i) for i in range(7)])):
        found = Influence(problem, call, solver=Dense(), log=quiet).fit(batches, references).x
        assert_close(found, expected, 1e-12)


def test_a_sample_helps_itself():
    """I(z) = -g (H + lambda)^-1 g < 0 where the reference set is z: more negative is more helpful."""
    problem, train, pool = Softmax(), Softmax.data(20), Softmax.data(5)
    for i in range(5):
        influence = Influence(problem, call, solver=CG(), log=quiet)
        influence.fit([train], [sample_of(pool, i)])
        assert float(influence.scores(sample_of(pool, i))) < 0


def test_all_classes_as_pseudo_labels_carry_nothing(digits):
    """The sum over classes k of p_k grad l(z, k) is zero for cross-entropy (paper, Eq. 3 with K = all classes)."""
    model, *sets, (x, _) = digits

    def soft_cross_entropy(model, batch):
        return -(batch[1] * model(batch[0]).log_softmax(1)).sum(1)

    influence = Influence(model, soft_cross_entropy, solver=CG(damping=0.01), log=quiet)
    influence.fit(*([(images, F.one_hot(labels, 10))] for images, labels in sets))
    p, order = model(x).detach().softmax(1).sort(1, descending=True)
    size = {}
    for k in (1, 10):
        top = torch.zeros_like(p).scatter(1, order[:, :k], p[:, :k])
        size[k] = float(influence.scores((x, top)).abs().max())
    assert size[10] < 1e-12 * size[1]
