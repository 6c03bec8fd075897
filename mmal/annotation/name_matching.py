"""Which image a name means.

A name that a labeling tool, another machine or another file system has changed nearly fits. What
can mean one image alone is taken as it is: another Unicode form, backslashes for slashes, and
folders left out. All else is taken where the user names its rule, and only where one name is one
image.
"""

from __future__ import annotations

import difflib
import unicodedata
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from .match_rules import PLAIN, MatchRule, RuleSet, rules_text
from .name_keys import (
    UPLOAD_PREFIX,
    KeyedNames,
    is_absolute,
    last_part,
    name_parts,
    path_in_address,
)

MAX_NAMES = 3
"""Names that a message shows."""
MAX_EXPLAINED = 20
"""Names of which it is said what they come near to."""
MAX_TRIED = 1000
"""Names that rules are tried on, to find the one to advise."""
MAX_SIMILAR_SEARCHES = 3
"""Names to which similar ones are looked for, letter by letter."""
MAX_COMPARED = 2000
"""Names that one name is compared with, letter by letter."""
NO_AUGMENTATION = 'export a version of the Roboflow project without augmentation'
"""What to do where Roboflow made several images of one."""
PAIRS = (
    (MatchRule.SUFFIX, MatchRule.CASE),
    (MatchRule.SUFFIX, MatchRule.STEM),
    (MatchRule.CASE, MatchRule.STEM),
    (MatchRule.CASE, MatchRule.BASENAME),
    (MatchRule.STEM, MatchRule.BASENAME),
    (MatchRule.CASE, MatchRule.LABEL_STUDIO),
    (MatchRule.STEM, MatchRule.LABEL_STUDIO),
    (MatchRule.CASE, MatchRule.ROBOFLOW),
)
"""Pairs of rules that are advised."""


@dataclass(frozen=True)
class NameMatches:
    """What became of names.

    Attributes:
        names: Name of the image by the name that means it.
        unmatched: Names that mean no image, or not one alone.
        near: What a name comes near to, by name, for the first of those in ``unmatched``: the
            continuation of a sentence, from its punctuation mark on; '' if it comes near to
            nothing.
        advised: Rules that would take most of ``unmatched``, with those that were given. Empty if
            none would take any.
        n_advised: Number of names that they would take, of the first :data:`MAX_TRIED`.
        notes: What was taken although it is not the same, one sentence without a full stop each.
    """

    names: dict[str, str]
    unmatched: list[str] = field(default_factory=list)
    near: dict[str, str] = field(default_factory=dict)
    advised: tuple[MatchRule, ...] = ()
    n_advised: int = 0
    notes: list[str] = field(default_factory=list)

    def advice(self, setting: str = '--match ') -> str:
        """What to write so that most of the names are taken; '' if there is nothing.

        Args:
            setting: What stands before the names of the rules. Defaults to the option of commands.
        """
        if not self.advised:
            return ''
        rules = rules_text(self.advised)
        if not setting.startswith('--'):
            rules = repr(rules)
        n = len(self.unmatched)
        if n == 1:
            return f'`{setting}{rules}` takes it.'
        tried = f'first {MAX_TRIED}' if n > MAX_TRIED else str(n)
        return f'`{setting}{rules}` takes {self.n_advised} of the {tried}.'

    def first_near(self) -> str:
        """The first names that mean no image, with what they come near to."""
        shown = [f'{name!r}{self.near.get(name, "")}' for name in self.unmatched[:MAX_NAMES]]
        return '; '.join(shown)


class NameIndex:
    """Finds images by names that nearly fit. What it takes is linear in the number of names.

    Args:
        names: Names of the images, with slashes between folders. Each counts once.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._parts = {name: name_parts(name) for name in names}
        self._plain = KeyedNames(self._parts, PLAIN)

    def match(self, wanted: Iterable[str], rules: Sequence[MatchRule] = ()) -> NameMatches:
        """Find the images that names mean.

        Args:
            wanted: The names.
            rules: Rules by which a name may differ. Each is tried alone, the most careful first,
                and then all at once. Defaults to none but what is always taken.
        """
        found: dict[str, tuple[str, RuleSet]] = {}
        unmatched = []
        stages = [(stage, self._keyed(stage)) for stage in _stages(rules)]
        for name in dict.fromkeys(wanted):
            match = self._find(name, stages)
            if match is None:
                unmatched.append(name)
            else:
                found[name] = match
        near = _take_out_rivals(found)
        unmatched += near
        names = {name: image for name, (image, _) in found.items()}
        notes = _notes(found)
        advised, n_advised = self._explain(unmatched, near, rules, set(names.values()))
        return NameMatches(names, unmatched, near, advised, n_advised, notes)

    def at_address(self, address: str, folder: str) -> tuple[list[str], bool]:
        """Images that may lie at an address.

        If a folder in the address is that of all images, they are those below it. Otherwise they
        are those with the longest name that the address ends with. If it ends with none, they are
        those that may have been uploaded under the name.

        Args:
            address: A URL, or a part of one.
            folder: Name of the folder that the names are below.

        Returns:
            The names of the images, and whether it is the name of an upload.
        """
        parts = name_parts(path_in_address(address))
        ending = []
        for start in range(len(parts)):
            for name in self._plain.whole.get('/'.join(parts[start:]), []):
                ending.append((name, start))
        if folder in parts:
            return [name for name, start in ending if parts[start - 1 : start] == (folder,)], False
        if ending:
            longest = ending[0][1]
            return [name for name, start in ending if start == longest], False
        if not parts or not UPLOAD_PREFIX.match(parts[-1]):
            return [], False
        return self._keyed(frozenset({MatchRule.LABEL_STUDIO})).candidates(parts[-1]), True

    def _keyed(self, rules: RuleSet) -> KeyedNames:
        return KeyedNames(self._parts, rules) if rules else self._plain

    def _find(
        self, name: str, stages: Sequence[tuple[RuleSet, KeyedNames]]
    ) -> tuple[str, RuleSet] | None:
        """The image that a name means, and the rules by which it does."""
        if name in self._parts:
            return name, PLAIN
        for stage, keyed in stages:
            candidates = keyed.candidates(name)
            if len(candidates) == 1:
                return candidates[0], stage
            if candidates and stage == PLAIN:
                return None
        return None

    def _explain(
        self,
        unmatched: Sequence[str],
        near: dict[str, str],
        given: Sequence[MatchRule],
        taken: set[str],
    ) -> tuple[tuple[MatchRule, ...], int]:
        """Say what names come near to, and which rules would take most of them.

        Args:
            unmatched: Names that mean no image.
            near: What they come near to, as far as it is known. It is completed.
            given: Rules that were tried already.
            taken: Images that other names mean.

        Returns:
            The rules, and the number of names they would take.
        """
        tried = [name for name in unmatched[:MAX_TRIED] if name not in near]
        if not tried or not self._parts:
            return (), 0
        for name in tried[:MAX_EXPLAINED]:
            candidates = self._plain.candidates(name)
            if candidates:
                near[name] = _several(name, candidates)
        best: tuple[tuple[MatchRule, ...], int] = ((), 0)
        for rules in _combinations(given):
            keyed = self._keyed(rules)
            images = Counter[str]()
            for n, name in enumerate(tried):
                candidates = keyed.candidates(name)
                if len(candidates) == 1:
                    images[candidates[0]] += 1
                if candidates and n < MAX_EXPLAINED and name not in near:
                    near[name] = _nearest(name, candidates, rules.difference(given))
            n_taken = sum(1 for image, n in images.items() if n == 1 and image not in taken)
            if n_taken > best[1]:
                best = (tuple(rule for rule in MatchRule if rule in rules), n_taken)
            if n_taken == len(tried):
                break
        unlike = [name for name in tried[:MAX_EXPLAINED] if name not in near]
        for name in unlike[:MAX_SIMILAR_SEARCHES]:
            near[name] = self._similar(name)
        return best

    def _similar(self, name: str) -> str:
        """Names of images that are spelled alike: of a great many, those that begin alike."""
        key = last_part(name)
        place = bisect(self._sorted, (key, ''))
        around = self._sorted[max(0, place - MAX_COMPARED // 2) : place + MAX_COMPARED // 2]
        images: dict[str, str] = {}
        for last, image in around:
            images.setdefault(last, image)
        alike = difflib.get_close_matches(key, images, MAX_NAMES, cutoff=0.75)
        if not alike:
            return ''
        shown = ', '.join(repr(images[last]) for last in alike)
        return f'; spelled alike: {shown}'

    @cached_property
    def _sorted(self) -> list[tuple[str, str]]:
        """Images by the last part of their name."""
        return sorted((parts[-1], name) for name, parts in self._parts.items() if parts)


def _stages(rules: Sequence[MatchRule]) -> list[RuleSet]:
    """What is tried, in order: what is always taken, each rule alone, all rules at once."""
    ordered = [rule for rule in MatchRule if rule in rules]
    stages = [PLAIN, *(frozenset({rule}) for rule in ordered)]
    if len(ordered) > 1:
        stages.append(frozenset(ordered))
    return stages


def _combinations(given: Sequence[MatchRule]) -> list[RuleSet]:
    """Rules that may be advised, the fewest first: those given, with one or two more."""
    singles = [frozenset({rule, *given}) for rule in MatchRule if rule not in given]
    pairs = [frozenset({*pair, *given}) for pair in PAIRS]
    return list(dict.fromkeys(singles + pairs))


def _take_out_rivals(found: dict[str, tuple[str, RuleSet]]) -> dict[str, str]:
    """Take out names that a rule brings to an image which another name means, too.

    Returns:
        What they come near to, by name.
    """
    wanted_by: dict[str, list[str]] = {}
    for name, (image, _) in found.items():
        wanted_by.setdefault(image, []).append(name)
    near = {}
    for image, names in wanted_by.items():
        by_rule = [name for name in names if found[name][1]]
        if len(names) == 1 or not by_rule:
            continue
        for name in by_rule:
            # As many as are shown, and one to tell that there are more.
            others = [other for other in names[: MAX_NAMES + 2] if other != name]
            near[name] = f'; it comes near to {image!r}, and so does {_shown(others)}'
            if MatchRule.ROBOFLOW in found[name][1]:
                near[name] += f' ({NO_AUGMENTATION})'
        for name in by_rule:
            del found[name]
    return near


def _notes(found: dict[str, tuple[str, RuleSet]]) -> list[str]:
    """What was taken although it is not the same."""
    pairs: dict[str, list[str]] = {}
    for name, (image, rules) in found.items():
        if name == image:
            continue
        cause = _cause(name, image, rules)
        if cause is not None:
            pairs.setdefault(cause, []).append(f'{name!r} is {image!r}')
    notes = []
    for cause, texts in pairs.items():
        plural = 's' if len(texts) > 1 else ''
        shown = ', '.join(texts[:MAX_NAMES])
        if len(texts) > MAX_NAMES:
            shown += ', ...'
        notes.append(f'{len(texts)} name{plural} taken {cause} ({shown})')
    return notes


def _cause(name: str, image: str, rules: RuleSet) -> str | None:
    """By what a name was taken; None if it is the same but for "./"."""
    if rules:
        return f'by the rule {rules_text(rules)}'
    if name_parts(name) != name_parts(image):
        return 'although folders are left out'
    if '\\' in name or '\\' in image:
        return 'with slashes for backslashes'
    if unicodedata.normalize('NFC', name) != name or unicodedata.normalize('NFC', image) != image:
        return 'in another Unicode form'
    return None


def _several(name: str, candidates: Sequence[str]) -> str:
    """Several images have a name that ends so."""
    shown = _shown(candidates)
    if len(name_parts(name)) > 1:
        return f'; {len(candidates)} images have names that end so: {shown}'
    return f'; it has no folder, and {len(candidates)} images are called so: {shown}'


def _nearest(name: str, candidates: Sequence[str], rules: RuleSet) -> str:
    """What an image's name differs in from another name."""
    differences = []
    for rule in MatchRule:
        if rule in rules:
            differences.append(_difference(name, candidates[0], rule))
    text = ', '.join(dict.fromkeys(differences))
    if len(candidates) == 1:
        return f'; the nearest is {candidates[0]!r}: {text}'
    shown = _shown(candidates)
    return f'; {len(candidates)} come near: {shown}: {text}'


def _difference(name: str, image: str, rule: MatchRule) -> str:
    """In words, what a rule passes over."""
    if rule in (MatchRule.SUFFIX, MatchRule.BASENAME) and is_absolute(name):
        return 'an absolute name of another machine'
    if rule is MatchRule.SUFFIX:
        before = name_parts(name)[: -len(name_parts(image))]
        return f'folder {"/".join(before)} stands before it'
    if rule is MatchRule.LABEL_STUDIO:
        for last in (last_part(name), last_part(image)):
            prefix = UPLOAD_PREFIX.match(last)
            if prefix:
                return f'Label Studio put {prefix[0]} before it'
        return 'Label Studio renamed it'
    return {
        MatchRule.CASE: 'differs in case',
        MatchRule.STEM: 'another extension',
        MatchRule.ROBOFLOW: 'Roboflow renamed it',
        MatchRule.BASENAME: 'another folder',
    }[rule]


def _shown(names: Sequence[str]) -> str:
    shown = ', '.join(repr(name) for name in names[:MAX_NAMES])
    return f'{shown}, ...' if len(names) > MAX_NAMES else shown
