"""What rounds give to the trackers in ``vis_backends``: the curve, and what was chosen as picture and table."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
from mmengine.visualization import (
    BaseVisBackend,
    LocalVisBackend,
    MLflowVisBackend,
    TensorboardVisBackend,
    WandbVisBackend,
)
from PIL import Image

from mmal.fileio.checksummed import digest_bytes
from mmal.fileio.text import csv_bytes, json_bytes, read_json, write_json
from mmal.pool.score_table import selected_scores
from mmal.run.round_state import RoundState

from .contact_sheet import contact_sheet, tile
from .finished_round import SavedRound

RECORD = 'published.json'
"""In the work_dir, {backend: {part of a round: digest of the point}}: a run that goes on does not log a round twice."""

MODEL = 'train', 'evaluate'
"""Phases whose seconds are part of a point; the others are the query's."""

PICTURES, A_ROW = 32, 8
"""Chosen images drawn at most, and how many side by side."""

TABLE_ROWS = 1000
"""Chosen images listed at most where a table is part of a page; MLflow has a file of all."""


def log_to_trackers(runner, data, curve: list[dict]) -> None:
    """Give each backend of the Runner's visualizer the rounds it has not had. Rank 0 calls it.

    A backend that fails is named in the log and asked again after the next round: days of work do not hang on it.

    Args:
        runner: The outer Runner.
        data: The :class:`~mmal.adapters.base.DataAdapter` of the run.
        curve: Points of :func:`~mmal.run.history.read_points`. Of a round that is not closed, the query comes later.
    """
    record = _record(Path(runner.work_dir) / RECORD)
    rounds = [TrackerPayload(runner, data, point) for point in curve]
    parts = [
        (f'{one.number} {give.__name__[1:]}', give, one)
        for one in rounds
        for give in ((_point, _query) if one.complete else (_point,))
    ]
    for name, backend in _backends(runner).items():
        had = record.setdefault(name, {})
        try:
            for part, give, one in parts:
                if had.get(part) != one.digest:
                    give(backend, one)
                    had[part] = one.digest
        except Exception as e:  # noqa: BLE001  what clients of foreign servers raise has no common base
            runner.logger.warning(
                f'{name} of vis_backends failed and lacks round {one.number}; the run goes on, and '
                f'it is tried again after the next round. {type(e).__name__}: {e}'
            )
    write_json(Path(runner.work_dir) / RECORD, record)


def _record(path: Path) -> dict:
    try:
        found = read_json(path)
    except (FileNotFoundError, ValueError):  # a lost record costs no more than a repetition
        return {}
    return (
        {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}
    )


def _backends(runner) -> dict[str, BaseVisBackend]:
    """Backends by name. mmengine gives them by name alone; the names are in the config."""
    listed = (runner.cfg.get('visualizer') or {}).get('vis_backends') or [
        dict(type='LocalVisBackend')
    ]
    names = [_name(b) for b in ([listed] if isinstance(listed, dict) else listed)]
    found = {name: runner.visualizer.get_backend(name) for name in names}
    return {name: backend for name, backend in found.items() if backend is not None}


def _name(backend) -> str:
    if not isinstance(backend, dict):
        return type(backend).__name__
    kind = backend['type']
    return backend.get('name') or getattr(kind, '__name__', str(kind)).split('.')[-1]


class TrackerPayload:
    """What there is to show of a closed round; pictures are drawn when a backend asks first.

    Args:
        runner: The outer Runner.
        data: The data of the run.
        point: Of the curve.
    """

    def __init__(self, runner, data, point: dict) -> None:
        self._runner, self._data, self._point = runner, data, point
        self.work_dir, self.number = Path(runner.work_dir), point['round']
        self.complete = RoundState(self.work_dir, self.number).complete
        self.digest = digest_bytes(json_bytes({k: v for k, v in point.items() if k != 'seconds'}))

    @property
    def point(self) -> dict[str, float]:
        """The point of the curve, flat and grouped under ``al/``."""
        p = self._point
        return {
            'al/round': p['round'],
            'al/images': p['images'],
            'al/boxes': p['boxes'],
            **{f'al/{name}': value for name, value in p['metrics'].items()},
            **self._seconds(MODEL),
        }

    @property
    def query_seconds(self) -> dict[str, float]:
        """Seconds of the phases that follow the model's."""
        return {
            'al/round': self.number,
            **self._seconds([p for p in self._point['seconds'] if p not in MODEL]),
        }

    def _seconds(self, phases: Iterable[str]) -> dict[str, float]:
        return {
            f'al/seconds/{p}': self._point['seconds'][p]
            for p in phases
            if p in self._point['seconds']
        }

    @property
    def curve(self) -> np.ndarray | None:
        """The learning curve so far, RGB; None if there is no metric to draw."""
        file = self.work_dir / 'curve.png'
        return _pixels(file.read_bytes()) if file.exists() else None

    @cached_property
    def table(self) -> tuple[list[str], list[tuple]]:
        """Columns and rows: rank, id and score of what was chosen, best first."""
        name, scores = selected_scores(self._finished.folder.artifact('score'))
        return ['rank', 'id', name], [
            (n, i, scores.get(str(i), float('nan'))) for n, i in enumerate(self._finished.selected)
        ]

    @cached_property
    def chosen(self) -> np.ndarray | None:
        """The best of what was chosen, RGB, with the boxes that labeling revealed; None if there is nothing to draw."""
        try:
            return _pixels(self._sheet()) if self.table[1] else None
        except OSError as e:  # images of a remote store, or moved since
            self._runner.logger.warning(
                f'Round {self.number}: no picture of the chosen images for vis_backends. {e}'
            )
            return None

    @cached_property
    def _finished(self) -> SavedRound:
        return SavedRound(self.work_dir, self.number, self._runner.cfg, self._data)

    def _sheet(self) -> bytes:
        look, (_, rows) = self._finished, self.table
        tiles = [
            tile(look.picture(i), look.boxes(i), f'{score:.3g}  {look.caption(i)}')
            for _, i, score in rows[:PICTURES]
        ]
        return contact_sheet(
            {
                f'round {self.number}, rank {n} to {n + len(tiles[n : n + A_ROW]) - 1} of {len(rows)}: '
                f'{self.table[0][2]}  id': tiles[n : n + A_ROW]
                for n in range(0, len(tiles), A_ROW)
            }
        )


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert('RGB'))


# --- what each backend makes of it ------------------------------------------------------------------------------------


def _point(backend: BaseVisBackend, one: TrackerPayload) -> None:
    backend.add_scalars(one.point, one.number)
    _picture(backend, 'al/curve', one.curve, one.number)
    _flush(backend)


def _query(backend: BaseVisBackend, one: TrackerPayload) -> None:
    backend.add_scalars(one.query_seconds, one.number)
    _picture(backend, 'al/chosen', one.chosen, one.number)
    _table(backend, *one.table, one.number)
    _flush(backend)


def _flush(backend: BaseVisBackend) -> None:
    if isinstance(backend, TensorboardVisBackend):
        backend.experiment.flush()  # a killed run would lose what the record says it has


def _picture(backend: BaseVisBackend, name: str, image: np.ndarray | None, number: int) -> None:
    if image is None:
        return
    if isinstance(backend, MLflowVisBackend):  # a file each, whose ending is needed
        name = f'{name}/round_{number:02d}.png'
    elif isinstance(backend, LocalVisBackend):  # makes no folders
        name = name.replace('/', '_')
    backend.add_image(name, image, number)


def _table(backend: BaseVisBackend, columns: list[str], rows: list[tuple], number: int) -> None:
    """A table through ``experiment``, mmengine's way to what its backends have beyond scalars and pictures."""
    if isinstance(backend, TensorboardVisBackend):
        backend.experiment.add_text('al/chosen', _markdown(columns, rows), number)
    elif isinstance(backend, MLflowVisBackend):
        text = csv_bytes(columns, rows).decode(errors='replace')
        backend.experiment.log_text(text, f'al/chosen/round_{number:02d}.csv')
    elif isinstance(backend, WandbVisBackend):
        wandb = backend.experiment
        shown = [
            [n, str(i).encode(errors='replace').decode(), score]
            for n, i, score in rows[:TABLE_ROWS]
        ]
        wandb.log({'al/chosen_table': wandb.Table(columns=columns, data=shown)})


def _markdown(columns: list[str], rows: list[tuple]) -> str:
    def line(cells: Iterable) -> str:  # a file name may be no UTF-8
        return (
            '| '
            + ' | '.join(str(c).replace('|', '\\|') for c in cells)
            .encode(errors='replace')
            .decode()
            + ' |'
        )

    more = [f'\nand {len(rows) - TABLE_ROWS} more'] if len(rows) > TABLE_ROWS else []
    return '\n'.join(
        [line(columns), line('---' for _ in columns), *map(line, rows[:TABLE_ROWS]), *more]
    )
