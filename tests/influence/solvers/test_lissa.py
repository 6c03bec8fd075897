import pytest
import torch

from mmal.influence.solvers.base import cosine
from mmal.influence.solvers.lissa import LiSSA
from tests.influence.matrices import Matrices, exact, problem


@pytest.mark.parametrize(('damping', 'scale'), [(0.01, 10.0), (0.1, 10.0), (0.01, 100.0)])
def test_fixed_point_is_the_damped_inverse(damping, scale):
    """x = (H + damping * scale * I)^-1 v: the division by scale, and the meaning of damping."""
    H, curvature, v = problem([5.0, 2.0, 0.3, 0.0])
    solution = LiSSA(damping=damping, scale=scale, depth=4000, repeats=1).solve(v, curvature)
    torch.testing.assert_close(solution.x, exact(H, damping * scale, v), rtol=1e-8, atol=1e-10)
    assert solution.report['effective_damping'] == pytest.approx(damping * scale)
    assert solution.report['restarts'] == 0
    assert solution.report['evaluations'] == solution.report['iterations'] == 4000


def test_truncated_series_has_the_known_bias():
    """On a flat direction the value after T steps is (1 - (1 - damping)^(T + 1)) / damping / scale of v."""
    _, curvature, v = problem([0.0, 0.0])
    x = LiSSA(damping=0.1, scale=4.0, depth=7, repeats=2).solve(v, curvature).x
    torch.testing.assert_close(x, v * (1 - 0.9**8) / 0.1 / 4.0)


def test_paper_preset_is_algorithm_3_to_the_letter():
    """h_0 = v, h_i = v + (I - H_i) h_{i-1}, no damping, no scale; the mean over four runs of 250 single samples."""
    H, curvature, v = problem([0.9, 0.5, 0.2], noise=0.1)
    solver = LiSSA(preset='paper')
    assert (solver.depth, solver.batch_size, solver.repeats, solver.damping, solver.scale) == (250, 1, 4, 0.0, 1.0)
    runs = []
    for repeat in range(4):
        h = v
        for i in solver._draw(len(curvature), 7, repeat):
            h = v + h - curvature.matrices[i] @ h
        runs.append(h)
    x = solver.solve(v, curvature, seed=7).x
    torch.testing.assert_close(x, sum(runs) / 4, rtol=1e-12, atol=1e-12)
    assert cosine(x, torch.linalg.solve(H, v)) > 0.99


def test_official_preset_has_a_scale_a_layer_and_no_final_division():
    """Fixed point (damping S + H)^-1 S v, of h <- v + (1 - damping) h - S^-1 H h."""
    names = ['bbox_head.conv_cls.weight', 'bbox_head.conv_reg.weight', 'bbox_head.conv_centerness.weight', 'fc.weight']
    H, curvature, v = problem([5.0, 2.0, 0.3, 0.1])
    curvature = Matrices(curvature.matrices, names)
    S = torch.diag(torch.tensor([100.0, 8000.0, 5000.0, 10000.0], dtype=torch.double))
    solution = LiSSA(preset='official', depth=3000).solve(v, curvature)
    torch.testing.assert_close(solution.x, torch.linalg.solve(0.01 * S + H, S @ v), rtol=1e-6, atol=1e-8)
    assert solution.report['effective_damping'] == [1.0, 80.0, 50.0, 100.0]
    assert (LiSSA(preset='official').depth, LiSSA(preset='official', depth=250).depth) == (1000, 250)


def test_scale_is_found_on_single_mini_batches_not_on_their_mean():
    v = torch.ones(2, dtype=torch.double)
    big, none = torch.diag(torch.tensor([90.0, 1.0]).double()), torch.zeros(2, 2).double()
    solution = LiSSA(depth=50, repeats=1).solve(v, Matrices([big] + [none] * 8))
    assert 90 * 1.5 <= solution.report['scale'] <= 90 * 2.1
    assert solution.report['restarts'] == 0


def test_too_small_a_scale_restarts_and_says_so():
    H, curvature, v = problem([37.0, 1.0], noise=0.3)
    said = []
    solution = LiSSA(damping=0.01, scale=1.0, depth=3000, repeats=1).solve(v, curvature, log=said.append)
    assert solution.report['scale'] == 2.0 ** solution.report['restarts']
    assert solution.report['scale'] > 18
    assert len(said) == solution.report['restarts'] > 0
    assert 'scale 1 -> 2' in said[0]
    assert cosine(solution.x, exact(H, solution.report['effective_damping'], v)) > 0.99


def test_indefinite_hessian_needs_damping_above_its_lowest_eigenvalue():
    H, curvature, v = problem([80.0, 3.0, -51.0])
    solution = LiSSA(damping=0.1, scale=100.0, depth=1000, repeats=1).solve(v, curvature, log=lambda text: None)
    assert solution.report['effective_damping'] > 51
    torch.testing.assert_close(solution.x, exact(H, solution.report['effective_damping'], v), rtol=1e-6, atol=1e-8)


def test_giving_up_names_the_knobs():
    _, curvature, v = problem([1e9])
    with pytest.raises(FloatingPointError, match=r'solver.scale.*solver.damping.*solver.batch_size'):
        LiSSA(scale=1.0, max_restarts=3, depth=50).solve(v, curvature, log=lambda text: None)


def test_a_curvature_that_is_not_finite_is_an_error():
    _, curvature, v = problem([1.0, 1.0])
    with pytest.raises(FloatingPointError, match='solver.scale'):
        LiSSA(scale=1.0, max_restarts=2, depth=5).solve(v, Matrices([curvature.matrices[0] * torch.nan]),
                                                        log=lambda text: None)


def test_every_mini_batch_is_drawn_before_any_again_and_repeats_differ():
    solver = LiSSA(depth=14)
    draws = solver._draw(7, 0, 0)
    assert sorted(draws[:7]) == sorted(draws[7:]) == list(range(7))
    assert draws == solver._draw(7, 0, 0)
    assert len({tuple(d) for d in (draws, solver._draw(7, 0, 1), solver._draw(7, 1, 0))}) == 3


def test_repeats_average():
    _, curvature, v = problem([2.0, 1.0], noise=0.5)
    solver = LiSSA(damping=0.1, scale=10.0, depth=20, repeats=3)
    runs = [solver._run(v, curvature, v.new_tensor(10.0), solver._draw(6, 0, r), []) for r in range(3)]
    solution = solver.solve(v, curvature)
    torch.testing.assert_close(solution.x, sum(runs) / 30)
    assert len(solution.report['trace']) == 60


@pytest.mark.parametrize('bad', [dict(damping=1.0), dict(damping=-0.1), dict(scale=0.0), dict(depth=0),
                                 dict(repeats=0), dict(batch_size=0), dict(scale=float('inf')), dict(preset='best'),
                                 dict(scale={'*': -1.0})])
def test_settings_out_of_range(bad):
    with pytest.raises(ValueError, match='LiSSA'):
        LiSSA(**bad)


def test_a_layer_without_a_scale_is_named():
    _, curvature, v = problem([1.0, 1.0])
    with pytest.raises(ValueError, match='fits head.b'):
        LiSSA(scale={'head.a': 1.0}).solve(v, Matrices(curvature.matrices, ['head.a', 'head.b']))
