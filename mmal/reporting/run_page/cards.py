"""The chosen images of a round as cards: picture, boxes, influence, nearest labeled image, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .rationale import format_3_digits, selection_rationale
from .run_files import RunFiles, RunRound
from .thumbnails import Box, Thumbnail, Thumbnails


@dataclass(frozen=True)
class Card:
    """One chosen image.

    Attributes:
        id: Of the image.
        rank: From 0.
        picture: With its boxes.
        facts: Text by its name.
        why: A sentence.
        nearest: The nearest labeled image; None if it is not known or not shown.
        nearest_text: Which it is, and how far.
    """

    id: str
    rank: int
    picture: Thumbnail
    facts: dict[str, str]
    why: str
    nearest: Thumbnail | None
    nearest_text: str


@dataclass(frozen=True)
class Gallery:
    """What a round chose.

    Attributes:
        number: Of the round.
        summary: A sentence above the cards.
        cards: The best of them.
        more: How many are not shown.
        boxes: Whether there are boxes over pictures.
    """

    number: int
    summary: str
    cards: Sequence[Card]
    more: int
    boxes: bool


def gallery(run: RunFiles, found: RunRound, most: int, side: int, nearest: bool) -> Gallery:
    """The gallery of a round.

    Args:
        run: The run.
        found: The round.
        most: Cards at most.
        side: Longest side of a picture in pixels.
        nearest: Whether the nearest labeled images are shown.
    """
    thumbnails = Thumbnails(run.work_dir, run.data)
    cards = [_card(run, found, entry, thumbnails, side, nearest) for entry in found.chosen[:most]]
    state = 'They are labeled' if found.complete else 'They are not labeled yet'
    n = len(found.chosen)
    summary = (
        f'{n} {"image was" if n == 1 else "images were"} chosen by {found.score}'
        f'{", more negative is more helpful" if found.score == "influence" else ", lower first"}. {state}.'
    )
    return Gallery(
        found.number, summary, cards, n - len(cards), any(c.picture.boxes for c in cards)
    )


def _card(
    run: RunFiles, found: RunRound, entry: dict, thumbnails: Thumbnails, side: int, nearest: bool
) -> Card:
    guesses = [dict(p, label=run.class_name(p['label'])) for p in entry['predictions']]
    labels = run.labels.get(entry['id']) if found.complete else None
    boxes = _guessed_boxes([p for p in guesses if 'bbox' in p])
    boxes += [Box(*t['bbox'], t['label'], False) for t in labels or () if 'bbox' in t]
    facts = {} if entry['score'] is None else {found.score: format_3_digits(entry['score'])}
    if entry['predictions'] or entry['nearest']:  # else nothing is known of it
        facts['predicted'] = _guessed(guesses)
    if labels is not None:
        facts['revealed'] = _counted([t['label'] for t in labels])
    alt = f'Image {entry["id"]}; ' + '; '.join(
        f'{k}: {v}' for k, v in facts.items() if k != found.score
    )
    near = entry['nearest'] if nearest else None
    return Card(
        str(entry['id']),
        entry['rank'],
        thumbnails.make(entry['id'], alt, boxes, side),
        facts,
        selection_rationale(entry, found.score),
        near and thumbnails.make(near['id'], f'Labeled image {near["id"]}', (), side // 3),
        near and f'{near["id"]}, at distance {format_3_digits(near["distance"])}' or '',
    )


def _guessed_boxes(guesses: list[dict]) -> list[Box]:
    boxes: list[Box] = []
    for p in guesses:
        x, y, width, height = p['bbox']
        line = sum(abs(x - b.x) < b.width / 2 and abs(y - b.y) < b.height / 2 for b in boxes)
        boxes.append(Box(x, y, width, height, f'{p["label"]}? {p["score"]:.0%}', True, line))
    return boxes


def _guessed(guesses: list[dict]) -> str:
    """Classes and scores; of boxes, counted by class."""
    if guesses and 'bbox' in guesses[0]:
        return _counted([g['label'] for g in guesses])
    return ', '.join(f'{g["label"]} ({g["score"]:.0%})' for g in guesses) or 'nothing'


def _counted(names: list[str]) -> str:
    return (
        ', '.join(
            f'{n} \N{MULTIPLICATION SIGN} {name}' if n > 1 else name
            for name, n in Counter(names).most_common()
        )
        or 'nothing'
    )
