"""Curvature products to a given accuracy, and seconds beside pyDVL, on scikit-learn's digits."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.harness import interleaved, ratio_record, record
from mmal.influence.api import build_curvature, mean_gradient
from mmal.influence.parameters import select_parameters
from mmal.influence.solvers.base import cosine
from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.dense import Dense
from mmal.influence.solvers.lissa import LiSSA

DAMPING = 0.01
COSINE = 0.99


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
        self.train, self.reference = (x[:n], y[:n]), (x[n : n + 400], y[n : n + 400])
        self.model = self._make()
        self._fit()
        self.params = select_parameters(self.model, [self.last])
        for p in self.model.parameters():
            p.requires_grad_(any(p is q for q in self.params.values()))
        self.v = mean_gradient(self.losses, [self.reference], self.params)
        self.exact = Dense(DAMPING).solve(self.v, self.curvature(n)).x

    last = '*'

    def _make(self) -> nn.Module:
        return nn.Linear(64, 10).double()

    def losses(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(self.model(batch[0]), batch[1], reduction='none')

    def curvature(self, batch_size: int):
        x, y = self.train
        batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
        return build_curvature(
            self.model, self.losses, batches, self.params, 'hessian', log=lambda text: None
        )

    def _fit(self) -> None:
        optimizer = torch.optim.LBFGS(
            self.model.parameters(),
            max_iter=500,
            tolerance_grad=1e-9,
            line_search_fn='strong_wolfe',
        )

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
        solution = CG(damping=DAMPING, tol=1e-12, max_iter=iterations).solve(
            problem.v, curvature, log=lambda text: None
        )
        if cosine(solution.x, problem.exact) >= COSINE:
            return iterations * len(problem.train[0])
    return None


def lissa_evaluations(problem: Problem, curvature, scale: float, restarts: int) -> dict:
    """Per-sample products until LiSSA's x has the cosine; the depth doubles until it has, from the paper's 250."""
    found, evaluations = 0.0, 0
    for depth in (250 * 2**i for i in range(8)):
        solver = LiSSA(
            preset='paper',
            damping=min(DAMPING / scale, 0.99),
            scale=scale,
            depth=depth,
            max_restarts=restarts,
        )
        try:
            solution = solver.solve(problem.v, curvature, log=lambda text: None)
        except FloatingPointError:
            return dict(
                reached=False,
                depth=depth,
                evaluations=None,
                cosine=None,
                note='the recursion explodes',
            )
        found, evaluations = cosine(solution.x, problem.exact), solution.report['evaluations']
        if found >= COSINE:
            return dict(reached=True, depth=depth, evaluations=evaluations, cosine=found, note='')
    return dict(
        reached=False,
        depth=depth,
        evaluations=evaluations,
        cosine=found,
        note='not reached: the ratio is a lower bound',
    )


def accuracy_records() -> list[dict]:
    """LiSSA as the paper has it against the default solver."""
    problem = Problem()
    whole, single = problem.curvature(1000), problem.curvature(1)
    ours, target = cg_evaluations(problem, whole), '>= 10'
    settings = dict(
        problem=f'digits, P = 650, n = 1000, damping {DAMPING}', cosine=COSINE, cg_evaluations=ours
    )
    lines = []
    for scale, restarts, name in (
        (1.0, 0, "LiSSA, the paper's settings (scale 1)"),
        (1.0, 20, "LiSSA, the paper's settings, restarted until it is bounded"),
        (10.0, 0, 'LiSSA, scale 10 given'),
    ):
        theirs = lissa_evaluations(problem, single, scale, restarts)
        ratio = theirs['evaluations'] and theirs['evaluations'] / ours
        lines.append(
            record(
                f'Hessian products to cosine {COSINE}: {name} / CG',
                ratio,
                target,
                1,
                lissa=theirs,
                **settings,
            )
        )
    return lines


class Network(Problem):
    """The last layer of a small convolutional network on the digits: whoever does not cache its inputs runs it anew."""

    def _make(self) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 10),
        ).double()

    last = '7'


def pydvl_records(n: int) -> list[dict]:
    """Seconds for one s_test at equal accuracy."""
    return [
        *_beside_pydvl(
            Problem(500), 'digits, softmax regression, P = 650, n = 500, one right-hand side', n
        ),
        *_beside_pydvl(
            Network(500), 'digits, last layer of a CNN, P = 2570, n = 500, one right-hand side', n
        ),
    ]


def _beside_pydvl(problem: Problem, what: str, n: int) -> list[dict]:
    warnings.filterwarnings('ignore')
    from pydvl.influence.torch import CgInfluence
    from torch.utils.data import DataLoader, TensorDataset

    results: dict = {}
    loader = DataLoader(TensorDataset(*problem.train), batch_size=500)
    curvature, one = problem.curvature(500), tuple(t[:1] for t in problem.reference)

    def pydvl():
        influence = CgInfluence(
            problem.model,
            F.cross_entropy,
            regularization=DAMPING,
            maxiter=results['steps'],
            rtol=1e-6,
            progress=False,
        ).fit(loader)
        results['pydvl'] = influence.influence_factors(*one)[0]

    def ours():
        v = mean_gradient(problem.losses, [one], problem.params)
        results['ours'] = CG(damping=DAMPING, tol=1e-6, max_iter=200).solve(v, curvature).x

    def with_the_pass_over_the_data():
        nonlocal curvature
        curvature = problem.curvature(500)
        ours()

    v = mean_gradient(problem.losses, [one], problem.params)
    exact = Dense(DAMPING).solve(v, curvature).x
    error = dict.fromkeys(('pydvl', 'ours'), 1.0)
    ours()
    for steps in range(
        10, 200, 2
    ):  # the fewest that give it our accuracy; its own tolerance stops much later
        results['steps'] = steps
        pydvl()
        error = {k: float((results[k] - exact).norm() / exact.norm()) for k in error}
        if error['pydvl'] <= error['ours']:
            break
    seconds = interleaved(
        dict(pydvl=pydvl, ours=ours, ours_with_set_up=with_the_pass_over_the_data), n
    )
    settings = dict(problem=what, relative_errors=error, pydvl_steps=results['steps'])
    short = what.split(',')[1].strip()
    return [
        ratio_record(
            f"pyDVL's CG / ours, {short}, closed form in place",
            '>= 10',
            seconds,
            'pydvl',
            'ours',
            **settings,
        ),
        ratio_record(
            f"pyDVL's CG / ours, {short}, with our pass over the data",
            '>= 10',
            seconds,
            'pydvl',
            'ours_with_set_up',
            **settings,
        ),
    ]


def records(n: int) -> list[dict]:
    return accuracy_records() + pydvl_records(n)
