"""Where a run runs, as far as the last digits of its numbers, and with them its trainings, depend on it."""

from __future__ import annotations

import torch
from mmengine.device import get_device

from .versions import versions


def environment() -> dict[str, str]:
    """Versions of the libraries, the kind of device and, without a GPU, the processor's kind and torch's threads."""
    device = get_device()
    processor = dict(processor=torch.backends.cpu.get_cpu_capability(), threads=str(torch.get_num_threads()))
    return dict(versions(), device=device, **(processor if device == 'cpu' else {}))


def moved(old: dict, new: dict) -> list[str]:
    """What of the ``environment`` of two records differs, a line each; nothing where the old one has none."""
    was, now = old.get('environment', {}), new.get('environment', {})
    return [f'environment.{k}: was {was.get(k, "absent")}, now {now.get(k, "absent")}'
            for k in sorted(set(was) | set(now)) if was and was.get(k) != now.get(k)]
