"""python -m benchmarks.run: measure everything, write results.json (results-cuda.json with a GPU) and the table."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import torch

from benchmarks import memory, scoring, solvers
from benchmarks.harness import commit, machine, versions

HERE = Path(__file__).parent


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
    lines = ['| what | ratio | target | reached | n | medians, seconds |', '|---|---|---|---|---|---|']
    for r in records:
        ratio = 'none' if r['ratio'] is None else f'{r["ratio"]:.2f}'
        medians = ' / '.join(f'{v:.3g}' for v in r.get('median_seconds', {}).values())
        note = (r.get('lissa') or {}).get('note')
        lines.append(f'| {r["name"]}{f" ({note})" if note else ""} | {ratio} | {r["target"]} | '
                     f'{verdict(r["ratio"], r["target"])} | {r["n"]} | {medians} |')
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-n', type=int, default=5, help='repetitions of each timing; at least 5 for the record')
    parser.add_argument('--only', choices=['scoring', 'solvers', 'memory'], help='a part, printed and not written')
    args = parser.parse_args()
    measured = commit()  # before results are written into the tree
    parts = dict(solvers=solvers, scoring=scoring, memory=memory)
    records = [r for name, part in parts.items() if args.only in (None, name) for r in part.records(args.n)]
    print(table(records))
    if args.only:
        return
    name = 'results-cuda' if torch.cuda.is_available() else 'results'
    (HERE / f'{name}.json').write_text(json.dumps(records, indent=1) + '\n')
    where = ', '.join(f'{k} {v}' for k, v in {**machine(), **versions()}.items() if v)
    (HERE / f'{name}.md').write_text(f'`make bench` at commit {measured}, {where}.\n\n{table(records)}\n')


if __name__ == '__main__':
    main()
