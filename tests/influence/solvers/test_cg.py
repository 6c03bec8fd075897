import pytest
import torch

from mmal.influence.solvers.cg import CG
from tests.influence.matrices import Matrices, exact, problem


def test_solution_and_true_residual():
    H, curvature, v = problem([50.0, 5.0, 2.0, 0.3, 0.0])
    solution = CG(damping=0.1, tol=1e-10).solve(v, curvature)
    torch.testing.assert_close(solution.x, exact(H, 0.1, v), rtol=1e-8, atol=1e-9)
    report = solution.report
    assert report['converged']
    assert report['residual'] <= 1e-10
    assert len(report['trace']) == report['iterations'] <= 6


def test_default_damping_is_a_share_of_the_largest_eigenvalue():
    H, curvature, v = problem([200.0, 1.0, 0.1])
    report = CG(relative_damping=0.05).solve(v, curvature).report
    assert report['effective_damping'] == pytest.approx(10.0, rel=1e-2)
    assert report['largest_eigenvalue'] == pytest.approx(200.0, rel=1e-2)


def test_stopping_early_is_said_with_the_residual_reached():
    _, curvature, v = problem(list(torch.logspace(-3, 3, 30)))
    said = []
    report = CG(damping=1e-4, max_iter=3).solve(v, curvature, log=said.append).report
    assert not report['converged']
    assert report['iterations'] == 3
    assert 'solver.max_iter' in said[0]


def test_float32_residual_is_the_true_one():
    H, curvature, v = problem(list(torch.logspace(-2, 2, 60)))
    curvature, v = Matrices([H.float()]), v.float()
    solution = CG(damping=0.1, tol=1e-4, max_iter=300).solve(v, curvature)
    true = (v - H.float() @ solution.x - 0.1 * solution.x).norm() / v.norm()
    assert solution.report['residual'] == pytest.approx(float(true), rel=1e-3)
    assert float(true) <= 1e-4


def test_negative_curvature_doubles_the_damping_and_says_so():
    H, curvature, v = problem([80.0, 3.0, -51.0])
    said = []
    solution = CG(damping=1.0, curvature='hessian', tol=1e-8).solve(v, curvature, log=said.append)
    assert solution.report['effective_damping'] > 51
    assert solution.report['restarts'] == len(said) > 0
    assert 'negative curvature' in said[0]
    torch.testing.assert_close(solution.x, exact(H, solution.report['effective_damping'], v), rtol=1e-6, atol=1e-8)


def test_giving_up_and_products_that_are_not_finite():
    _, curvature, v = problem([1.0, -1e9])
    with pytest.raises(FloatingPointError, match='indefinite.*ggn'):
        CG(damping=1.0, max_restarts=3).solve(v, curvature, log=lambda text: None)
    with pytest.raises(FloatingPointError, match='not finite'):
        CG(damping=1.0).solve(v, Matrices([curvature.matrices[0] * torch.nan]))


@pytest.mark.parametrize('bad', [dict(damping=-1.0), dict(relative_damping=0.0), dict(tol=0.0), dict(max_iter=0),
                                 dict(curvature='fisher')])
def test_settings_out_of_range(bad):
    with pytest.raises(ValueError, match='CG'):
        CG(**bad)
