"""What queries left out because it would have been paid for twice: ``copies.json`` of a round."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from mmal.fileio.text import read_json, write_json

from .layout import RoundPaths, RunPaths


class NearCopy(TypedDict):
    """An image that a sampler ranked last, because its features are almost those of another.

    Attributes:
        id: Id of the image.
        of: Id of the image that it resembles, which is labeled or ranks above it.
        score: Its score, by which it would have been ranked. It is finite.
    """

    id: Hashable
    of: Hashable
    score: float


class LeftOut(TypedDict):
    """An image that was left out of a query.

    Attributes:
        id: Id of the image.
        of: Id of the image that it is a copy of, which is labeled or was chosen.
        kind: 'exact' if the files are byte-identical, 'near' if the features almost agree.
        boxes: Number of boxes that labeling it would have revealed; None where people label, and
            where whole images have classes.
    """

    id: Hashable
    of: Hashable
    kind: Literal['exact', 'near']
    boxes: int | None


class Copies(TypedDict):
    """Contents of ``copies.json``.

    Attributes:
        left_out: What would have been chosen if it were no copy.
        filled_up: Ids of near-copies that were chosen because nothing else was left.
    """

    left_out: list[LeftOut]
    filled_up: list[Hashable]


def write_near_copies(
    paths: RoundPaths, near: Mapping[Hashable, Hashable], scores: Mapping[Hashable, float]
) -> None:
    """Write ``near_copies.json``, best first.

    Args:
        paths: Files of the round.
        near: Id of the image that it resembles, by the id of each near-copy.
        scores: Score by id.
    """
    entries = []
    for image_id, original in near.items():
        entries.append(NearCopy(id=image_id, of=original, score=scores[image_id]))
    write_json(paths.near_copies, entries)


def read_near_copies(paths: RoundPaths) -> list[NearCopy]:
    """Read ``near_copies.json``.

    Args:
        paths: Files of the round.

    Returns:
        The near-copies, best first; none if there is no such file.
    """
    if not paths.near_copies.exists():
        return []
    entries: list[NearCopy] = read_json(paths.near_copies)
    return entries


def read_copies(paths: RoundPaths) -> Copies:
    """Read ``copies.json``.

    Args:
        paths: Files of the round.

    Returns:
        What was left out; nothing if there is no such file.
    """
    if not paths.copies.exists():
        return Copies(left_out=[], filled_up=[])
    copies: Copies = read_json(paths.copies)
    return copies


def left_out_of_run(work_dir: str | Path) -> list[LeftOut]:
    """Collect what the queries of a run left out, each image once.

    Args:
        work_dir: Work directory of the run.
    """
    left_out: list[LeftOut] = []
    for paths in RunPaths(Path(work_dir)).rounds():
        left_out += read_copies(paths)['left_out']
    return distinct(left_out)


def distinct(left_out: Iterable[LeftOut]) -> list[LeftOut]:
    """Keep the first entry of each image.

    A copy is left out of every query in which it ranks high, and would have been paid for once.

    Args:
        left_out: Images that several queries left out.
    """
    by_id: dict[Hashable, LeftOut] = {}
    for entry in left_out:
        by_id.setdefault(entry['id'], entry)
    return list(by_id.values())


def describe_left_out(left_out: Sequence[LeftOut]) -> str:
    """Say how many images were left out, and what they would have cost as far as that is known.

    Args:
        left_out: The images, at least one.

    Returns:
        A sentence without its full stop.
    """
    n_exact = sum(entry['kind'] == 'exact' for entry in left_out)
    n_near = len(left_out) - n_exact
    parts = []
    if n_exact:
        parts.append(f'{n_exact} byte-identical to labeled or chosen images')
    if n_near:
        parts.append(f'{n_near} almost identical by their features')
    if len(left_out) == 1:
        images, copies, them = '1 image was', 'a copy', 'it'
    else:
        images, copies, them = f'{len(left_out)} images were', 'copies', 'them'
    text = f'{images} left out as {copies}: {", ".join(parts)}'
    boxes = boxes_saved(left_out)
    if boxes is not None:
        text += f'; labeling {them} would have cost {boxes} boxes'
    return text


def boxes_saved(left_out: Sequence[LeftOut]) -> int | None:
    """Sum the boxes that labeling some images would have revealed.

    Args:
        left_out: The images.

    Returns:
        The number; None if it is not known.
    """
    counts = [entry['boxes'] for entry in left_out if entry['boxes'] is not None]
    return sum(counts) if counts else None
