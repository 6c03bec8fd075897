"""Curvature products to a given accuracy, and seconds beside pyDVL, on scikit-learn's digits."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.harness import interleaved, ratio_record, record
from mmal.influence import CG, Dense, LiSSA, build_curvature, cosine, mean_gradient, select_parameters

DAMPING = 0.01
COSINE = 0.99
PYDVL_STEPS = 28
"""What takes pyDVL's CG to the accuracy ours is asked for; its own tolerance stops it much later."""


class Problem:
    """Multinomial regression on the digits, trained to its minimum with an L2 penalty of DAMPING; float64.

    Attributes:
        v: Mean reference gradient.
        exact: (H + DAMPING I)^-1 v by a direct solve.
    """

    def __init__(self, n: int = 1000) -> None:
        from sklearn.datasets import load_digits
        digits = load_digits()
        order = torch.randperm(len(digits.data), generator=torch.Generator().manual_seed(0))
        x, y = torch.tensor(digits.data)[order] / 16, torch.tensor(digits.target)[order]
        self.train, self.reference = (x[:n], y[:n]), (x[n:n + 400], y[n:n + 400])
        self.model = nn.Linear(64, 10).double()
        self._fit()
        self.params = select_parameters(self.model, ['*'])
        self.v = mean_gradient(self.losses, [self.reference], self.params)
        self.exact = Dense(DAMPING).solve(self.v, self.curvature(n)).x

    def losses(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(self.model(batch[0]), batch[1], reduction='none')

    def curvature(self, batch_size: int):
        x, y = self.train
        batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
        return build_curvature(self.model, self.losses, batches, self.params, 'hessian', log=lambda text: None)

    def _fit(self) -> None:
        optimizer = torch.optim.LBFGS(self.model.parameters(), max_iter=500, tolerance_grad=1e-9,
                                      line_search_fn='strong_wolfe')

        def closure():
            optimizer.zero_grad()
            penalty = sum(p.square().sum() for p in self.model.parameters())
            loss = self.losses(self.train).mean() + DAMPING / 2 * penalty
            loss.backward()
            return loss

        optimizer.step(closure)


def cg_evaluations(problem: Problem, curvature) -> int | None:
    """Per-sample products until CG's x has the cosine."""
    for iterations in range(1, 60):
        solution = CG(damping=DAMPING, tol=1e-12, max_iter=iterations).solve(problem.v, curvature,
                                                                             log=lambda text: None)
        if cosine(solution.x, problem.exact) >= COSINE:
            return iterations * len(problem.train[0])
    return None


def lissa_evaluations(problem: Problem, curvature, scale: float, restarts: int) -> dict:
    """Per-sample products until LiSSA's x has the cosine; the depth doubles until it has, from the paper's 250."""
    found, evaluations = 0.0, 0
    for depth in (250 * 2**i for i in range(8)):
        solver = LiSSA(preset='paper', damping=min(DAMPING / scale, 0.99), scale=scale, depth=depth,
                       max_restarts=restarts)
        try:
            solution = solver.solve(problem.v, curvature, log=lambda text: None)
        except FloatingPointError:
            return dict(reached=False, depth=depth, evaluations=None, cosine=None, note='the recursion explodes')
        found, evaluations = cosine(solution.x, problem.exact), solution.report['evaluations']
        if found >= COSINE:
            return dict(reached=True, depth=depth, evaluations=evaluations, cosine=found, note='')
    return dict(reached=False, depth=depth, evaluations=evaluations, cosine=found,
                note='not reached: the ratio is a lower bound')


def accuracy_records() -> list[dict]:
    """LiSSA as the paper has it against the default solver."""
    problem = Problem()
    whole, single = problem.curvature(1000), problem.curvature(1)
    ours, target = cg_evaluations(problem, whole), '>= 10'
    settings = dict(problem=f'digits, P = 650, n = 1000, damping {DAMPING}', cosine=COSINE, cg_evaluations=ours)
    lines = []
    for scale, restarts, name in ((1.0, 0, "LiSSA, the paper's settings (scale 1)"),
                                  (1.0, 20, "LiSSA, the paper's settings, restarted until it is bounded"),
                                  (10.0, 0, 'LiSSA, scale 10 given')):
        theirs = lissa_evaluations(problem, single, scale, restarts)
        ratio = theirs['evaluations'] and theirs['evaluations'] / ours
        lines.append(record(f'Hessian products to cosine {COSINE}: {name} / CG', ratio, target, 1, lissa=theirs,
                            **settings))
    return lines


def pydvl_records(n: int) -> list[dict]:
    """Seconds for one s_test at equal accuracy."""
    warnings.filterwarnings('ignore')
    from pydvl.influence.torch import CgInfluence
    from torch.utils.data import DataLoader, TensorDataset
    problem, results = Problem(500), {}
    loader = DataLoader(TensorDataset(*problem.train), batch_size=500)
    curvature = problem.curvature(500)

    def pydvl():
        influence = CgInfluence(problem.model, F.cross_entropy, regularization=DAMPING, maxiter=PYDVL_STEPS, rtol=1e-6,
                                progress=False).fit(loader)
        factors = influence.influence_factors(*(t[:1] for t in problem.reference))
        results['pydvl'] = factors[0]

    def ours():
        v = mean_gradient(problem.losses, [tuple(t[:1] for t in problem.reference)], problem.params)
        results['ours'] = CG(damping=DAMPING, tol=1e-6, max_iter=200).solve(v, curvature).x

    def with_the_pass_over_the_data():
        nonlocal curvature
        curvature = problem.curvature(500)
        ours()

    seconds = interleaved(dict(pydvl=pydvl, ours=ours, ours_with_set_up=with_the_pass_over_the_data), n)
    v = mean_gradient(problem.losses, [tuple(t[:1] for t in problem.reference)], problem.params)
    exact = Dense(DAMPING).solve(v, curvature).x
    errors = {k: float((x - exact).norm() / exact.norm()) for k, x in results.items()}
    settings = dict(problem='digits, P = 650, n = 500, one right-hand side', relative_errors=errors)
    return [ratio_record("pyDVL's CG / ours, closed form in place", '>= 10', seconds, 'pydvl', 'ours', **settings),
            ratio_record("pyDVL's CG / ours with its pass over the data", '>= 10', seconds, 'pydvl',
                         'ours_with_set_up', **settings)]


def records(n: int) -> list[dict]:
    return accuracy_records() + pydvl_records(n)
