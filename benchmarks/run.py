"""python -m benchmarks.run: measure everything, write results.json (results-cuda.json with a GPU) and the table."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import torch

from benchmarks import bookkeeping, coreset, memory, processes, scoring, solvers
from benchmarks.harness import machine, versions

HERE = Path(__file__).parent
PARTS = dict(
    solvers=solvers,
    scoring=scoring,
    memory=memory,
    coreset=coreset,
    bookkeeping=bookkeeping,
    processes=processes,
)


def verdict(ratio: float | None, target: str) -> str:
    """Whether a ratio lies where it should."""
    numbers = [float(x) for x in re.findall(r'[\d.]+', target)]
    if ratio is None or not numbers:
        return '-'
    if len(numbers) == 2:
        return 'yes' if numbers[0] <= ratio <= numbers[1] else 'NO'
    return 'yes' if (ratio <= numbers[0] if '<=' in target else ratio >= numbers[0]) else 'NO'


def table(records: list[dict]) -> str:
    """Markdown."""
    lines = [
        '| what | ratio | target | reached | n | medians, seconds |',
        '|---|---|---|---|---|---|',
    ]
    for r in records:
        ratio = 'none' if r['ratio'] is None else f'{r["ratio"]:.2f}'
        medians = ' / '.join(f'{v:.3g}' for v in r.get('median_seconds', {}).values())
        note = (r.get('lissa') or {}).get('note')
        lines.append(
            f'| {r["name"]}{f" ({note})" if note else ""} | {ratio} | {r["target"]} | '
            f'{verdict(r["ratio"], r["target"])} | {r["n"]} | {medians} |'
        )
    return '\n'.join(lines)


def renewed(path: Path, records: list[dict], only: str | None) -> list[dict]:
    """All records: the new ones and, where only a part was measured, the others as they were."""
    old = json.loads(path.read_text()) if path.exists() else []
    return [r for r in old if only and r.get('part', only) != only] + records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '-n', type=int, default=5, help='repetitions of each timing; at least 5 for the record'
    )
    parser.add_argument(
        '--only', choices=PARTS, help='measure a part anew, and keep the other records'
    )
    args = parser.parse_args()
    name = 'results-cuda' if torch.cuda.is_available() else 'results'
    path = HERE / f'{name}.json'
    records = [
        dict(r, part=part)
        for part, module in PARTS.items()
        if args.only in (None, part)
        for r in module.records(args.n)
    ]
    records = renewed(path, records, args.only)
    path.write_text(json.dumps(records, indent=1) + '\n')
    where = ', '.join(f'{k} {v}' for k, v in {**machine(), **versions()}.items() if v)
    commits = ', '.join(dict.fromkeys(r['commit'] for r in records))
    path.with_suffix('.md').write_text(
        f'`make bench` at commit {commits}, {where}.\n\n{table(records)}\n'
    )
    print(path.with_suffix('.md').read_text())


if __name__ == '__main__':
    main()
