import pytest
import torch

from mmal.influence.solvers.dense import Dense
from tests.influence.matrices import exact, problem


def test_equals_the_direct_solution_and_reports_the_spectrum():
    H, curvature, v = problem([5.0, 2.0, 0.3, -0.5], noise=0.4)
    solution = Dense(damping=1.0).solve(v, curvature)
    torch.testing.assert_close(solution.x, exact(H, 1.0, v))
    assert solution.report['trace'] == pytest.approx([-0.5, 5.0])


def test_refusals_say_why():
    _, curvature, v = problem([5.0, 2.0])
    with pytest.raises(ValueError, match='max_size = 1.*Use CG'):
        Dense(max_size=1).solve(v, curvature)
    _, singular, v = problem([5.0, -1.0])
    with pytest.raises(FloatingPointError, match='singular'):
        Dense(damping=1.0).solve(v, singular)
    with pytest.raises(ValueError, match='damping >= 0'):
        Dense(damping=-1)
