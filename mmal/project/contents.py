"""All that goes into a project, decided before any of it is written."""

from __future__ import annotations

from dataclasses import dataclass

from .base_config import BaseConfig
from .image_source import Source
from .scan import Scan
from .settings import Numbers, Settings
from .split import Split


@dataclass(frozen=True)
class ProjectContents:
    """All that goes into a project.

    Attributes:
        source: Images that the user means.
        base: Config that the project inherits.
        settings: What the user asks.
        scanned: What was found of all images.
        parts: Images of the pool and for evaluation.
        numbers: Settings of the active-learning loop.
    """

    source: Source
    base: BaseConfig
    settings: Settings
    scanned: Scan
    parts: Split
    numbers: Numbers
