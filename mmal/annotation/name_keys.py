"""What is left of names under a rule, and images by that."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cached_property
from urllib.parse import parse_qs, unquote, urlsplit

from .match_rules import RENAMING, WITHOUT_FOLDERS, MatchRule, RuleSet

EXTENSION = re.compile(
    r'(?<=.)\.(jpe?g?|jfif|png|bmp|tiff?|webp|ppm|pgm|jp2|gif|avif|heic)$', re.IGNORECASE
)
"""The extension of an image."""
UPLOAD_PREFIX = re.compile(r'[0-9a-f]{8}-(?=.)')
"""What Label Studio puts before the name of an uploaded file."""
ROBOFLOW_END = re.compile(r'\.rf\.[0-9A-Za-z]{16,40}$')
"""What Roboflow puts at the end of the stem of a file, after the extension that it had."""
FORMER_EXTENSIONS = re.compile(r'(_(jpe?g|png|bmp|tiff?|webp|gif|avif|heic))+$', re.IGNORECASE)
"""Extensions of earlier forms of a file, as Roboflow writes them: it makes ``a_jpeg_jpg`` of what
was ``a.jpeg`` once.
"""
DRIVE = re.compile(r'[A-Za-z]:[\\/]')
"""How an absolute name begins in Windows."""


def is_absolute(name: str) -> bool:
    """Whether a name is absolute, on this system or in Windows.

    Args:
        name: The name.
    """
    return name.startswith(('/', '\\')) or bool(DRIVE.match(name))


def path_in_address(address: str) -> str:
    """The path in an address; Label Studio's local files have it in the query ``d``.

    Args:
        address: A URL, or a part of one.

    Returns:
        '' if it is no address.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return ''
    local_files = parse_qs(parts.query).get('d')
    return local_files[0] if local_files else unquote(parts.path)


class KeyedNames:
    """Images by what is left of their names under rules.

    Args:
        parts: Folders and file of each image, by its name.
        rules: The rules.
    """

    def __init__(self, parts: Mapping[str, tuple[str, ...]], rules: RuleSet) -> None:
        self._parts = parts
        self._rules = rules
        self._by_length: dict[int, dict[str, list[str]]] = {}

    @cached_property
    def whole(self) -> dict[str, list[str]]:
        """Images by the whole key."""
        images: dict[str, list[str]] = {}
        for name, parts in self._keys.items():
            images.setdefault('/'.join(parts), []).append(name)
        return images

    @cached_property
    def _keys(self) -> Mapping[str, tuple[str, ...]]:
        if not self._rules:
            return self._parts
        return {name: _key(parts, self._rules) for name, parts in self._parts.items()}

    @cached_property
    def _depth(self) -> int:
        return max(map(len, self._parts.values()), default=0)

    def _ending(self, n_parts: int) -> dict[str, list[str]]:
        """Images by the last parts of their key."""
        if n_parts > self._depth:
            return {}
        if n_parts not in self._by_length:
            images: dict[str, list[str]] = {}
            for name, parts in self._keys.items():
                if len(parts) >= n_parts:
                    images.setdefault('/'.join(parts[-n_parts:]), []).append(name)
            self._by_length[n_parts] = images
        return self._by_length[n_parts]

    @cached_property
    def _renamed(self) -> dict[str, list[str]]:
        """Images that a tool renamed, by the key of their former name."""
        images: dict[str, list[str]] = {}
        for name, parts in self._parts.items():
            if _is_renamed(parts, self._rules):
                key = _key(_without_upload(parts, self._rules), self._rules)
                images.setdefault(key[-1], []).append(name)
        return images

    def candidates(self, name: str) -> list[str]:
        """Images that a name may mean.

        Args:
            name: The name.
        """
        parts = name_parts(name)
        if not parts:
            return []
        if self._rules & RENAMING:
            return self._candidates_for_renamed(name)
        parts = _key(parts, self._rules)
        if self._rules & WITHOUT_FOLDERS:
            return self._ending(1).get(parts[-1], [])
        key = '/'.join(parts)
        found = self.whole.get(key) or self._ending(len(parts)).get(key, [])
        if found or MatchRule.SUFFIX not in self._rules:
            return found
        for start in range(1, len(parts)):
            found = self.whole.get('/'.join(parts[start:]), [])
            if found:
                return found
        return []

    def _candidates_for_renamed(self, name: str) -> list[str]:
        """Images where a tool renamed either the name or the image."""
        parts = name_parts(name)
        is_renamed = _is_renamed(parts, self._rules)
        if '?' in name and MatchRule.LABEL_STUDIO in self._rules:
            parts = name_parts(path_in_address(name)) or parts
            is_renamed = True
        if is_renamed:
            former = _key(_without_upload(parts, self._rules), self._rules)
            found = self._ending(1).get(former[-1])
            if found:
                return found
        return self._renamed.get(_key(parts, self._rules)[-1], [])


def name_parts(name: str) -> tuple[str, ...]:
    """Folders and file of a name, in one Unicode form; a root is a part of its own.

    Args:
        name: The name, with slashes or backslashes.
    """
    if not name.isascii():
        name = unicodedata.normalize('NFC', name)
    name = name.replace('\\', '/')
    parts = [part for part in name.split('/') if part not in ('', '.')]
    if name.startswith('/'):
        return ('/', *parts)
    return tuple(parts)


def last_part(name: str) -> str:
    """The file of a name, without its folders; '' if there is none.

    Args:
        name: The name, with slashes or backslashes.
    """
    parts = name_parts(name)
    return parts[-1] if parts else ''


def _key(parts: tuple[str, ...], rules: RuleSet) -> tuple[str, ...]:
    """What is left of a name where the rules take the rest away."""
    if not parts or not rules:
        return parts
    last = parts[-1]
    if MatchRule.LABEL_STUDIO in rules:
        last = _sanitized(last)
    if MatchRule.ROBOFLOW in rules:
        last = _without_roboflow(last)
    if MatchRule.STEM in rules:
        last = _stem(last)
    parts = (*parts[:-1], last)
    if MatchRule.CASE in rules:
        parts = tuple(part.casefold() for part in parts)
    return parts


def _is_renamed(parts: tuple[str, ...], rules: RuleSet) -> bool:
    """Whether a name bears the mark of a tool that renames files."""
    if not parts:
        return False
    if MatchRule.LABEL_STUDIO in rules and UPLOAD_PREFIX.match(parts[-1]):
        return True
    return MatchRule.ROBOFLOW in rules and bool(ROBOFLOW_END.search(_stem(parts[-1])))


def _without_upload(parts: tuple[str, ...], rules: RuleSet) -> tuple[str, ...]:
    if MatchRule.LABEL_STUDIO not in rules:
        return parts
    return (*parts[:-1], UPLOAD_PREFIX.sub('', parts[-1], count=1))


def _stem(last: str) -> str:
    return EXTENSION.sub('', last)


def _sanitized(last: str) -> str:
    """A file's name as a web server keeps it: spaces as underscores, odd characters left out."""
    return re.sub(r'[^-\w.]', '', last.strip().replace(' ', '_'))


def _without_roboflow(last: str) -> str:
    """The stem of a file's name, which Roboflow may have changed; odd characters as dashes."""
    stem = FORMER_EXTENSIONS.sub('', ROBOFLOW_END.sub('', _stem(last)))
    return re.sub(r'[^0-9A-Za-z_]+', '-', stem)
