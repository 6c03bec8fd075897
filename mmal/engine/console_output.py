"""What of the host's log comes to the screen; its file has all of it."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

HOSTS = r'(mmengine|mmdet|mmpretrain|mmcv|torch)\.'
"""Modules whose warnings of their own workings say nothing of a plan."""


class WithoutInfo(io.TextIOBase):
    """A stream that passes text on, but for records of level INFO while it is muted.

    A console handler that is made meanwhile keeps it.

    Args:
        stream: Where text goes.

    Attributes:
        muted: Whether records of level INFO are left out. True at first.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.muted = True

    def write(self, text: str) -> int:
        """Pass a record on, or leave it out.

        Args:
            text: The record, with its level in the first line.
        """
        first_line = text.partition('\n')[0]
        if self.muted and 'INFO' in first_line:
            return len(text)
        return self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()


@contextmanager
def info_in_file_alone() -> Iterator[None]:
    """Keep what the host logs at level INFO off the screen: its hundreds of lines on environment
    and config when a Runner is built. The log file has them, and warnings are shown.
    """
    stream = WithoutInfo(sys.stdout)
    try:
        with redirect_stdout(stream):
            yield
    finally:
        stream.muted = False


@contextmanager
def silent_hosts() -> Iterator[None]:
    """Keep all that the hosts print, log and warn of off the screen."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings('ignore', module=HOSTS)
        yield


class WarningCollector(logging.Handler):
    """Collects what is logged at level WARNING and above.

    Attributes:
        messages: The messages, each once.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message.

        Args:
            record: What was logged.
        """
        message = record.getMessage()
        if message not in self.messages:
            self.messages.append(message)
