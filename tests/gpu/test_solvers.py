"""Solvers on a GPU: in double precision exactly, and s_test of a detector in single precision."""

import logging

import pytest
import torch

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.engine.hooks.stest_hook import StestHook
from mmal.engine.stest import open_reference_set, solve_s_test
from mmal.influence.parameters import flatten
from mmal.influence.solvers.base import cosine
from tests.contracts.test_solvers import SOLVERS
from tests.influence.matrices import problem
from tests.sampler_fixtures import Detection


@pytest.mark.parametrize('name', SOLVERS)
def test_in_double_precision_a_solution_is_that_of_the_processor(name, device):
    _, curvature, v = problem([5.0, 2.0, 0.3], noise=0.2)
    expected = SOLVERS[name].solve(v, curvature).x
    curvature.matrices = [matrix.to(device) for matrix in curvature.matrices]
    found = SOLVERS[name].solve(v.to(device), curvature).x
    assert found.device.type == device.type
    # eps is 1e-16; LiSSA's hundreds of steps and a condition number of 17 leave ten digits.
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-8, atol=1e-10)


SETTINGS = dict(cg=dict(type='mmal.CG'), hessian=dict(type='mmal.CG', curvature='hessian', relative_damping=0.5),
                lissa=dict(type='mmal.LiSSA', damping=0.1, scale=500.0, depth=20, batch_size=2),
                identity=dict(type='mmal.Identity'))


@pytest.mark.parametrize('name', SETTINGS)
def test_s_test_of_a_detector_is_that_of_the_processor(name, make_cfg, dataset, device):
    torch.manual_seed(0)
    world = Detection(make_cfg, dataset)
    data = build_data_adapter(world.cfg)

    def solve(model):
        solution = solve_s_test(StestHook(solver=SETTINGS[name]).settings, build_model_adapter(model, world.cfg),
                                open_reference_set('val', data, None, None), data.labeled_dataset(None), 0,
                                dict(batch_size=4), logging.getLogger())
        assert all(tensor.device.type == 'cpu' for tensor in solution.s_test.values())
        return flatten(solution.s_test), solution.report

    expected, _ = solve(world.model)
    found, report = solve(world.model.to(device))
    assert ('gpu_bytes' in report) == (device.type == 'cuda')
    # Gradients agree to 1e-4 (test_adapters.py). CG stops at a residual of 1e-3 with a condition number of 100, so that
    # a last iteration more or less may change a hundredth.
    assert cosine(found, expected) > 0.999
    assert float(found.norm()) == pytest.approx(float(expected.norm()), rel=1e-2)
