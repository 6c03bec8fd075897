"""What rounds give to the trackers in ``vis_backends``.

A tracker gets the curve, and what was chosen as a picture and a table.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.visualization import (
    BaseVisBackend,
    LocalVisBackend,
    MLflowVisBackend,
    TensorboardVisBackend,
    WandbVisBackend,
)
from numpy.typing import NDArray
from PIL import Image

from mmal.fileio.checksummed import digest_bytes
from mmal.fileio.text import csv_bytes, json_bytes, read_json, write_json
from mmal.pool.score_table import selected_scores
from mmal.run.history import COUNTS, CurvePoint
from mmal.run.layout import MODEL_PHASES, RunPaths
from mmal.run.round_state import RoundState

from .components import markdown_grid
from .contact_sheet import contact_sheet, tile
from .finished_round import SavedRound

if TYPE_CHECKING:
    from mmengine.runner import Runner

    from mmal.adapters.base import DataAdapter

LoggedParts = dict[str, dict[str, str]]
"""Contents of ``published.json``: digest of the point by part of a round, by backend.

A part is named for instance '3 point' or '3 query'. A resumed run does not log it twice.
"""

Row = tuple[int, Hashable, float]
"""Rank, id and score of a chosen image."""

Pixels = NDArray[np.uint8]
"""A picture, RGB, shape (height, width, 3)."""

MAX_PICTURES = 32
"""Chosen images drawn at most."""

TILES_PER_ROW = 8
"""Chosen images drawn side by side."""

TABLE_ROWS = 1000
"""Chosen images listed at most where a table is part of a page; MLflow has a file of all."""


def log_to_trackers(runner: Runner, data: DataAdapter, curve: Iterable[CurvePoint]) -> None:
    """Give each backend of the Runner's visualizer the rounds it lacks. Only rank 0 calls it.

    A backend that fails is named in the log and tried again after the next round: days of work do
    not depend on it.

    Args:
        runner: The outer Runner.
        data: Data of the run.
        curve: Points of the run. A round that is not closed gives its query later.
    """
    file = RunPaths(Path(runner.work_dir)).tracked
    logged_by_backend = _read_logged(file)
    parts = _parts(TrackerPayload(runner, data, point) for point in curve)
    for name, backend in _backends(runner).items():
        logged = logged_by_backend.setdefault(name, {})
        number = 0
        try:
            for part in parts:
                number = part.payload.number
                if logged.get(part.name) != part.payload.digest:
                    part.write(backend, part.payload)
                    logged[part.name] = part.payload.digest
        except Exception as e:  # noqa: BLE001  what clients of foreign servers raise has no common base
            runner.logger.warning(
                f'{name} of vis_backends failed and lacks round {number}; the run goes on, and '
                f'it is tried again after the next round. {type(e).__name__}: {e}'
            )
    write_json(file, logged_by_backend)


def _read_logged(file: Path) -> LoggedParts:
    """What was logged so far. A lost or damaged record costs no more than a repetition."""
    try:
        content = read_json(file)
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: parts for name, parts in content.items() if isinstance(parts, dict)}


def _backends(runner: Runner) -> dict[str, BaseVisBackend]:
    """Backends by name. mmengine returns them by name alone; the names are in the config."""
    visualizer = runner.cfg.get('visualizer') or {}
    listed = visualizer.get('vis_backends') or [dict(type='LocalVisBackend')]
    if isinstance(listed, dict):
        listed = [listed]
    backends = {}
    for entry in listed:
        name = _name(entry)
        backend = runner.visualizer.get_backend(name)
        if backend is not None:
            backends[name] = backend
    return backends


def _name(backend: Any) -> str:
    """Name that mmengine keeps a backend under.

    Args:
        backend: Config of the backend, or the backend itself.
    """
    if not isinstance(backend, dict):
        return type(backend).__name__
    name: str | None = backend.get('name')
    if name:
        return name
    kind = backend['type']
    path = getattr(kind, '__name__', str(kind))
    return path.split('.')[-1]


class TrackerPayload:
    """What there is to show of an evaluated round.

    Pictures are drawn when the first backend asks for them.

    Args:
        runner: The outer Runner.
        data: Data of the run.
        point: Point of the round.

    Attributes:
        number: Number of the round, from 0.
        closed: Whether what the round chose is labeled.
        digest: Checksum of the point without its seconds and its counts of images: a last round
            gets those when a resumed run goes on with its query, and is not another one for that.
    """

    def __init__(self, runner: Runner, data: DataAdapter, point: CurvePoint) -> None:
        self._runner = runner
        self._data = data
        self._point = point
        self._work_dir = Path(runner.work_dir)
        self.number = point['round']
        self.closed = RoundState(self._work_dir, self.number).closed
        self.digest = _digest(point)

    @property
    def point(self) -> dict[str, float]:
        """The point of the curve, flat and grouped under ``al/``."""
        scalars: dict[str, float] = {
            'al/round': self._point['round'],
            'al/images': self._point['images'],
            'al/boxes': self._point['boxes'],
        }
        for name, value in self._point['metrics'].items():
            scalars[f'al/{name}'] = value
        for phase in MODEL_PHASES:
            if phase in self._point['seconds']:
                scalars[f'al/seconds/{phase}'] = self._point['seconds'][phase]
        return scalars

    @property
    def query_seconds(self) -> dict[str, float]:
        """Seconds of the phases that follow the model's."""
        scalars: dict[str, float] = {'al/round': self.number}
        for phase, seconds in self._point['seconds'].items():
            if phase not in MODEL_PHASES:
                scalars[f'al/seconds/{phase}'] = seconds
        return scalars

    @property
    def curve(self) -> Pixels | None:
        """The learning curve so far; None if there is no metric to draw."""
        file = RunPaths(self._work_dir).curve_chart
        if not file.exists():
            return None
        return _pixels(file.read_bytes())

    @cached_property
    def table(self) -> tuple[list[str], list[Row]]:
        """Columns and rows of what was chosen, best first."""
        score_name, scores = selected_scores(self._round.paths.artifact('score'))
        rows = []
        for rank, image_id in enumerate(self._round.selected):
            rows.append((rank, image_id, scores.get(str(image_id), float('nan'))))
        return ['rank', 'id', score_name], rows

    @cached_property
    def chosen(self) -> Pixels | None:
        """The best of what was chosen, with the boxes that labeling revealed.

        None if nothing was chosen, or if an image cannot be read, because it is in a remote store
        or was moved since.
        """
        columns, rows = self.table
        if not rows:
            return None
        try:
            return _pixels(self._sheet(columns[2], rows))
        except OSError as e:
            self._runner.logger.warning(
                f'Round {self.number}: no picture of the chosen images for vis_backends. {e}'
            )
            return None

    @cached_property
    def _round(self) -> SavedRound:
        return SavedRound(self._work_dir, self.number, self._runner.cfg, self._data)

    def _sheet(self, score_name: str, rows: Sequence[Row]) -> bytes:
        """PNG of the best images, :data:`TILES_PER_ROW` side by side."""
        sheet = {}
        shown = rows[:MAX_PICTURES]
        for first in range(0, len(shown), TILES_PER_ROW):
            tiles = [self._tile(row) for row in shown[first : first + TILES_PER_ROW]]
            last = first + len(tiles) - 1
            heading = (
                f'round {self.number}, rank {first} to {last} of {len(rows)}: {score_name}  id'
            )
            sheet[heading] = tiles
        return contact_sheet(sheet)

    def _tile(self, row: Row) -> Image.Image:
        _, image_id, score = row
        caption = f'{score:.3g}  {self._round.caption(image_id)}'
        return tile(self._round.picture(image_id), self._round.boxes(image_id), caption)


def _digest(point: CurvePoint) -> str:
    metrics = {name: value for name, value in point['metrics'].items() if name not in COUNTS}
    result = dict(
        round=point['round'], images=point['images'], boxes=point['boxes'], metrics=metrics
    )
    return digest_bytes(json_bytes(result))


def _pixels(png: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(png)).convert('RGB'))


# --- what each backend makes of it --------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """One part of a round that a backend gets.

    Attributes:
        name: Name in the record of what was logged.
        payload: The round.
        write: Gives the part to a backend.
    """

    name: str
    payload: TrackerPayload
    write: Callable[[BaseVisBackend, TrackerPayload], None]


def _parts(payloads: Iterable[TrackerPayload]) -> list[_Part]:
    """The parts of rounds, in order: the point of each and, if it is closed, its query."""
    parts = []
    for payload in payloads:
        parts.append(_Part(f'{payload.number} point', payload, _write_point))
        if payload.closed:
            parts.append(_Part(f'{payload.number} query', payload, _write_query))
    return parts


def _write_point(backend: BaseVisBackend, payload: TrackerPayload) -> None:
    backend.add_scalars(payload.point, payload.number)
    _write_picture(backend, 'al/curve', payload.curve, payload.number)
    _flush(backend)


def _write_query(backend: BaseVisBackend, payload: TrackerPayload) -> None:
    columns, rows = payload.table
    backend.add_scalars(payload.query_seconds, payload.number)
    _write_picture(backend, 'al/chosen', payload.chosen, payload.number)
    _write_table(backend, columns, rows, payload.number)
    _flush(backend)


def _flush(backend: BaseVisBackend) -> None:
    """Write what TensorBoard buffers; a killed run would lose what the record lists as logged."""
    if isinstance(backend, TensorboardVisBackend):
        backend.experiment.flush()


def _write_picture(
    backend: BaseVisBackend, name: str, image: Pixels | None, round_number: int
) -> None:
    if image is None:
        return
    if isinstance(backend, MLflowVisBackend):
        # One file per picture, which needs its ending.
        name = f'{name}/round_{round_number:02d}.png'
    elif isinstance(backend, LocalVisBackend):
        # It makes no folders.
        name = name.replace('/', '_')
    backend.add_image(name, image, round_number)


def _write_table(
    backend: BaseVisBackend, columns: list[str], rows: Sequence[Row], round_number: int
) -> None:
    """Write a table through ``experiment``.

    That is mmengine's way to what its backends have beyond scalars and pictures.
    """
    if isinstance(backend, TensorboardVisBackend):
        backend.experiment.add_text('al/chosen', _markdown(columns, rows), round_number)
    elif isinstance(backend, MLflowVisBackend):
        text = csv_bytes(columns, [list(row) for row in rows]).decode(errors='replace')
        backend.experiment.log_text(text, f'al/chosen/round_{round_number:02d}.csv')
    elif isinstance(backend, WandbVisBackend):
        wandb = backend.experiment
        table = wandb.Table(columns=columns, data=_shown_cells(rows))
        wandb.log({'al/chosen_table': table})


def _markdown(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The first :data:`TABLE_ROWS` rows as Markdown, and the number of the others."""
    alignment = ['---'] * len(columns)
    lines = markdown_grid(columns, alignment, _shown_cells(rows))
    if len(rows) > TABLE_ROWS:
        lines.append(f'\nand {len(rows) - TABLE_ROWS} more')
    return '\n'.join(lines)


def _shown_cells(rows: Sequence[Row]) -> list[list[object]]:
    """Cells of the rows that are listed where a table is part of a page."""
    cells: list[list[object]] = []
    for rank, image_id, score in rows[:TABLE_ROWS]:
        cells.append([rank, _utf8(image_id), score])
    return cells


def _utf8(image_id: Hashable) -> str:
    """An id as text that UTF-8 can write; a file name may hold other bytes."""
    return str(image_id).encode(errors='replace').decode()
