"""Text of files that other programs wrote."""

from __future__ import annotations

import codecs

from mmal.errors import InputError

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""First bytes of text in UTF-16, as spreadsheets write "Unicode text"."""
SAVE_AS = 'Save it as text in UTF-8 (in a spreadsheet: "CSV UTF-8")'


def decode_text(content: bytes) -> str:
    """Decode text in UTF-8, or in UTF-16 with its mark. A mark at its start is left out.

    Args:
        content: Content of a file.

    Raises:
        InputError: If it is neither.
    """
    encoding = 'utf-8-sig'
    if content.startswith(UTF16_MARKS):
        encoding = 'utf-16'
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as e:
        raise InputError(
            f'expected text in UTF-8 (JSON or CSV): {e}. {SAVE_AS}; if it is an archive, unpack it.'
        ) from None
    if '\0' in text:
        raise InputError(f'expected text in UTF-8 (JSON or CSV), found NUL bytes in it. {SAVE_AS}.')
    return text


def is_plain_utf8(content: bytes) -> bool:
    """Whether text begins without a mark, as programs expect that know UTF-8 alone.

    Args:
        content: Content of a file that :func:`decode_text` reads.
    """
    return not content.startswith((codecs.BOM_UTF8, *UTF16_MARKS))
