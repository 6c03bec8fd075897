"""``report.html``: a run on one page that needs no other file and no network."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from markupsafe import Markup

from mmal.fileio.atomic import write_bytes
from mmal.reporting.components import ReportTable, Section
from mmal.reporting.style import DARK, SERIES
from mmal.reporting.svg import inline
from mmal.reporting.templating import template_environment
from mmal.run.layout import RunPaths
from mmal.run.overlap import overlap_cautions
from mmal.utils.collect_env import package_versions

from .cards import gallery
from .copies_section import copies_section
from .cost_section import cost_section
from .run_files import RunFiles
from .sections import contents_section, curve_section, s_test_section, seconds_section

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter


class GalleryOptions(TypedDict):
    """How much of a query is shown; see :func:`~mmal.reporting.run_page.cards.gallery`.

    Attributes:
        max_cards: Number of cards at most.
        thumbnail_px: Longest side of a picture in pixels.
        nearest: Whether the nearest labeled images are shown.
    """

    max_cards: int
    thumbnail_px: int
    nearest: bool


LATEST = GalleryOptions(max_cards=24, thumbnail_px=320, nearest=True)
"""Pictures of the latest round."""

EARLIER = GalleryOptions(max_cards=6, thumbnail_px=160, nearest=False)
"""Pictures of each earlier round: a page of twenty rounds stays below a few megabytes."""

MAIN = ('selection.', 'train_cfg.', 'custom_hooks.', 'optim_wrapper.optimizer.', 'load_from')
"""Beginnings of the settings that are shown first."""


def renew_report(work_dir: str | Path, data: DataAdapter, logger: logging.Logger) -> None:
    """Write the page if a round has come further since. Only rank 0 calls it.

    A page that fails is a warning.

    Args:
        work_dir: Work directory of the run.
        data: Data of the run.
        logger: Receives the warning.
    """
    paths = RunPaths(Path(work_dir))
    if _is_up_to_date(paths):
        return
    try:
        write_report(work_dir, data)
    except Exception as e:  # noqa: BLE001  days of training do not hang on a page, and what draws it raises anything
        logger.warning(
            f'{paths.report} was not renewed; the run goes on. {type(e).__name__}: {e}. '
            'tools/al_report.py draws it again.'
        )


def _is_up_to_date(paths: RunPaths) -> bool:
    """Whether the page was written after every phase.

    It was when a resumed run passes rounds that are complete.
    """
    if not paths.report.exists():
        return False
    written = paths.report.stat().st_mtime_ns
    for round_paths in paths.rounds():
        record = round_paths.record
        if record.exists() and record.stat().st_mtime_ns > written:
            return False
    return True


def write_report(work_dir: str | Path, data: DataAdapter) -> Path:
    """Write the page from what the run has left so far.

    Args:
        work_dir: Work directory of a run, which may be going on.
        data: Data of the run.

    Returns:
        Path of the page.

    Raises:
        CorruptStateError: If the record of a round is not what was written.
    """
    run = RunFiles(work_dir, data)
    write_bytes(run.paths.report, render_page(run).encode(errors='replace'))
    return run.paths.report


def render_page(run: RunFiles) -> str:
    """HTML of the page. Everything from the run is escaped.

    Args:
        run: The run.

    Raises:
        CorruptStateError: If the record of a round is not what was written.
    """
    sections = [
        contents_section(run),
        s_test_section(run),
        cost_section(run),
        copies_section(run),
        seconds_section(run),
    ]
    return render(run, summary(run), [curve_section(run)], sections)


def render(
    run: RunFiles, text: str, lead: Sequence[Section], sections: Sequence[Section | None]
) -> str:
    """HTML of a page about the queries of a run. Everything from the run is escaped.

    Args:
        run: The run.
        text: A sentence or two below the heading.
        lead: Sections before the chosen images.
        sections: Sections after them; None where there is nothing to show.
    """
    shown = [section for section in sections if section is not None]
    queries = run.queries
    latest = gallery(run, queries[-1], **LATEST) if queries else None
    earlier = [gallery(run, query, **EARLIER) for query in reversed(queries[:-1])]
    main_settings, other_settings = settings(run.record.get('config', {}))
    template = template_environment().get_template('report.html.j2')
    return template.render(
        name=run.work_dir.resolve().name,
        work_dir=run.work_dir.resolve(),
        summary=text,
        cautions=overlap_cautions(run.record.get('overlap'), run.record.get('pool_overlaps', [])),
        lead=lead,
        sections=shown,
        charts=_charts([*lead, *shown]),
        latest=latest,
        earlier=earlier,
        seed=run.record.get('seed'),
        versions=package_versions(),
        main_settings=main_settings,
        other_settings=other_settings,
        light=dict(enumerate(SERIES)),
        dark=dict(enumerate(DARK)),
    )


def _charts(sections: Sequence[Section]) -> dict[str, Markup]:
    """The ``<svg>`` element of each figure, by its name."""
    charts = {}
    for section in sections:
        for figure in section.figures:
            charts[figure.name] = Markup(inline(figure.drawing.svg, figure.name, figure.alt))
    return charts


def summary(run: RunFiles) -> str:
    """How far the run has come, in a sentence or two.

    Args:
        run: The run.
    """
    n_evaluated = sum(run_round.metrics is not None for run_round in run.rounds)
    rounds = 'round is' if n_evaluated == 1 else 'rounds are'
    text = (
        f'{n_evaluated} {rounds} trained and evaluated; {len(run.labels):,} of '
        f'{len(run.data.images):,} images are labeled.{_given_model(run)}'
    )
    if not run.rounds or run.rounds[-1].closed:
        return text
    last = run.rounds[-1]
    if last.metrics is None:
        return f'{text} Round {last.number} has begun.'
    if not last.chosen:
        return text
    return (
        f'{text} Round {last.number} has chosen {len(last.chosen)} images, which are not labeled '
        'yet.'
    )


def _given_model(run: RunFiles) -> str:
    """A sentence about the model that the first round took; empty if it was trained."""
    sha256 = run.record.get('checkpoint')
    if sha256 is None:
        return ''
    path = run.record['config']['train_cfg.checkpoint'].strip("'")
    return f' The model of round 0 was not trained here but given: {path} (SHA-256 {sha256}).'


def settings(config: Mapping[str, str]) -> tuple[ReportTable, ReportTable]:
    """The settings that say most of the run, and all others.

    Args:
        config: Settings as text, by their dotted names.
    """
    main: list[list[str]] = []
    other: list[list[str]] = []
    for key, value in config.items():
        rows = main if key.startswith(MAIN) else other
        rows.append([key, value])
    columns = ['setting', 'value']
    return (
        ReportTable('Main settings', columns, main),
        ReportTable('All other settings', columns, other),
    )
