import itertools

import pytest
import torch

from mmal.influence import LiSSA, cosine


def problem(eigenvalues, n=6, noise=0.0, seed=0):
    """Mini-batch Hessians with a given mean spectrum, and a right-hand side."""
    g = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(len(eigenvalues), len(eigenvalues), generator=g, dtype=torch.double))
    H = q @ torch.diag(torch.tensor(eigenvalues, dtype=torch.double)) @ q.T
    shift = torch.randn(n, generator=g, dtype=torch.double) * noise
    return H, [H * (1 + s - shift.mean()) for s in shift], torch.randn(len(H), generator=g, dtype=torch.double)


def solve(solver, batches, v, log=lambda text: None):
    return solver.solve(v, lambda H, h: H @ h, lambda repeat: itertools.cycle(batches), log)


@pytest.mark.parametrize(('damping', 'scale'), [(0.01, 10.0), (0.1, 10.0), (0.01, 100.0)])
def test_fixed_point_is_the_damped_inverse(damping, scale):
    """x = (H + damping * scale * I)^-1 v: the division by scale, and the meaning of damping."""
    H, batches, v = problem([5.0, 2.0, 0.3, 0.0])
    solution = solve(LiSSA(damping=damping, scale=scale, depth=4000, repeats=1), batches, v)
    exact = torch.linalg.solve(H + damping * scale * torch.eye(4, dtype=torch.double), v)
    torch.testing.assert_close(solution.x, exact, rtol=1e-8, atol=1e-10)
    assert solution.report['effective_damping'] == damping * scale
    assert solution.report['restarts'] == 0
    assert solution.report['steps'] == 4000


def test_truncated_series_has_the_known_bias():
    """On a flat direction the value after T steps is (1 - (1 - damping)^(T + 1)) / damping / scale of v."""
    _, batches, v = problem([0.0, 0.0])
    x = solve(LiSSA(damping=0.1, scale=4.0, depth=7, repeats=2), batches, v).x
    torch.testing.assert_close(x, v * (1 - 0.9**8) / 0.1 / 4.0)


def test_paper_mode_without_damping_and_scale():
    H, batches, v = problem([0.9, 0.5, 0.2])
    x = solve(LiSSA(damping=0.0, scale=1.0, depth=200, repeats=1), batches, v).x
    torch.testing.assert_close(x, torch.linalg.solve(H, v), rtol=1e-6, atol=1e-8)


def test_too_small_a_scale_restarts_and_says_so():
    H, batches, v = problem([37.0, 1.0], noise=0.3)
    said = []
    solution = solve(LiSSA(damping=0.01, scale=1.0, depth=3000, repeats=1), batches, v, said.append)
    assert solution.report['scale'] == 2.0 ** solution.report['restarts']
    assert solution.report['scale'] > 18
    assert len(said) == solution.report['restarts'] > 0
    assert 'scale 1 -> 2' in said[0]
    exact = torch.linalg.solve(H + solution.report['effective_damping'] * torch.eye(2, dtype=torch.double), v)
    assert cosine(solution.x, exact) > 0.99


def test_indefinite_hessian_needs_damping_above_its_lowest_eigenvalue():
    H, batches, v = problem([80.0, 3.0, -51.0])
    solution = solve(LiSSA(damping=0.1, scale=100.0, depth=1000, repeats=1), batches, v)
    assert solution.report['effective_damping'] > 51
    exact = torch.linalg.solve(H + solution.report['effective_damping'] * torch.eye(3, dtype=torch.double), v)
    torch.testing.assert_close(solution.x, exact, rtol=1e-6, atol=1e-8)


def test_giving_up_names_the_knobs():
    _, batches, v = problem([1e9])
    with pytest.raises(FloatingPointError, match=r'solver.scale.*solver.damping.*solver.batch_size'):
        solve(LiSSA(scale=1.0, max_restarts=3, depth=50), batches, v)


def test_non_finite_input_is_an_error():
    _, batches, v = problem([1.0, 1.0])
    with pytest.raises(FloatingPointError, match='reference gradient is not finite'):
        solve(LiSSA(), batches, v * torch.nan)
    with pytest.raises(FloatingPointError, match='solver.scale'):
        solve(LiSSA(max_restarts=2, depth=5), [batches[0] * torch.nan], v)


def test_repeats_average_and_leave_a_trace_each():
    _, batches, v = problem([2.0, 1.0], noise=0.5)
    streams = {0: batches, 1: batches[::-1], 2: batches[2:] + batches[:2]}
    solver = LiSSA(damping=0.1, scale=10.0, depth=20, repeats=3)
    both = solver.solve(v, lambda H, h: H @ h, lambda r: itertools.cycle(streams[r]))
    single = LiSSA(damping=0.1, scale=10.0, depth=20, repeats=1)
    parts = [single.solve(v, lambda H, h: H @ h, lambda _, r=r: itertools.cycle(streams[r])).x for r in streams]
    torch.testing.assert_close(both.x, sum(parts) / 3)
    assert [len(t) for t in both.report['trace']] == [20, 20, 20]


@pytest.mark.parametrize('bad', [dict(damping=1.0), dict(damping=-0.1), dict(scale=0.0), dict(depth=0),
                                 dict(repeats=0), dict(batch_size=0), dict(scale=float('inf'))])
def test_settings_out_of_range(bad):
    with pytest.raises(ValueError, match='LiSSA'):
        LiSSA(**bad)


def test_cosine_of_zero_is_zero():
    assert cosine(torch.zeros(2), torch.ones(2)) == 0.0
