"""Errors that the user can do something about, and how the tools report them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError

SECONDS_TO_SPEAK = 2.0
"""Time that other processes leave rank 0 to tell of what they all have."""


class InputError(ValueError):
    """Something the user gave cannot work.

    The message names what was expected, what was found and what to do. The tools print it without
    a traceback, see :func:`explained`.
    """


class MissingFileError(InputError):
    """A file that is to be read does not exist."""


class LaunchError(InputError):
    """An error that all processes of a launch have alike, of which rank 0 tells.

    Attributes:
        rank: Number of the process, from 0.

    Args:
        message: What is wrong.
        rank: Number of the process. Defaults to 0.
    """

    def __init__(self, message: str, rank: int = 0) -> None:
        super().__init__(message)
        self.rank = rank


@contextmanager
def explained(program: str, go_on: str = 'go on by --resume') -> Iterator[None]:
    """End the program with one message, without a traceback, on errors that the user can mend.

    Args:
        program: Name of the program, with which the message begins.
        go_on: Advice on how to continue the program's work, as an imperative. Defaults to
            'go on by --resume'.

    Raises:
        SystemExit: If the block raises :class:`InputError`, ``OSError`` or ``UnpicklingError``. Its
            code is the message.
    """
    try:
        yield
    except LaunchError as e:
        if e.rank == 0:
            sys.exit(f'\n{program}: {e}')
        # The end of one process has its launcher end the others, rank 0 before it could speak.
        time.sleep(SECONDS_TO_SPEAK)
        sys.exit(1)
    except InputError as e:
        sys.exit(f'\n{program}: {e}')
    except FileNotFoundError as e:
        sys.exit(f'\n{program}: file not found: {e.filename or e}')
    except UnpicklingError as e:
        sys.exit(
            f'\n{program}: a checkpoint holds more than tensors and plain values, and was not '
            f'read. {refused_global(e)}\n'
            'Code in such a file would run. If you made it yourself, --unsafe-checkpoints loads '
            'it all the same.'
        )
    except OSError as e:
        sys.exit(
            f'\n{program}: cannot write or read {e.filename or "a file"}: {e.strerror or e}. '
            f'What was finished is kept; see to it and {go_on}.'
        )


def refused_global(error: UnpicklingError) -> str:
    """The line of torch's long message that names the refused object, or all of the message.

    Args:
        error: What torch raised.
    """
    for line in str(error).splitlines():
        if 'GLOBAL' in line:
            return line.strip()
    return str(error).strip()
