"""Influence against pyDVL, and against what must hold of any influence. All of it in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmal.influence.api import Influence
from mmal.influence.parameters import gradient
from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.dense import Dense
from tests.influence.problems import Softmax, assert_close, sample_of

pytestmark = pytest.mark.usefixtures('float64')


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
