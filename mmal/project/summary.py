"""What ``tools/al_init.py`` says at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .base_config import BaseConfig
from .image_source import Source
from .scan import Scan
from .settings import Numbers
from .split import Split

if TYPE_CHECKING:
    from .settings import Settings
SHOWN_BY_BROWSERS = ('.jpg', '.jpeg', '.jpe', '.png', '.bmp', '.webp')


def project_summary(
    source: Source,
    base: BaseConfig,
    settings: Settings,
    found: Scan,
    parts: Split,
    numbers: Numbers,
) -> str:
    """What was found, what was made of it, and what comes next."""
    kept = 'left out' if settings.drop_near_duplicates else 'kept; --drop-near-duplicates leaves them out'
    looks = len(set(found.near_duplicates.values()))
    lines = [
        ('images', f'{len(source.names)} below {source.root}'),
        ('sizes', _sizes(found)),
        ('unusable', _some(found.unusable, '{} left out (unusable.csv), e.g. {}: {}')),
        (
            'exact duplicates',
            _some(found.exact_duplicates, '{} left out (duplicates.csv), e.g. {} is {}'),
        ),
        (
            'near-duplicates',
            _some(
                found.near_duplicates,
                f'{{}}, of {looks} images; {kept} (duplicates.csv), e.g. {{}} looks like {{}}',
            ),
        ),
        (
            'evaluation',
            f'{len(parts.evaluation)} at random'
            + (f'; {len(parts.excluded)} that look like them set aside' if parts.excluded else ''),
        ),
        (
            'pool',
            f'{len(parts.pool)}; {numbers.initial} to label first, then {numbers.query} a round',
        ),
        ('config', f'{base.name}, {len(settings.classes)} classes'),
    ]
    text = '\n'.join(f'{name + ":":<18}{value}' for name, value in lines)
    return '\n'.join(
        [
            '',
            text,
            *(f'NOTE: {note}.' for note in _notes(source, base, settings, found)),
            '',
            _next(settings.out),
        ]
    )


def _sizes(found: Scan) -> str:
    small, large = (f(found.images, key=lambda i: i.width * i.height) for f in (min, max))
    size = sum(i.bytes for i in found.images)
    unit, name = next(
        (u, n)
        for u, n in ((1e9, 'GB'), (1e6, 'MB'), (1e3, 'kB'), (1, 'bytes'))
        if size >= u or u == 1
    )
    ends = dict.fromkeys(f'{i.width} x {i.height}' for i in (small, large))
    return f'{" to ".join(ends)}, {size / unit:.3g} {name}'


def _some(pairs: Mapping[str, str], text: str) -> str:
    return text.format(len(pairs), *next(iter(pairs.items()))) if pairs else 'none'


def _notes(source: Source, base: BaseConfig, settings: Settings, found: Scan) -> list[str]:
    notes = list(source.notes)
    if settings.cold_start == 'coreset' and not base.pretrained:
        notes.append(
            'the model of --config begins with random weights, so that the first images are spread over what '
            'random features show. Set load_from in config.py, or take --cold-start random'
        )
    if 'num_classes' not in str(base.cfg.model):
        notes.append('no num_classes found in the model; see in config.py that it fits the classes')
    hidden = [i.name for i in found.images if not i.name.lower().endswith(SHOWN_BY_BROWSERS)]
    if hidden:
        notes.append(
            f'{len(hidden)} images are of a kind that browsers do not show, e.g. {hidden[0]}, and so may not '
            'labeling tools. Turn them into PNG or JPEG first, or see whether your tool shows them'
        )
    sizes = {(i.width, i.height) for i in found.images}
    if (
        not base.boxes
        and len(sizes) > 1
        and not any('Resize' in str(s) or 'Crop' in str(s) for s in base.test.steps)
    ):
        notes.append(
            f'images come in {len(sizes)} sizes and the pipelines of --config do not resize them, so they do '
            'not fit into one batch. Add a Resize to the pipelines in config.py'
        )
    return notes


def _next(out: str) -> str:
    return f"""Next:
1. python tools/al_train.py {out}/config.py      writes {out}/run/initial/to_label and stops
2. Label that and {out}/evaluation/to_label, and bring the files in:
   python tools/al_labels.py {out}/run FILE; python tools/al_labels.py {out}/evaluation FILE
3. python tools/al_train.py {out}/config.py --resume      trains, and asks for the next labels; so on from 2"""
