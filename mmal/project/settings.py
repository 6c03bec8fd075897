from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Numbers:
    """What ``train_cfg`` says of the loop.

    Attributes:
        initial: Images labeled at first.
        query: Images a round.
        rounds: Trainings.
        cold_start: A key of COLD_STARTS.
        seed: Of everything.
    """

    initial: int
    query: int
    rounds: int
    cold_start: str
    seed: int


@dataclass(frozen=True)
class Settings:
    """What a user says of a project.

    Attributes:
        classes: Names.
        out: Folder to be made.
        evaluation: Images kept for evaluation. Defaults to None: a tenth, at most MOST_FOR_EVALUATION.
        initial: Images labeled at first. Defaults to None: a tenth of the pool, from 10 to MOST_AT_FIRST.
        query: Images labeled after each round. Defaults to None: half as many.
        rounds: Trainings. Defaults to 5.
        cold_start: 'random', or 'coreset': spread over what the pretrained backbone sees. Defaults to 'random'.
        seed: Of the draws and the trainings. Defaults to 0.
        drop_near_duplicates: Leave images out that look like another one. Defaults to False.
    """

    classes: list[str]
    out: str
    evaluation: int | None = None
    initial: int | None = None
    query: int | None = None
    rounds: int = 5
    cold_start: str = 'random'
    seed: int = 0
    drop_near_duplicates: bool = False
