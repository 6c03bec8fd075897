"""Counts transfers between host and device: each makes the host wait for all that the device has to do."""

import contextlib
import sys
from collections import Counter

HOSTS = ('/mmdet/', '/mmcv/', '/mmpretrain/', '/torchvision/')
"""Parts of the paths of files whose transfers are not ours: the models themselves."""

_counters = []


def record_transfer(name, args, upload=False):
    """Note a transfer by the innermost line of mmal that caused it; one caused inside of a model is the model's."""
    from tests.emulation.fake_device import is_on_device, leaves_of
    if not _counters or not (upload or any(map(is_on_device, leaves_of(args)))):
        return
    place = _own_place()
    if place is not None:
        for counter in _counters:
            counter[f'{place} {name}'] += 1


def _own_place():
    """File and line in mmal, or None for a transfer of a host library or a test."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if any(host in path for host in HOSTS):
            return None
        if '/mmal/' in path and '/site-packages/' not in path and '/tests/' not in path:
            return f'{path.rsplit("/mmal/", 1)[-1]}:{frame.f_lineno}'
        frame = frame.f_back
    return None


@contextlib.contextmanager
def own_transfers():
    """A Counter of mmal's own transfers inside of the context, by file, line and function."""
    counter = Counter()
    _counters.append(counter)
    try:
        yield counter
    finally:
        _counters.remove(counter)
