"""python -m benchmarks.run: measure everything, and write the results as JSON and as a table.

The files are ``results.json`` and ``results.md``; with a GPU ``results-cuda.json`` and its table.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks import bookkeeping, coreset, memory, processes, scoring, solvers
from benchmarks.harness import Record, machine, versions

HERE = Path(__file__).parent

PARTS: dict[str, Callable[[int], list[Record]]] = dict(
    solvers=solvers.records,
    scoring=scoring.records,
    memory=memory.records,
    coreset=coreset.records,
    bookkeeping=bookkeeping.records,
    processes=processes.records,
)
"""Functions that measure, by the name of the part. They take the number of repetitions."""


def verdict(ratio: float | None, target: str) -> str:
    """Judge a ratio.

    Args:
        ratio: The ratio; None if there is none.
        target: '<= NUMBER', '>= NUMBER', 'NUMBER to NUMBER', or 'none'.

    Returns:
        'yes' if the ratio lies where it should, 'NO' if it does not, '-' if there is no ratio or no
        target.
    """
    limits = [float(number) for number in re.findall(r'[\d.]+', target)]
    if ratio is None or not limits:
        return '-'
    if len(limits) == 2:
        reached = limits[0] <= ratio <= limits[1]
    elif '<=' in target:
        reached = ratio <= limits[0]
    else:
        reached = ratio >= limits[0]
    return 'yes' if reached else 'NO'


def table(records: Sequence[Record]) -> str:
    """Make the Markdown table.

    Args:
        records: What was measured.
    """
    lines = [
        '| what | ratio | target | reached | n | medians, seconds |',
        '|---|---|---|---|---|---|',
    ]
    for record in records:
        cells = [
            _name(record),
            _ratio(record),
            record['target'],
            verdict(record['ratio'], record['target']),
            str(record['n']),
            _medians(record),
        ]
        row = ' | '.join(cells)
        lines.append(f'| {row} |')
    return '\n'.join(lines)


def _name(record: Record) -> str:
    lissa = record.get('lissa') or {}
    note = lissa.get('note')
    if note:
        return f'{record["name"]} ({note})'
    return record['name']


def _ratio(record: Record) -> str:
    if record['ratio'] is None:
        return 'none'
    return f'{record["ratio"]:.2f}'


def _medians(record: Record) -> str:
    medians = record.get('median_seconds', {})
    return ' / '.join(f'{seconds:.3g}' for seconds in medians.values())


def measure(parts: Sequence[str], n: int) -> list[Record]:
    """Measure some parts.

    Args:
        parts: Names of the parts.
        n: Number of repetitions of each timing.

    Returns:
        Records, each with the name of its part.
    """
    records = []
    for part in parts:
        for record in PARTS[part](n):
            records.append(dict(record, part=part))
    return records


def renewed(path: Path, records: Sequence[Record], only: str | None) -> list[Record]:
    """Put new records behind the old ones of other parts.

    Args:
        path: File with the old records.
        records: The new records.
        only: The part that was measured anew; None for all parts, of which nothing old is kept.
    """
    kept = []
    if only and path.exists():
        for record in json.loads(path.read_text()):
            if record.get('part', only) != only:
                kept.append(record)
    return [*kept, *records]


def write_results(path: Path, records: Sequence[Record]) -> str:
    """Write the records, and beside them the table.

    Args:
        path: Path of the JSON file.
        records: What was measured.

    Returns:
        The table with its heading.
    """
    path.write_text(json.dumps(records, indent=1) + '\n')
    circumstances = {**machine(), **versions()}
    described = [f'{name} {value}' for name, value in circumstances.items() if value]
    commits = dict.fromkeys(record['commit'] for record in records)
    heading = f'`make bench` at commit {", ".join(commits)}, {", ".join(described)}.'
    page = f'{heading}\n\n{table(records)}\n'
    path.with_suffix('.md').write_text(page)
    return page


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '-n', type=int, default=5, help='repetitions of each timing; at least 5 for the record'
    )
    parser.add_argument(
        '--only', choices=PARTS, help='measure a part anew, and keep the other records'
    )
    parser.add_argument(
        '--out', type=Path, default=HERE, help='folder of the results; by default benchmarks/'
    )
    args = parser.parse_args()
    name = 'results-cuda.json' if torch.cuda.is_available() else 'results.json'
    path = args.out / name
    parts = [args.only] if args.only else list(PARTS)
    records = renewed(path, measure(parts, args.n), args.only)
    print(write_results(path, records))


if __name__ == '__main__':
    main()
