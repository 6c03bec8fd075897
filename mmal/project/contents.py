"""All that goes into a project, decided before any of it is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mmal.annotation.parsed import ParsedImage

from .base_config import BaseConfig
from .image_source import Source
from .labeled_images import ExistingLabels
from .scan import Scan, ScannedImage
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
        labels: Labels that exist already. Defaults to None: there are none.
    """

    source: Source
    base: BaseConfig
    settings: Settings
    scanned: Scan
    parts: Split
    numbers: Numbers
    labels: ExistingLabels | None = None

    @cached_property
    def labeled(self) -> dict[str, ParsedImage]:
        """What is said of each image that is labeled already, by name."""
        if self.labels is None:
            return {}
        images = dict(self.labels.train.images)
        if self.labels.val is not None:
            images.update(self.labels.val.images)
        return images

    @property
    def pool_labeled(self) -> list[ScannedImage]:
        """Images of the pool that are labeled already."""
        return [image for image in self.parts.pool if image.name in self.labeled]

    @property
    def evaluation_is_labeled(self) -> bool:
        """Whether nobody has to label the images for evaluation."""
        return all(image.name in self.labeled for image in self.parts.evaluation)
