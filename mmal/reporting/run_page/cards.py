"""The chosen images of a round as cards: picture, facts, nearest labeled image, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mmal.annotation.records import is_box
from mmal.run.copies import describe_left_out

from .rationale import format_3_digits, selection_rationale
from .run_files import NamedLabel, RunFiles, RunRound, SelectionEntry
from .thumbnails import BoxOverlay, Thumbnail, Thumbnails


@dataclass(frozen=True)
class Card:
    """One chosen image.

    Attributes:
        id: Id of the image.
        rank: Place in the ranking, from 0.
        picture: The image with its boxes.
        facts: Text by the name of the fact.
        why: Why the image was chosen, in one sentence.
        nearest: The nearest labeled image; None if it is not known or not shown.
        nearest_text: Id of that image and its distance; '' without one.
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
        number: Number of the round.
        summary: A sentence above the cards.
        cards: Cards of the best images.
        more: Number of images that are not shown.
        boxes: Whether there are boxes over pictures.
    """

    number: int
    summary: str
    cards: Sequence[Card]
    more: int
    boxes: bool


def gallery(
    run: RunFiles, run_round: RunRound, max_cards: int, thumbnail_px: int, nearest: bool
) -> Gallery:
    """The gallery of a round.

    Args:
        run: The run.
        run_round: The round.
        max_cards: Number of cards at most.
        thumbnail_px: Longest side of a picture in pixels. That of a nearest image is a third of it.
        nearest: Whether the nearest labeled images are shown.
    """
    maker = _CardMaker(run, run_round, thumbnail_px, nearest)
    cards = [maker.make(entry) for entry in run_round.chosen[:max_cards]]
    return Gallery(
        run_round.number,
        _summary(run_round),
        cards,
        len(run_round.chosen) - len(cards),
        any(card.picture.boxes for card in cards),
    )


def _summary(run_round: RunRound) -> str:
    n = len(run_round.chosen)
    images = 'image was' if n == 1 else 'images were'
    order = 'lower first'
    if run_round.score == 'influence':
        order = 'more negative is more helpful'
    state = 'They are labeled' if run_round.closed else 'They are not labeled yet'
    text = f'{n} {images} chosen by {run_round.score}, {order}. {state}.'
    if run_round.left_out:
        text += f' {describe_left_out(run_round.left_out)}.'
    return text


class _CardMaker:
    """Makes the cards of one round; the arguments are those of :func:`gallery`."""

    def __init__(
        self, run: RunFiles, run_round: RunRound, thumbnail_px: int, nearest: bool
    ) -> None:
        self._run = run
        self._round = run_round
        self._thumbnail_px = thumbnail_px
        self._nearest = nearest
        self._thumbnails = Thumbnails(run.work_dir, run.data)

    def make(self, entry: SelectionEntry) -> Card:
        """The card of one image."""
        guesses = []
        for prediction in entry['predictions']:
            name = self._run.class_name(prediction['label'])
            guesses.append(dict(prediction, label=name))
        labels = self._run.labels.get(entry['id']) if self._round.closed else None
        facts = self._facts(entry, guesses, labels)
        boxes = _guessed_boxes(guesses) + _revealed_boxes(labels or ())
        image = self._thumbnails.make(
            entry['id'], self._alt(entry, facts), boxes, self._thumbnail_px
        )
        nearest, nearest_text = self._nearest_image(entry)
        return Card(
            str(entry['id']),
            entry['rank'],
            image,
            facts,
            selection_rationale(entry, self._round.score),
            nearest,
            nearest_text,
        )

    def _facts(
        self,
        entry: SelectionEntry,
        guesses: Sequence[dict[str, Any]],
        labels: Sequence[NamedLabel] | None,
    ) -> dict[str, str]:
        """Score, prediction and label, as far as they are known."""
        facts = {}
        if entry['score'] is not None:
            facts[self._round.score] = format_3_digits(entry['score'])
        # An image that could not be read has neither a prediction nor a nearest image.
        if entry['predictions'] or entry['nearest']:
            facts['predicted'] = _guessed(guesses)
        if labels is not None:
            facts['revealed'] = _counted(label['label'] for label in labels)
        return facts

    def _alt(self, entry: SelectionEntry, facts: dict[str, str]) -> str:
        """Text alternative of the picture: all facts but the score."""
        shown = []
        for name, text in facts.items():
            if name != self._round.score:
                shown.append(f'{name}: {text}')
        return f'Image {entry["id"]}; ' + '; '.join(shown)

    def _nearest_image(self, entry: SelectionEntry) -> tuple[Thumbnail | None, str]:
        """The nearest labeled image, and the text beside it; nothing if it is not shown."""
        nearest = entry['nearest']
        if not self._nearest or not nearest:
            return None, ''
        alt = f'Labeled image {nearest["id"]}'
        image = self._thumbnails.make(nearest['id'], alt, (), self._thumbnail_px // 3)
        return image, f'{nearest["id"]}, at distance {format_3_digits(nearest["distance"])}'


def _guessed_boxes(guesses: Iterable[dict[str, Any]]) -> list[BoxOverlay]:
    """Predicted boxes; the labels of those that begin at one place stand below each other."""
    boxes: list[BoxOverlay] = []
    for guess in guesses:
        if not is_box(guess):
            continue
        x, y, width, height = guess['bbox']
        line = 0
        for box in boxes:
            if abs(x - box.x) < box.width / 2 and abs(y - box.y) < box.height / 2:
                line += 1
        label = f'{guess["label"]}? {guess["score"]:.0%}'
        boxes.append(BoxOverlay(x, y, width, height, label, True, line))
    return boxes


def _revealed_boxes(labels: Iterable[NamedLabel]) -> list[BoxOverlay]:
    """Boxes that labeling revealed."""
    boxes = []
    for label in labels:
        if is_box(label):
            x, y, width, height = label['bbox']
            boxes.append(BoxOverlay(x, y, width, height, label['label'], False))
    return boxes


def _guessed(guesses: Sequence[dict[str, Any]]) -> str:
    """Classes and their scores; classes of boxes are counted."""
    if guesses and is_box(guesses[0]):
        return _counted(guess['label'] for guess in guesses)
    if not guesses:
        return 'nothing'
    return ', '.join(f'{guess["label"]} ({guess["score"]:.0%})' for guess in guesses)


def _counted(names: Iterable[str]) -> str:
    """Names with the number of times they occur, the most frequent first."""
    words = []
    for name, n in Counter(names).most_common():
        words.append(f'{n} \N{MULTIPLICATION SIGN} {name}' if n > 1 else name)
    return ', '.join(words) or 'nothing'
