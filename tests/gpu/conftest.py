"""Tests for a real GPU: `make test-gpu`.

Most bodies take a device and are run on the processor, too, among the slow tests, so that they are known to run.
"""

import pytest
import torch

NO_GPU = 'the tests of the marker gpu need one, and torch {} sees none: {}'


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Without a GPU nothing passes by being skipped."""
    if item.get_closest_marker('gpu') and not torch.cuda.is_available():
        reason = 'nvidia-smi tells whether the driver does'
        if torch.version.cuda is None:
            reason = 'it was built without CUDA'
        pytest.exit(NO_GPU.format(torch.__version__, reason), returncode=3)


@pytest.fixture(params=[pytest.param('cpu', marks=pytest.mark.slow), pytest.param('cuda', marks=pytest.mark.gpu)])
def device(request):
    return torch.device(request.param)
