"""Progress with rate and time left: a bar on a terminal, elsewhere a line in the log at times."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar('T')

LINE_EVERY = 20.0
"""Seconds between two lines where there is no terminal."""


def track(iterable: Iterable[T], total: int, title: str, logger: logging.Logger) -> Iterator[T]:
    """Yield from an iterable and show the progress.

    Args:
        iterable: Items to go through.
        total: Number of items.
        title: Name of the work, for instance ``'round 2: scoring'``.
        logger: Receives the lines when standard error is not a terminal.
    """
    if sys.stderr.isatty() and os.environ.get('RANK', '0') == '0':
        yield from tqdm(iterable, total=total, desc=title, dynamic_ncols=True, leave=False)
        return
    start = time.monotonic()
    last_line = start
    for done, item in enumerate(iterable, 1):
        yield item
        moment = time.monotonic()
        if moment - last_line < LINE_EVERY or done >= total:
            continue
        last_line = moment
        rate = done / (moment - start)
        seconds_left = (total - done) / rate
        logger.info(f'{title}: {done}/{total}, {rate:.1f}/s, {seconds_left:.0f} s left')
