"""Where a run runs, as far as the last digits of its numbers, and with them its trainings, depend on it."""

from __future__ import annotations

import torch
from mmengine.device import get_device

from .versions import versions


def environment() -> dict[str, str]:
    """Versions of the libraries, the kind of device, the processor's instructions and torch's threads in a process."""
    return dict(versions(), device=get_device(), processor=torch.backends.cpu.get_cpu_capability(),
                threads=str(torch.get_num_threads()))
