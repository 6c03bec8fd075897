"""The image files of a folder that names stand for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from mmal.utils.image_folders import image_names

from .match_rules import MatchRule
from .name_matching import NameIndex, NameMatches

MAX_FILES_SEARCHED = 1_000_000
"""Files of a folder up to which names that nearly fit are looked for in it."""


def find_named_files(
    names: Sequence[str], folder: str, rules: Sequence[MatchRule] = ()
) -> NameMatches:
    """Find the files that names stand for.

    A name that is the path of a file, from the folder on, stands for that file. The folder is
    searched for the others alone.

    Args:
        names: The names. They may be absolute, or lead out of the folder.
        folder: Path of the folder that they are relative to.
        rules: Rules by which a name may differ. Defaults to none but what is always taken.

    Returns:
        Paths of the files from the folder on.
    """
    there = {}
    missing = []
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            there[name] = os.path.relpath(path, folder)
        else:
            missing.append(name)
    if not missing:
        return NameMatches(there)
    images = [*image_names(folder, MAX_FILES_SEARCHED), *there.values()]
    matches = NameIndex(images).match([*there.values(), *missing], rules)
    found = {name: matches.names[name] for name in missing if name in matches.names}
    return replace(matches, names=there | found)
