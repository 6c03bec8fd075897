"""python -m benchmarks.run: measure everything, and write the results as JSON and as a table.

The files are ``results.json`` and ``results.md``; with --device cuda ``results-cuda.json`` and its
table.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks import bookkeeping, coreset, frozen_features, memory, processes, s_test, scoring
from benchmarks.harness import Record, Sizes, machine, sizes_for, versions

HERE = Path(__file__).parent

Part = Callable[[int], list[Record]]
"""Measures something, with so many repetitions."""


def parts_for(sizes: Sizes) -> dict[str, Part]:
    """Functions that measure, by the name of the part.

    A small trial has the parts of a GPU, whatever the device.

    Args:
        sizes: Device and images.
    """
    parts: dict[str, Part] = dict(scoring=partial(scoring.records, sizes=sizes))
    if sizes.device == 'cuda' or sizes.small:
        parts['s_test'] = partial(s_test.records, sizes=sizes)
        parts['processes'] = partial(processes.gpu_records, sizes=sizes)
        return parts
    # It needs pyDVL, and nothing else does.
    from benchmarks import solvers

    parts['solvers'] = solvers.records
    parts['memory'] = memory.records
    parts['coreset'] = coreset.records
    parts['frozen_features'] = frozen_features.records
    parts['bookkeeping'] = bookkeeping.records
    parts['processes'] = processes.records
    return parts


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
    with_gpu = any('gpu_mib' in record for record in records)
    columns = ['what', 'ratio', 'target', 'reached', 'n', 'medians, seconds']
    if with_gpu:
        columns.append('peak GPU memory, MiB')
    lines = [_row(columns), '|' + '---|' * len(columns)]
    for record in records:
        cells = [
            _name(record),
            _ratio(record),
            record['target'],
            verdict(record['ratio'], record['target']),
            str(record['n']),
            _medians(record),
        ]
        if with_gpu:
            cells.append(_gpu_peaks(record))
        lines.append(_row(cells))
    return '\n'.join(lines)


def _row(cells: Sequence[str]) -> str:
    row = ' | '.join(cells)
    return f'| {row} |'


def _gpu_peaks(record: Record) -> str:
    peaks = record.get('gpu_mib', {})
    return ', '.join(f'{way} {mib}' for way, mib in peaks.items())


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


def measure(parts: dict[str, Part], n: int) -> list[Record]:
    """Measure some parts.

    Args:
        parts: The functions by name.
        n: Number of repetitions of each timing.

    Returns:
        Records, each with the name of its part.
    """
    records = []
    for part, measure_part in parts.items():
        for record in measure_part(n):
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


def write_results(path: Path, records: Sequence[Record], command: str) -> str:
    """Write the records, and beside them the table.

    Args:
        path: Path of the JSON file.
        records: What was measured.
        command: The command that measured them.

    Returns:
        The table with its heading.
    """
    path.write_text(json.dumps(records, indent=1) + '\n')
    circumstances = {**machine(), **versions()}
    described = [f'{name} {value}' for name, value in circumstances.items() if value]
    commits = dict.fromkeys(record['commit'] for record in records)
    heading = f'`{command}` at commit {", ".join(commits)}, {", ".join(described)}.'
    page = f'{heading}\n\n{table(records)}\n'
    path.with_suffix('.md').write_text(page)
    return page


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '-n', type=int, default=5, help='repetitions of each timing; at least 5 for the record'
    )
    parser.add_argument('--only', help='measure a part anew, and keep the other records')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument(
        '--small', action='store_true', help='try that the code runs: tiny images, no figures'
    )
    parser.add_argument(
        '--out', type=Path, default=HERE, help='folder of the results; by default benchmarks/'
    )
    args = parser.parse_args()
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: torch sees no GPU')
    if args.small and args.out == HERE:
        parser.error('--small gives no figures to keep: expected --out FOLDER')
    parts = parts_for(sizes_for(args.device, args.small))
    if args.only and args.only not in parts:
        parser.error(f'--only: expected one of {", ".join(parts)}, got {args.only}')
    if args.only:
        parts = {args.only: parts[args.only]}
    name, command = 'results.json', 'make bench'
    if args.device == 'cuda':
        name, command = 'results-cuda.json', 'make bench-gpu'
    measured = measure(parts, args.n)
    if args.small:
        command = 'python -m benchmarks.run --small'
        measured = [dict(record, target='none') for record in measured]
    path = args.out / name
    records = renewed(path, measured, args.only)
    print(write_results(path, records, command))


if __name__ == '__main__':
    main()
