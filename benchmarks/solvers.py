"""Curvature products to a given accuracy, and seconds beside pyDVL, on scikit-learn's digits."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from pydvl.influence.torch import CgInfluence
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.harness import Record, interleaved, ratio_record, record
from mmal.influence.api import build_curvature, mean_gradient
from mmal.influence.curvature import Curvature
from mmal.influence.parameters import select_parameters
from mmal.influence.solvers.base import cosine
from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.dense import Dense
from mmal.influence.solvers.lissa import LiSSA

DAMPING = 0.01
COSINE = 0.99
N_REFERENCE = 400
PAPER_DEPTH = 250
"""Depth of LiSSA's recursion in the paper."""

Batch: TypeAlias = tuple[Tensor, Tensor]
"""Images as vectors, and their classes."""


def _silence(text: str) -> None:
    """A log that nobody reads."""


class Problem:
    """Multinomial regression on the digits, trained to its minimum with an L2 penalty; float64.

    The penalty is DAMPING.

    Args:
        n: Number of training images. Defaults to 1000.

    Attributes:
        train: Training images.
        reference: Reference images.
        model: The trained model.
        params: Parameters of its last layer.
        v: Mean reference gradient.
        exact: (H + DAMPING I)^-1 v by a direct solve.
    """

    last_layer = '*'

    def __init__(self, n: int = 1000) -> None:
        digits = load_digits()
        order = torch.randperm(len(digits.data), generator=torch.Generator().manual_seed(0))
        x = torch.tensor(digits.data)[order] / 16
        y = torch.tensor(digits.target)[order]
        end = n + N_REFERENCE
        self.train = (x[:n], y[:n])
        self.reference = (x[n:end], y[n:end])
        self.model = self._make()
        self._fit()
        self.params = select_parameters(self.model, [self.last_layer])
        self.model.requires_grad_(False)
        for parameter in self.params.values():
            parameter.requires_grad_(True)
        self.v = mean_gradient(self.losses, [self.reference], self.params)
        self.exact = Dense(DAMPING).solve(self.v, self.curvature(n)).x

    def _make(self) -> nn.Module:
        return nn.Linear(64, 10).double()

    def losses(self, batch: Batch) -> Tensor:
        """Compute the loss of each image, shape (N,).

        Args:
            batch: The images.
        """
        x, y = batch
        return F.cross_entropy(self.model(x), y, reduction='none')

    def curvature(self, batch_size: int) -> Curvature:
        """Build the Hessian of the training images.

        Args:
            batch_size: Number of images per batch.
        """
        x, y = self.train
        batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
        return build_curvature(
            self.model, self.losses, batches, self.params, 'hessian', log=_silence
        )

    def _fit(self) -> None:
        optimizer = torch.optim.LBFGS(
            self.model.parameters(),
            max_iter=500,
            tolerance_grad=1e-9,
            line_search_fn='strong_wolfe',
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            squared_norm = sum(p.square().sum() for p in self.model.parameters())
            loss = self.losses(self.train).mean() + DAMPING / 2 * squared_norm
            loss.backward()
            return loss

        optimizer.step(closure)


class Network(Problem):
    """The last layer of a small convolutional network on the digits.

    Whoever does not cache the layer's inputs runs the network anew.
    """

    last_layer = '7'

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


# --- products to a given accuracy -----------------------------------------------------------------


def cg_evaluations(problem: Problem, curvature: Curvature) -> int | None:
    """Count the per-sample products until CG's solution has the cosine COSINE.

    Args:
        problem: The problem.
        curvature: Its curvature.

    Returns:
        The count; None if 59 iterations do not suffice.
    """
    for iterations in range(1, 60):
        solver = CG(damping=DAMPING, tol=1e-12, max_iter=iterations)
        solution = solver.solve(problem.v, curvature, log=_silence)
        if cosine(solution.x, problem.exact) >= COSINE:
            return iterations * len(problem.train[0])
    return None


def lissa_evaluations(
    problem: Problem, curvature: Curvature, scale: float, restarts: int
) -> dict[str, Any]:
    """Count the per-sample products until LiSSA's solution has the cosine COSINE.

    The depth doubles until it has, from the paper's.

    Args:
        problem: The problem.
        curvature: Its curvature, an image per batch.
        scale: Scale of the recursion.
        restarts: Number of restarts with a doubled scale.

    Returns:
        Whether the cosine was reached, depth, evaluations and cosine at the end, and a note.
    """
    reached = False
    for doublings in range(8):
        depth = PAPER_DEPTH * 2**doublings
        solver = LiSSA(
            preset='paper',
            damping=min(DAMPING / scale, 0.99),
            scale=scale,
            depth=depth,
            max_restarts=restarts,
        )
        try:
            solution = solver.solve(problem.v, curvature, log=_silence)
        except FloatingPointError:
            return dict(
                reached=False,
                depth=depth,
                evaluations=None,
                cosine=None,
                note='the recursion explodes',
            )
        similarity = cosine(solution.x, problem.exact)
        reached = similarity >= COSINE
        if reached:
            break
    return dict(
        reached=reached,
        depth=depth,
        evaluations=solution.report['evaluations'],
        cosine=similarity,
        note='' if reached else 'not reached: the ratio is a lower bound',
    )


def accuracy_records() -> list[Record]:
    """Measure LiSSA as the paper has it against the default solver."""
    problem = Problem()
    ours = cg_evaluations(problem, problem.curvature(1000))
    assert ours is not None
    image_by_image = problem.curvature(1)
    lines = []
    for scale, restarts, name in (
        (1.0, 0, "LiSSA, the paper's settings (scale 1)"),
        (1.0, 20, "LiSSA, the paper's settings, restarted until it is bounded"),
        (10.0, 0, 'LiSSA, scale 10 given'),
    ):
        lissa = lissa_evaluations(problem, image_by_image, scale, restarts)
        ratio = None
        if lissa['evaluations'] is not None:
            ratio = lissa['evaluations'] / ours
        line = record(
            f'Hessian products to cosine {COSINE}: {name} / CG',
            ratio,
            '>= 10',
            1,
            lissa=lissa,
            problem=f'digits, P = 650, n = 1000, damping {DAMPING}',
            cosine=COSINE,
            cg_evaluations=ours,
        )
        lines.append(line)
    return lines


# --- beside pyDVL ---------------------------------------------------------------------------------


class PyDVLComparison:
    """One s_test, of one reference image, by pyDVL's CG and by ours.

    Args:
        problem: The problem.

    Attributes:
        steps: Number of steps that pyDVL gets.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        x, y = problem.reference
        self._image = (x[:1], y[:1])
        n = len(problem.train[0])
        self._loader = DataLoader(TensorDataset(*problem.train), batch_size=n)
        self._curvature = problem.curvature(n)
        v = mean_gradient(problem.losses, [self._image], problem.params)
        self._exact = Dense(DAMPING).solve(v, self._curvature).x
        self.steps = 0

    def pydvl(self) -> Tensor:
        """Solve by pyDVL, with :attr:`steps` steps."""
        influence = CgInfluence(
            self._problem.model,
            F.cross_entropy,
            regularization=DAMPING,
            maxiter=self.steps,
            rtol=1e-6,
            progress=False,
        )
        return influence.fit(self._loader).influence_factors(*self._image)[0]

    def ours(self) -> Tensor:
        """Solve by our solver, with the curvature at hand."""
        v = mean_gradient(self._problem.losses, [self._image], self._problem.params)
        return CG(damping=DAMPING, tol=1e-6, max_iter=200).solve(v, self._curvature).x

    def ours_with_set_up(self) -> Tensor:
        """Solve by our solver, with the pass over the data that builds the curvature."""
        self._curvature = self._problem.curvature(len(self._problem.train[0]))
        return self.ours()

    def relative_errors(self) -> dict[str, float]:
        """Give pyDVL the fewest steps with which its error is not above ours.

        Its own tolerance would stop it much later.

        Returns:
            Errors of both, relative to the length of the exact solution.
        """
        our_error = self._relative_error(self.ours())
        for steps in range(10, 200, 2):
            self.steps = steps
            error = self._relative_error(self.pydvl())
            if error <= our_error:
                break
        return dict(pydvl=error, ours=our_error)

    def _relative_error(self, solution: Tensor) -> float:
        return float((solution - self._exact).norm() / self._exact.norm())


def pydvl_records(problem: Problem, name: str, size: str, n: int) -> list[Record]:
    """Measure seconds for one s_test at equal accuracy.

    Args:
        problem: The problem.
        name: Name of the problem in the table.
        size: Number of parameters and images, as text.
        n: Number of repetitions.
    """
    warnings.filterwarnings('ignore')
    comparison = PyDVLComparison(problem)
    errors = comparison.relative_errors()
    seconds = interleaved(
        dict(
            pydvl=comparison.pydvl,
            ours=comparison.ours,
            ours_with_set_up=comparison.ours_with_set_up,
        ),
        n,
    )
    settings = dict(
        problem=f'digits, {name}, {size}, one right-hand side',
        relative_errors=errors,
        pydvl_steps=comparison.steps,
    )
    return [
        ratio_record(
            f"pyDVL's CG / ours, {name}, closed form in place",
            '>= 10',
            seconds,
            'pydvl',
            'ours',
            **settings,
        ),
        ratio_record(
            f"pyDVL's CG / ours, {name}, with our pass over the data",
            '>= 10',
            seconds,
            'pydvl',
            'ours_with_set_up',
            **settings,
        ),
    ]


def records(n: int) -> list[Record]:
    """Measure everything about solvers.

    Args:
        n: Number of repetitions of each timing.
    """
    return [
        *accuracy_records(),
        *pydvl_records(Problem(500), 'softmax regression', 'P = 650, n = 500', n),
        *pydvl_records(Network(500), 'last layer of a CNN', 'P = 2570, n = 500', n),
    ]
