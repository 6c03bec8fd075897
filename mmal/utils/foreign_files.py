"""Recognise what is no image though its name says so: a web page, a pointer to a file, a video."""

from __future__ import annotations

import os
import stat

_START = 512
"""Bytes that are looked at."""
_BEGINNINGS = (
    (b'version https://git-lfs', 'is a pointer of Git LFS: fetch the file by `git lfs pull`'),
    (b'%PDF', 'is a PDF'),
    (b'PK\x03\x04', 'is a ZIP archive'),
    (b'\x1f\x8b', 'is an archive of gzip'),
    (b'\x00\x05\x16\x07', 'is what macOS keeps beside a file (its name begins with ._), no image'),
    (b'\x93NUMPY', 'is an array of NumPy'),
    (b'\x1a\x45\xdf\xa3', 'is a video'),
)
_BRANDS = (
    ((b'heic', b'heix', b'hevc', b'mif1', b'msf1'), 'is a HEIC image: convert it to JPEG'),
    ((b'isom', b'mp41', b'mp42', b'avc1', b'qt  ', b'M4V ', b'3gp4'), 'is a video'),
)
"""What follows ``ftyp`` in files of one family."""


def irregular_file(path: str) -> str | None:
    """Say what stands in the place of a file, if it is none that can be read like one.

    Args:
        path: The path.

    Returns:
        What it is; None for a file, or where nothing can be known.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return 'is a folder'
    return 'is no file, but a pipe, a socket or a device'


def foreign_content(path: str) -> str | None:
    """Say what a file is that is no image.

    Args:
        path: Path of the file.

    Returns:
        What it is; None if it is not recognised, or cannot be read.
    """
    try:
        with open(path, 'rb') as file:
            start = file.read(_START)
    except OSError:
        return None
    if not start:
        return 'is empty (0 bytes)'
    for beginning, name in _BEGINNINGS:
        if start.startswith(beginning):
            return name
    if start[4:8] == b'ftyp':
        for brands, name in _BRANDS:
            if start[8:12] in brands:
                return name
    if start[128:132] == b'DICM':
        return 'is a DICOM file: convert it to PNG'
    return _text_kind(start)


def _text_kind(start: bytes) -> str | None:
    text = start.removeprefix(b'\xef\xbb\xbf').lstrip().lower()
    if b'<svg' in text:
        return 'is an SVG drawing: render it to PNG'
    if text.startswith(b'<!doctype html') or b'<html' in text:
        return 'is a web page, as a download that failed leaves it'
    if text.startswith(b'<'):
        return 'is XML'
    if text.startswith(b'{'):
        return 'is JSON'
    if not start.strip(b'\0'):
        return 'holds nothing but zeros'
    return None
