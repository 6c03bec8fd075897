"""What every solver promises."""

import json

import pytest
import torch

from mmal.influence.solvers.base import cosine
from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.dense import Dense
from mmal.influence.solvers.identity import Identity
from mmal.influence.solvers.lissa import LiSSA
from tests.influence.matrices import problem

SOLVERS = dict(lissa=LiSSA(damping=0.1, depth=400), paper=LiSSA(preset='paper', scale=20.0), cg=CG(),
               cg_hessian=CG(curvature='hessian'), dense=Dense(damping=0.5), identity=Identity())


@pytest.fixture(params=SOLVERS)
def solver(request):
    return SOLVERS[request.param]


def test_solution_lies_on_vs_side_and_v_is_left_alone(solver):
    _, curvature, v = problem([5.0, 2.0, 0.3], noise=0.2)
    before = v.clone()
    x = solver.solve(v, curvature).x
    assert x.shape == v.shape
    assert x.dtype == v.dtype
    assert not x.requires_grad
    assert cosine(x, v) > 0
    assert torch.equal(v, before)


def test_same_seed_same_solution(solver):
    _, curvature, v = problem([5.0, 2.0, 0.3], noise=0.2)
    assert torch.equal(solver.solve(v, curvature, seed=3).x, solver.solve(v, curvature, seed=3).x)


def test_linear_in_v(solver):
    _, curvature, v = problem([5.0, 2.0, 0.3], noise=0.2)
    torch.testing.assert_close(solver.solve(1000 * v, curvature).x, 1000 * solver.solve(v, curvature).x,
                               rtol=1e-6, atol=1e-6)


def test_report_is_complete_and_json(solver):
    _, curvature, v = problem([5.0, 2.0, 0.3])
    report = json.loads(json.dumps(solver.solve(v, curvature).report, allow_nan=False))
    assert {'solver', 'curvature', 'iterations', 'evaluations', 'effective_damping', 'restarts', 'seconds',
            'trace'} <= set(report)
    assert report['solver'] == type(solver).__name__
    assert report['evaluations'] <= curvature.evaluations


def test_zero_v_gives_zero_and_a_v_that_is_not_finite_is_an_error(solver):
    _, curvature, v = problem([5.0, 2.0, 0.3])
    assert not solver.solve(0 * v, curvature).x.any()
    with pytest.raises(FloatingPointError, match='reference gradient is not finite'):
        solver.solve(v * torch.nan, curvature)


def test_a_zero_curvature_is_no_crash(solver):
    _, curvature, v = problem([0.0, 0.0])
    x = solver.solve(v, curvature).x
    assert x.isfinite().all()
    assert cosine(x, v) == pytest.approx(1.0)
