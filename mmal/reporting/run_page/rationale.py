"""Why an image was chosen, in a sentence, from the parts of its influence."""

from __future__ import annotations

MIN_SHARE = 0.02
"""Share of the largest part below which another is not worth a word."""


def selection_rationale(entry: dict, score: str) -> str:
    """The sentence.

    Args:
        entry: Of ``chosen.json``.
        score: Name of the sampler's score.
    """
    parts, value = entry['parts'], entry['score']
    if not parts:
        return (
            'No score is known.'
            if value is None
            else f'Ranked by its {score} of {format_3_digits(value)}, lower first.'
        )
    total = sum(parts['layers'].values())
    layers = largest_parts(parts['layers'], total)
    if not layers:
        return 'Training on it would hardly change the reference loss, to first order.'
    said = [
        f'Training on it would {"lower" if total < 0 else "raise"} the reference loss, to first order: its '
        f'gradient pushes most on {_listed(layers)}, of an influence of {format_3_digits(total)}'
    ]
    classes = {
        name if name == 'background' else f'class {name}': part
        for name, part in parts['classes'].items()
    }
    if pushed := largest_parts(classes, total):
        said.append(f'of the classes most on {_listed(pushed)}')
    if against := largest_parts({name: -part for name, part in classes.items()}, total, 1):
        said.append(f'against it works {_listed([(name, -part) for name, part in against])}')
    return '; '.join(said) + '.'


def largest_parts(parts: dict[str, float], total: float, n: int = 2) -> list[tuple[str, float]]:
    """The parts that go furthest the way of the total, at most n."""
    way, largest = -1 if total < 0 else 1, max(map(abs, parts.values()), default=0)
    same = [(name, part) for name, part in parts.items() if way * part > MIN_SHARE * largest]
    return sorted(same, key=lambda pair: -abs(pair[1]))[:n]


def _listed(parts: list[tuple[str, float]]) -> str:
    return ' and '.join(f'{name} ({format_3_digits(part)})' for name, part in parts)


def format_3_digits(value: float) -> str:
    """Three digits, with a true minus sign."""
    return f'{value:.3g}'.replace('-', '\N{MINUS SIGN}')
