"""Rules by which the name of an image may differ from that of its file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TypeAlias

from mmal.errors import InputError


class MatchRule(Enum):
    """How a name may differ from that of its image, the most careful rule first."""

    SUFFIX = 'suffix'
    """It has folders before the whole name of the image, or is absolute on another machine."""
    CASE = 'case'
    """It is in another case."""
    STEM = 'stem'
    """It has another extension, or none."""
    LABEL_STUDIO = 'label-studio'
    """Label Studio put eight hexadecimal digits before it when the file was uploaded."""
    ROBOFLOW = 'roboflow'
    """Roboflow made ``a_jpg.rf.HASH.jpg`` of ``a.jpg``."""
    BASENAME = 'basename'
    """It is in another folder."""


RULE_NAMES = tuple(rule.value for rule in MatchRule)
"""What the user may name."""
RuleSet: TypeAlias = frozenset[MatchRule]
"""Rules that a name may differ by at the same time."""
PLAIN: RuleSet = frozenset()
"""No rule but what is always taken."""
RENAMING = frozenset({MatchRule.LABEL_STUDIO, MatchRule.ROBOFLOW})
"""Rules for what a tool makes of a file's name, whatever its folder is."""
WITHOUT_FOLDERS = RENAMING | {MatchRule.BASENAME}
"""Rules that compare names without their folders."""


def parse_rules(names: str | Sequence[str] | None, setting: str) -> tuple[MatchRule, ...]:
    """The rules that a user names.

    Args:
        names: Names of rules, as text with commas between them or as a list; None for none.
        setting: What the user calls them, for the message.

    Raises:
        InputError: If there is no such rule.
    """
    if names is None:
        return ()
    listed = names.replace(',', ' ').split() if isinstance(names, str) else names
    if not isinstance(listed, (list, tuple)):
        raise InputError(f'{setting}: expected some of {", ".join(RULE_NAMES)}, got {listed!r}.')
    for name in listed:
        if name not in RULE_NAMES:
            raise InputError(f'{setting}: expected some of {", ".join(RULE_NAMES)}, got {name!r}.')
    return tuple(rule for rule in MatchRule if rule.value in listed)


def rules_text(rules: Iterable[MatchRule]) -> str:
    """Rules as ``--match`` takes them, for instance 'case,stem'.

    Args:
        rules: The rules.
    """
    return ','.join(rule.value for rule in MatchRule if rule in set(rules))
