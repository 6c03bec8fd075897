"""The parts of a run's page that are charts and tables."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pandas as pd

from mmal.reporting.charts import SIDES, draw_box_sizes, draw_seconds, draw_shares
from mmal.reporting.components import ReportFigure, ReportTable, Section, number
from mmal.run.history import COUNTS, main_metric
from mmal.run.layout import PHASES

from .charts import draw_progress, draw_traces
from .run_files import RunFiles, RunRound

MAX_CLASSES = 25
"""Classes in a chart, the most frequent."""

TRACES = {'CG': 'relative residual', 'LiSSA': '|h| / scale'}
"""What a solver's trace is, of those that have one by iteration."""


def curve(run: RunFiles) -> Section:
    """The main metric over images, boxes and time, and every round in a table."""
    points = _points(run)
    if not points:
        return Section('curve', 'Learning curve', ['No model of the run is evaluated yet.'])
    metric = main_metric(points) or ''
    boxes = any(p['boxes'] != p['images'] for p in points)
    axes = dict(
        images='labeled images',
        **(dict(boxes='labeled boxes') if boxes else {}),
        minutes='minutes computed',
    )
    drawn = [dict(p, metric=p['metrics'].get(metric)) for p in points]
    names = list(
        dict.fromkeys(n for p in points for n in p['metrics'] if n != metric and n not in COUNTS)
    )[:2]
    counts = [n for n in COUNTS if any(p['metrics'].get(n) for p in points)]
    shown = [*filter(None, [metric]), *names, *counts]  # a model that finds nothing has no metric
    rows = [
        [
            str(p['round']),
            number(p['images']),
            *([number(p['boxes'])] if boxes else []),
            number(p['minutes'], 1),
            *(number(p['metrics'].get(n), 0 if n in COUNTS else _digits(points, n)) for n in shown),
        ]
        for p in points
    ]
    columns = ['round', 'images', *(['boxes'] if boxes else []), 'minutes', *shown]
    return Section(
        'curve',
        'Learning curve',
        [],
        [
            ReportFigure(
                'progress',
                f'Learning curve: {metric} over {", ".join(axes.values())}. The table below holds every value.',
                f'{metric} of each round\N{RIGHT SINGLE QUOTATION MARK}s model. Minutes are those of all phases up to its '
                'evaluation, as measured; other work on the machine counts, and labeling by people does not.',
                draw_progress(drawn, metric, axes),
            )
        ]
        if any(p['metric'] is not None for p in drawn)
        else [],
        [ReportTable('Every round', columns, rows)],
    )


def _points(run: RunFiles) -> list[dict]:
    """Points of the curve with ``minutes`` up to the evaluation."""
    done = list(accumulate((sum(r.seconds.values()) for r in run.rounds), initial=0.0))
    return [
        dict(
            round=r.number,
            images=r.metrics['images'],
            boxes=r.metrics['boxes'],
            metrics=r.metrics['metrics'],
            minutes=(before + sum(r.seconds.get(p, 0) for p in ('train', 'evaluate'))) / 60,
        )
        for r, before in zip(run.rounds, done, strict=False)
        if r.metrics
    ]


def _digits(points: list[dict], name: str) -> int:
    return 4 if max((abs(p['metrics'].get(name, 0)) for p in points), default=0) <= 1.5 else 2


def classes_and_sizes(run: RunFiles) -> Section | None:
    """What the latest query holds, beside what was labeled before it."""
    if not run.queries:
        return None
    latest = run.queries[-1]
    here, before = _contents(run, latest)
    what = f'round {latest.number}' + ('' if latest.complete else ', predicted')
    counts = {
        what: Counter(e['label'] for e in here),
        'labeled before': Counter(e['label'] for e in before),
    }
    if not any(counts.values()):
        return Section(
            'classes', 'Classes and sizes', ['Nothing is known of what the chosen images hold.']
        )
    order = [name for name, _ in (counts[what] + counts['labeled before']).most_common()]
    shares = pd.DataFrame(
        {n: [c[name] / max(1, sum(c.values())) for name in order] for n, c in counts.items()}, order
    )
    of = 'boxes' if any('bbox' in e for e in [*here, *before]) else 'labels'
    more = (
        f' The {MAX_CLASSES} most frequent of {len(order)} classes.'
        if len(order) > MAX_CLASSES
        else ''
    )
    figures = [
        ReportFigure(
            'class_shares',
            f'Bar chart: share of each class among the {of} of {what}, and before. The '
            'table below holds the numbers.',
            f'Share of each class among the {of}.{more}',
            draw_shares(shares[:MAX_CLASSES], list(counts), f'% of the {of}'),
        )
    ]
    if of == 'boxes':
        figures.append(_sizes({what: here, 'labeled before': before}))
    rows = [[name, *(number(c[name]) for c in counts.values())] for name in order]
    return Section(
        'classes',
        'Classes and sizes' if of == 'boxes' else 'Classes',
        [],
        figures,
        [ReportTable(f'Number of {of} by class', ['class', *counts], rows)],
    )


def _contents(run: RunFiles, latest: RunRound) -> tuple[list[dict], list[dict]]:
    """Labels of what was chosen (predicted ones until there are others), and of what was labeled before."""
    ids = {e['id'] for e in latest.chosen}
    if latest.complete:
        here = [t for i in ids for t in run.labels.get(i, [])]
    else:
        here = [
            dict(p, label=run.class_name(p['label']))
            for e in latest.chosen
            for p in (e['predictions'] if run.data.has_boxes else e['predictions'][:1])
        ]
    return here, [t for i, found in run.labels.items() if i not in ids for t in found]


def _sizes(found: dict[str, list[dict]]) -> ReportFigure:
    sides = {
        n: pd.Series([max(0, e['bbox'][2] * e['bbox'][3]) ** 0.5 for e in of], dtype=float)
        for n, of in found.items()
    }
    bins = {
        n: pd.cut(s, list(SIDES), right=False).value_counts(sort=False) / max(1, len(s))
        for n, s in sides.items()
    }
    medians = '; '.join(
        f'median of {n}: {number(s.median(), 1)} pixels' for n, s in sides.items() if len(s)
    )
    return ReportFigure(
        'sizes',
        f'Chart: share of boxes by size. {medians}.',
        'Share of the boxes by the side of a square of equal area, in steps of the square root of 2. Dotted: the '
        f'limits of small, medium and large, 32 and 96. {medians[:1].upper() + medians[1:]}.',
        draw_box_sizes(pd.DataFrame(bins), SIDES, list(found)),
    )


def s_test(run: RunFiles) -> Section | None:
    """Convergence of s_test, and how far it is from the reference gradient."""
    some = [r for r in run.rounds if r.s_test]
    if not some:
        return None
    solver, figures = some[-1].s_test['solver'], []
    traces = {f'round {r.number}': r.s_test['trace'] for r in some if r.s_test['solver'] == solver}
    if solver in TRACES and any(v > 0 for t in traces.values() for v in t):
        figures = [
            ReportFigure(
                'trace',
                f'Line chart: {TRACES[solver]} of {solver} by iteration. The table below says '
                'where it ended.',
                f'{TRACES[solver]} of {solver}, by iteration.',
                draw_traces(traces, TRACES[solver]),
            )
        ]
    rows = [
        [
            str(r.number),
            r.s_test['solver'],
            *(
                number(r.s_test.get(k), d)
                for k, d in (('cos_s_test_v', 4), ('iterations', 0), ('residual', 6))
            ),
            {True: 'yes', False: 'no'}.get(r.s_test.get('converged'), '\N{EN DASH}'),
            number(r.s_test['n_params']),
            number(r.s_test['n_reference']),
            number(r.s_test['total_seconds'], 1),
        ]
        for r in some
    ]
    return Section(
        's_test',
        's_test',
        [
            'cos(s_test, v) compares s_test with the mean gradient v of the reference set: near 1, the Hessian has changed '
            'nothing that matters, and influence is mere gradient similarity.'
        ],
        figures,
        [
            ReportTable(
                's_test of every round',
                [
                    'round',
                    'solver',
                    'cos(s_test, v)',
                    'iterations',
                    'residual',
                    'converged',
                    'parameters',
                    'reference images',
                    'seconds',
                ],
                rows,
            )
        ],
    )


def seconds(run: RunFiles) -> Section | None:
    """Seconds by phase of every round."""
    table = pd.DataFrame({f'round {r.number}': r.seconds for r in run.rounds if r.seconds}).T
    if table.empty:
        return None
    table = table[[p for p in PHASES if p in table]]
    rows = [
        [str(name), *(number(v, 1) for v in row), number(row.sum(), 1)]
        for name, row in zip(table.index, table.itertuples(index=False), strict=True)
        for row in [pd.Series(row, dtype=float)]
    ]
    return Section(
        'seconds',
        'Seconds',
        [],
        [
            ReportFigure(
                'seconds',
                'Bar chart: seconds of each round by phase. The table below holds every value.',
                'Seconds of each round, by phase, as measured.',
                draw_seconds(table.astype(float), 'seconds'),
            )
        ],
        [ReportTable('Seconds of each round, by phase', ['round', *table.columns, 'total'], rows)],
    )
