"""Tests on an accelerator: a fake one, or with MMAL_ACCELERATOR=cuda a real GPU."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.emulation.fake_device import fake_device
from tests.emulation.transfers import own_transfers
from tests.processes import apart


@dataclass(frozen=True)
class Accelerator:
    """The device that a test runs on.

    Attributes:
        kind: 'fake' or 'cuda'.
        device: The device to move models and tensors to. Fixtures are made before there is one: move inside of a test.
    """

    kind: str

    @property
    def device(self):
        return torch.device('cuda', 0)

    def own_transfers(self):
        """Count mmal's own transfers to the host; only the fake device can."""
        if self.kind != 'fake':
            pytest.skip('only the fake device counts transfers')
        return own_transfers()


@pytest.fixture
def accelerator():
    """The device, fake unless MMAL_ACCELERATOR=cuda. With a fake one the test runs in a fork of this process."""
    kind = os.environ.get('MMAL_ACCELERATOR', 'fake')
    if kind not in ('fake', 'cuda'):
        raise ValueError(f'MMAL_ACCELERATOR: expected fake or cuda, found {kind!r}')
    if kind == 'cuda' and not torch.cuda.is_available():
        pytest.skip('MMAL_ACCELERATOR=cuda: torch finds no GPU')
    return Accelerator(kind)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """A test that wants a fake accelerator runs in a child process: it leaves traces in torch."""
    accelerator = pyfuncitem.funcargs.get('accelerator')
    if accelerator is None or accelerator.kind != 'fake':
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    def body(rank):
        with fake_device():
            try:
                pyfuncitem.obj(**arguments)
            except pytest.skip.Exception as skipped:
                return str(skipped)
        return None

    with tempfile.TemporaryDirectory() as folder:
        skipped = apart(1, Path(folder) / 'child', body)
    if skipped:
        pytest.skip(skipped)
    return True
