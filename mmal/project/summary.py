"""What ``mmal init`` prints at its end."""

from __future__ import annotations

from collections.abc import Mapping

from .contents import ProjectContents
from .scan import Scan, ScannedImage

BROWSER_SUFFIXES = ('.jpg', '.jpeg', '.jpe', '.png', '.bmp', '.webp')
"""Suffixes of images that browsers show."""
SIZE_UNITS = ((1e9, 'GB'), (1e6, 'MB'), (1e3, 'kB'))
"""Units of bytes, the largest first."""

FIRST_IMAGES = {
    'random': 'at random',
    'herding': 'by herding on what the backbone sees',
    'coreset': 'by core-set on what the backbone sees',
}
"""How the first images are chosen, in words, by the key of the way to choose them."""

MAX_CLASSES = 5
"""Greatest number of class names that are shown."""


def project_summary(contents: ProjectContents) -> str:
    """Describe a project.

    Args:
        contents: All that went into it.

    Returns:
        What was found, what was made of it, what the user should know, and what comes next.
    """
    lines = ['']
    for title, text in _findings(contents):
        lines.append(f'{title + ":":<18}{text}')
    for note in _notes(contents):
        lines.append(f'NOTE: {note}.')
    return '\n'.join([*lines, '', _next_steps(contents)])


def _findings(contents: ProjectContents) -> list[tuple[str, str]]:
    """Title and text of each line about what was found and made."""
    source = contents.source
    scanned = contents.scanned
    parts = contents.parts
    numbers = contents.numbers
    first = f'{numbers.initial} to label first, chosen {FIRST_IMAGES[numbers.cold_start]}'
    if contents.pool_labeled:
        first = f'{numbers.initial} labeled already'
    classes = contents.settings.classes
    named = ', '.join(map(repr, classes[:MAX_CLASSES]))
    if len(classes) > MAX_CLASSES:
        named += ', ...'
    return [
        ('images', f'{len(source.names)} below {source.root}'),
        ('sizes', _sizes(scanned.images)),
        ('unusable', _with_example(scanned.unusable, '{} left out (unusable.csv), e.g. {}: {}')),
        (
            'exact duplicates',
            _with_example(scanned.exact_duplicates, '{} left out (duplicates.csv), e.g. {} is {}'),
        ),
        (
            'near-duplicates',
            _near_duplicates(scanned, contents.settings.drop_near_duplicates),
        ),
        ('evaluation', _evaluation(contents)),
        ('pool', f'{len(parts.pool)}; {first}, then {numbers.query} a round'),
        ('config', f'{contents.base.name}, {len(classes)} classes: {named}'),
    ]


def _evaluation(contents: ProjectContents) -> str:
    """Which images the curve is measured on."""
    parts = contents.parts
    n = len(parts.evaluation)
    text = f'{n} at random'
    if contents.labels is not None:
        text = f'{n} new ones at random, to be labeled; --val FILE takes a set of your own'
        if contents.labels.val is not None:
            text = f'the {n} of {contents.labels.val.path}'
        elif contents.evaluation_is_labeled:
            text = (
                f'{n} of the labeled images, at random, so never trained on; --val FILE takes a '
                'set of your own, --evaluation N new images'
            )
    if parts.excluded:
        text += f'; {len(parts.excluded)} that look like them set aside'
    return text


def _near_duplicates(scanned: Scan, dropped: bool) -> str:
    n_originals = len(set(scanned.near_duplicates.values()))
    fate = 'left out' if dropped else 'kept; --drop-near-duplicates leaves them out'
    text = f'{{}}, of {n_originals} images; {fate} (duplicates.csv), e.g. {{}} looks like {{}}'
    return _with_example(scanned.near_duplicates, text)


def _sizes(images: list[ScannedImage]) -> str:
    """The smallest and the largest image, and the bytes of all."""
    small = min(images, key=_pixels)
    large = max(images, key=_pixels)
    # A dict keeps the order and drops the second of two equal texts.
    ends = dict.fromkeys(f'{image.width} x {image.height}' for image in (small, large))
    n_bytes = sum(image.bytes for image in images)
    return f'{" to ".join(ends)}, {_format_bytes(n_bytes)}'


def _pixels(image: ScannedImage) -> int:
    return image.width * image.height


def _format_bytes(n_bytes: int) -> str:
    for size, unit in SIZE_UNITS:
        if n_bytes >= size:
            return f'{n_bytes / size:.3g} {unit}'
    return f'{n_bytes:.3g} bytes'


def _with_example(pairs: Mapping[str, str], text: str) -> str:
    """The number of pairs and the first of them, put into a text; 'none' if there is none."""
    if not pairs:
        return 'none'
    key, value = next(iter(pairs.items()))
    return text.format(len(pairs), key, value)


def _notes(contents: ProjectContents) -> list[str]:
    """What the user should know, one sentence without a full stop each."""
    base = contents.base
    images = contents.scanned.images
    notes = [*contents.source.notes, *contents.scanned.notes]
    if contents.labels is not None:
        notes += contents.labels.notes
        notes += _notes_on_labels(contents)
    if contents.numbers.cold_start != 'random' and not base.pretrained:
        notes.append(
            'the model of --config begins with random weights, so that the first images are chosen '
            'by what random features show. Set load_from in config.py, or take '
            '--cold-start random'
        )
    if 'num_classes' not in str(base.cfg.model):
        notes.append('no num_classes found in the model; see in config.py that it fits the classes')
    names = [image.name for image in images]
    hidden = [name for name in names if not name.lower().endswith(BROWSER_SUFFIXES)]
    if hidden:
        notes.append(
            f'{len(hidden)} images are of a kind that browsers do not show, e.g. {hidden[0]}, '
            'and so may not labeling tools. Turn them into PNG or JPEG first, or see whether your '
            'tool shows them'
        )
    sizes = {(image.width, image.height) for image in images}
    resized = any('Resize' in str(step) or 'Crop' in str(step) for step in base.test.steps)
    if not base.boxes and len(sizes) > 1 and not resized:
        notes.append(
            f'images come in {len(sizes)} sizes and the pipelines of --config do not resize them, '
            'so they do not fit into one batch. Add a Resize to the pipelines in config.py'
        )
    return notes


def _notes_on_labels(contents: ProjectContents) -> list[str]:
    """What became of labeled images that are not used as such."""
    scanned = contents.scanned
    labeled = contents.labeled
    notes = []
    copies = {}
    for name, first in scanned.exact_duplicates.items():
        if name in labeled:
            copies[name] = first
    if copies:
        notes.append(
            _with_example(
                copies,
                '{} labeled images are byte-identical to another labeled one, whose labels count; '
                'e.g. {} is {}',
            )
        )
    unusable = {name: why for name, why in scanned.unusable.items() if name in labeled}
    if unusable:
        notes.append(_with_example(unusable, '{} labeled images cannot be used, e.g. {}: {}'))
    return notes


def _next_steps(contents: ProjectContents) -> str:
    out = contents.settings.out
    if not contents.pool_labeled:
        return _next_steps_without_labels(out)
    if contents.evaluation_is_labeled:
        return f"""Next:
1. python tools/al_train.py {out}/config.py      trains on what is labeled, and asks for the next \
labels in {out}/run/round_00/to_label
2. Label that, and bring the file in: python tools/al_labels.py {out}/run FILE
3. python tools/al_train.py {out}/config.py --resume      trains, and asks again; so on from 2"""
    return f"""Next:
1. Label {out}/evaluation/to_label, and bring the file in: \
python tools/al_labels.py {out}/evaluation FILE
2. python tools/al_train.py {out}/config.py --resume      trains, and asks for the next labels in \
{out}/run/round_00/to_label
3. Label that, bring it in: python tools/al_labels.py {out}/run FILE; so on from 2"""


def _next_steps_without_labels(out: str) -> str:
    return f"""Next:
1. python tools/al_train.py {out}/config.py      writes {out}/run/initial/to_label and stops
2. Label that and {out}/evaluation/to_label, and bring the files in:
   python tools/al_labels.py {out}/run FILE; python tools/al_labels.py {out}/evaluation FILE
3. python tools/al_train.py {out}/config.py --resume      trains, and asks for the next labels; \
so on from 2"""
