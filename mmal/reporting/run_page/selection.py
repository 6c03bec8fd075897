"""``report.html`` of a selection by a given checkpoint: what was chosen, why, and from what."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmal.annotation.records import by_image
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import read_checksummed
from mmal.reporting.components import ReportTable, Section, number
from mmal.run.layout import SelectionPaths
from mmal.run.round_state import PhaseState

from .copies_section import copies_section
from .page import render
from .run_files import NamedLabel, RunFiles, RunRound, read_round
from .sections import contents_section, s_test_section, seconds_section

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter

SOURCES = dict(
    model='model',
    images='images to choose from',
    labeled='labeled set, for the curvature and the nearest images',
    reference='reference set, whose loss is to fall',
)
"""What a selection is made from, in words, by the key in ``selection.json``."""


class SelectionFiles(RunFiles):
    """A selection, read from its folder when asked, as the one query of a run.

    Args:
        folder: Folder of the selection.
        data: Data of the selection.
    """

    def __init__(self, folder: str | Path, data: DataAdapter) -> None:
        super().__init__(folder, data)
        self._selection = SelectionPaths(Path(folder))

    @cached_property
    def rounds(self) -> list[RunRound]:
        """The one query.

        Raises:
            CorruptStateError: If its record is not what was written.
        """
        return [read_round(PhaseState(self._selection), 'this selection')]

    @cached_property
    def record(self) -> dict[str, Any]:
        """``selection.json``: settings, and what the selection was made from.

        Raises:
            CorruptStateError: If it is not what was written.
        """
        return read_checksummed(self._selection.manifest)

    @cached_property
    def labels(self) -> dict[Hashable, list[NamedLabel]]:
        """The labels that the selection was given, by image id."""
        ids, annotations = self.data.read_labeled(self._selection.labeled_before)
        annotations_of = by_image(annotations)
        return {image_id: self.named(annotations_of.get(image_id, [])) for image_id in ids}

    def image_name(self, image_id: Hashable) -> str:
        """What an image is called on the page: its file's name, without the folder of another set.

        Args:
            image_id: Id of the image.
        """
        name: str = self.data.file_info(image_id)['file_name']
        if os.path.isabs(name) or name.startswith('..'):
            return os.path.basename(name)
        return name


def write_selection_report(folder: str | Path, data: DataAdapter) -> Path:
    """Write the page of a selection.

    Args:
        folder: Folder of the selection.
        data: Data of the selection.

    Returns:
        Path of the page.

    Raises:
        CorruptStateError: If the record of the selection is not what was written.
    """
    files = SelectionFiles(folder, data)
    sections = [
        contents_section(files),
        s_test_section(files),
        copies_section(files),
        seconds_section(files),
    ]
    page = render(files, summary(files), [inputs_section(files)], sections)
    write_bytes(files.paths.report, page.encode(errors='replace'))
    return files.paths.report


def summary(files: SelectionFiles) -> str:
    """What was selected from how much, in two sentences.

    Args:
        files: The selection.
    """
    n_selected = len(files.queries[-1].chosen) if files.queries else 0
    counts = files.record['inputs']['counts']
    return (
        f'{n_selected:,} of {counts["candidates"]:,} images are selected to be labeled next. '
        'to_label/ has them for labeling tools, with what the model sees in them.'
    )


def inputs_section(files: SelectionFiles) -> Section:
    """What was read from where, and how many images were left out.

    Args:
        files: The selection.
    """
    inputs = files.record['inputs']
    rows = []
    for key, words in SOURCES.items():
        if key in inputs['sources']:
            rows.append([words, inputs['sources'][key]])
    return Section(
        'inputs',
        'What it was made from',
        [counts_text(inputs['counts'])],
        tables=[ReportTable('What was read from where', ['what', 'where'], rows)],
    )


def counts_text(counts: Mapping[str, int]) -> str:
    """How many images there were, and why some could not be chosen, in a sentence.

    Args:
        counts: Counts of ``selection.json``.
    """
    left_out = []
    reasons = dict(
        labeled_before='labeled already',
        evaluated='in a reference or evaluation set',
        copies='copies of others',
        unusable='unusable',
    )
    for key, reason in reasons.items():
        if counts[key]:
            left_out.append(f'{number(counts[key])} {reason}')
    text = f'{number(counts["found"])} images were found'
    if left_out:
        text += f', of which {", ".join(left_out)}'
    return (
        f'{text}; {number(counts["candidates"])} could be chosen. '
        f'{number(counts["labeled"])} labeled images are known.'
    )
