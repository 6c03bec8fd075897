"""Why an image was chosen, in a sentence, from the parts of its influence."""

from __future__ import annotations

WORTH = 0.02
"""Share of the largest part below which another is not worth a word."""


def why(entry: dict, score: str) -> str:
    """The sentence.

    Args:
        entry: Of ``chosen.json``.
        score: Name of the sampler's score.
    """
    parts, value = entry['parts'], entry['score']
    if not parts:
        return 'No score is known.' if value is None else f'Ranked by its {score} of {short(value)}, lower first.'
    total = sum(parts['layers'].values())
    layers = _most(parts['layers'], total)
    if not layers:
        return 'Training on it would hardly change the reference loss, to first order.'
    said = [f'Training on it would {"lower" if total < 0 else "raise"} the reference loss, to first order: its '
            f'gradient pushes most on {_listed(layers)}, of an influence of {short(total)}']
    classes = {name if name == 'background' else f'class {name}': part for name, part in parts['classes'].items()}
    if pushed := _most(classes, total):
        said.append(f'of the classes most on {_listed(pushed)}')
    if against := _most({name: -part for name, part in classes.items()}, total, 1):
        said.append(f'against it works {_listed([(name, -part) for name, part in against])}')
    return '; '.join(said) + '.'


def _most(parts: dict[str, float], total: float, n: int = 2) -> list[tuple[str, float]]:
    """The parts that go furthest the way of the total, at most n."""
    way, largest = -1 if total < 0 else 1, max(map(abs, parts.values()), default=0)
    same = [(name, part) for name, part in parts.items() if way * part > WORTH * largest]
    return sorted(same, key=lambda pair: -abs(pair[1]))[:n]


def _listed(parts: list[tuple[str, float]]) -> str:
    return ' and '.join(f'{name} ({short(part)})' for name, part in parts)


def short(value: float) -> str:
    """Three digits, with a true minus sign."""
    return f'{value:.3g}'.replace('-', '\N{MINUS SIGN}')
