"""``report.html``: a run on one page that needs no other file and no network."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from mmal.fileio.atomic import write_bytes
from mmal.reporting.components import ReportTable
from mmal.reporting.run_page import sections
from mmal.reporting.style import DARK, SERIES
from mmal.reporting.svg import inline
from mmal.reporting.templating import template_environment
from mmal.utils.collect_env import package_versions

from .cards import gallery
from .cost_section import cost
from .run_files import RunFiles

NAME = 'report.html'

LATEST, EARLIER = dict(most=24, side=320, nearest=True), dict(most=6, side=160, nearest=False)
"""Pictures of the latest round and of each earlier one: a page of twenty rounds stays below a few megabytes."""

MAIN = ('train_cfg.', 'custom_hooks.', 'optim_wrapper.optimizer.', 'load_from')
"""Beginnings of the settings that are shown first."""


def renew_report(work_dir: str | Path, data, logger) -> None:
    """Write the page if a round has come further since; a page that fails is a warning. Rank 0 calls it.

    Args:
        work_dir: Of the run.
        data: The :class:`~mmal.adapters.base.DataAdapter` of the run.
        logger: For the warning.
    """
    if _is_new(Path(work_dir)):
        return
    try:
        write_report(work_dir, data)
    except Exception as e:  # noqa: BLE001  days of training do not hang on a page, and what draws it raises anything
        logger.warning(
            f'{work_dir}/{NAME} was not renewed; the run goes on. {type(e).__name__}: {e}. '
            'tools/al_report.py draws it again.'
        )


def _is_new(work_dir: Path) -> bool:
    """Whether the page was written after every phase, as it was when a run that goes on passes its closed rounds."""
    page = work_dir / NAME
    return page.exists() and all(
        f.stat().st_mtime_ns <= page.stat().st_mtime_ns
        for f in work_dir.glob('round_*/phases.json')
    )


def write_report(work_dir: str | Path, data) -> Path:
    """Write the page from what is there, and return its path.

    Args:
        work_dir: Of a run, which may be going on.
        data: The :class:`~mmal.adapters.base.DataAdapter` of the run.

    Raises:
        CorruptStateError: If the record of a round is not what was written.
    """
    path = Path(work_dir) / NAME
    write_bytes(path, report(RunFiles(work_dir, data)).encode(errors='replace'))
    return path


def report(run: RunFiles) -> str:
    """HTML of the page. Everything from the run is escaped."""
    parts = [
        s
        for s in (
            sections.curve(run),
            sections.classes_and_sizes(run),
            sections.s_test(run),
            cost(run),
            sections.seconds(run),
        )
        if s
    ]
    queries, (main, other) = run.queries, settings(run.record.get('config', {}))
    return (
        template_environment()
        .get_template('report.html.j2')
        .render(
            name=run.work_dir.resolve().name,
            work_dir=run.work_dir.resolve(),
            summary=summary(run),
            sections=parts,
            charts={
                f.name: Markup(inline(f.drawing.svg, f.name, f.alt))
                for s in parts
                for f in s.figures
            },
            latest=gallery(run, queries[-1], **LATEST) if queries else None,
            earlier=[gallery(run, query, **EARLIER) for query in reversed(queries[:-1])],
            seed=run.record.get('seed'),
            versions=package_versions(),
            main_settings=main,
            other_settings=other,
            light=dict(enumerate(SERIES)),
            dark=dict(enumerate(DARK)),
        )
    )


def summary(run: RunFiles) -> str:
    """How far the run has come, in a sentence or two."""
    rounds, images = run.rounds, len(run.data.images)
    closed = sum(r.complete for r in rounds)
    said = (
        f'{closed} {"round is" if closed == 1 else "rounds are"} closed; {len(run.labels):,} of {images:,} images '
        'are labeled.'
    )
    last = rounds[-1] if rounds else None
    if last and not last.complete:
        said += (
            f' Round {last.number} has chosen {len(last.chosen)} images, which are not labeled yet.'
            if last.chosen
            else f' Round {last.number} has begun.'
        )
    return said


def settings(config: dict[str, str]) -> tuple[ReportTable, ReportTable]:
    """The settings that say most of the run, and all others."""
    tables = []
    for title, main in (('Main settings', True), ('All other settings', False)):
        rows = [[key, value] for key, value in config.items() if key.startswith(MAIN) == main]
        tables.append(ReportTable(title, ['setting', 'value'], rows))
    return tables[0], tables[1]
