"""What the user decides about a project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Numbers:
    """Settings of the active-learning loop, for ``train_cfg`` and the seed of a project's config.

    Attributes:
        initial: Number of images labeled before the first training.
        query: Number of images labeled after each round.
        rounds: Number of trainings.
        cold_start: How the first images are chosen: a key of
            :data:`~mmal.project.config_template.COLD_STARTS`.
        seed: Seed of the draws and the trainings.
    """

    initial: int
    query: int
    rounds: int
    cold_start: str
    seed: int


@dataclass(frozen=True)
class Settings:
    """What the user asks of a project.

    Attributes:
        classes: Class names.
        out: Path of the folder to make.
        evaluation: Number of images kept for evaluation. Defaults to None: a tenth of all, at most
            :data:`~mmal.project.create.MAX_EVALUATION`.
        initial: Number of images labeled before the first training. Defaults to None: a tenth of
            the pool, from 10 to :data:`~mmal.project.create.MAX_INITIAL`.
        query: Number of images labeled after each round. Defaults to None: half of ``initial``.
        rounds: Number of trainings. Defaults to 5.
        cold_start: How the first images are chosen: 'random'; or by what the pretrained backbone
            sees: 'herding', images that stand for most others, or 'coreset', which spreads them.
            Defaults to None: 'herding' where the backbone is pretrained, else 'random'.
        seed: Seed of the draws and the trainings. Defaults to 0.
        drop_near_duplicates: Whether to leave out images that look like another one. Defaults to
            False.
    """

    classes: list[str]
    out: str
    evaluation: int | None = None
    initial: int | None = None
    query: int | None = None
    rounds: int = 5
    cold_start: str | None = None
    seed: int = 0
    drop_near_duplicates: bool = False
