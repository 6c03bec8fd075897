"""Errors that the user can do something about, and how the tools report them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError


class InputError(ValueError):
    """Something the user gave cannot work.

    The message names what was expected, what was found and what to do. The tools print it without
    a traceback, see :func:`explained`.
    """


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
