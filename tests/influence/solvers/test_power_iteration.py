import pytest

from mmal.influence.solvers.power_iteration import largest_eigenvalue
from tests.influence.matrices import problem


def test_power_iteration_finds_the_largest_in_absolute_value():
    H, _, v = problem([3.0, -8.0, 1.0])
    assert largest_eigenvalue(lambda x: H @ x, v, 50) == pytest.approx(8.0, rel=1e-6)
    assert largest_eigenvalue(lambda x: 0 * x, v) == 0.0
