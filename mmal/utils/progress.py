"""Progress with rate and time left: a bar on a terminal, now and then a line in a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator

from tqdm import tqdm

LINE_EVERY = 20.0
"""Seconds between two lines where there is no terminal."""


def track(iterable: Iterable, total: int, title: str, logger) -> Iterator:
    """Yield from ``iterable`` and show how far it is.

    Args:
        iterable: What to go through.
        total: Its length.
        title: What is being done, e.g. ``'round 2: scoring'``.
        logger: Gets the lines when standard error is not a terminal.
    """
    if sys.stderr.isatty() and os.environ.get('RANK', '0') == '0':
        yield from tqdm(iterable, total=total, desc=title, dynamic_ncols=True, leave=False)
        return
    start = last = time.monotonic()
    for done, item in enumerate(iterable, 1):
        yield item
        now = time.monotonic()
        if now - last >= LINE_EVERY and done < total:
            last, rate = now, done / (now - start)
            logger.info(
                f'{title}: {done}/{total}, {rate:.1f}/s, {(total - done) / rate:.0f} s left'
            )
