"""Evaluation images are drawn at random, differ from each other, and no look-alike of theirs is trained on."""

import pytest

from mmal.errors import InputError
from mmal.project.scan import Scan, ScannedImage
from mmal.project.split import split


def world(n=40, alike=None):
    return Scan([ScannedImage(f'{i:02d}', 8, 8, 1, str(i), None) for i in range(n)], near_duplicates=alike or {})


def names(part):
    return [i.name for i in part]


def test_parts_share_nothing_and_depend_on_the_seed():
    first, again, other = split(world(), 10, 0), split(world(), 10, 0), split(world(), 10, 1)
    assert first == again
    assert first.evaluation != other.evaluation
    assert sorted(names(first.pool) + names(first.evaluation)) == names(world().images)
    assert (len(first.evaluation), first.excluded) == (10, [])


def test_look_alikes_of_evaluation_images_are_set_aside():
    alike = {f'{i:02d}': f'{i % 8:02d}' for i in range(8, 40)}  # 8 groups of 5
    parts = split(world(alike=alike), 3, 0)
    groups = {alike.get(n, n) for n in names(parts.evaluation)}
    assert (len(groups), len(parts.excluded), len(parts.pool)) == (3, 12, 25)
    assert not groups & {alike.get(n, n) for n in names(parts.pool)}


def test_more_than_there_are_different_ones_is_refused():
    with pytest.raises(InputError, match='only 8 of 40 images look different'):
        split(world(alike={f'{i:02d}': f'{i % 8:02d}' for i in range(8, 40)}), 9, 0)
