"""What the user can do something about."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError


class InputError(ValueError):
    """Something the user gave cannot work.

    The message says what was expected, what was found and what to do. The tools print it without a
    traceback, see :func:`explained`.
    """


@contextmanager
def explained(program: str, go_on: str = 'go on by --resume') -> Iterator[None]:
    """End the program with one message, without a traceback, where the user can do something about it.

    Args:
        program: Its name.
        go_on: How its work is gone on with.
    """
    try:
        yield
    except InputError as e:
        sys.exit(f'\n{program}: {e}')
    except FileNotFoundError as e:
        sys.exit(f'\n{program}: file not found: {e.filename or e}')
    except UnpicklingError as e:
        why = next((line for line in str(e).splitlines() if 'GLOBAL' in line), str(e)).strip()
        sys.exit(
            f'\n{program}: a checkpoint holds more than tensors and plain values, and was not read. {why}\n'
            'Code in such a file would run. If you made it yourself, --unsafe-checkpoints loads it all the same.'
        )
    except OSError as e:
        sys.exit(
            f'\n{program}: cannot write or read {e.filename or "a file"}: {e.strerror or e}. What was finished is '
            f'kept; see to it and {go_on}.'
        )
