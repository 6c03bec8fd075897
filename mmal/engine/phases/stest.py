"""Solve s_test for the round's model."""

from __future__ import annotations

from pathlib import Path

from ..context import Round, RunContext
from ..preflight import require_stest
from ..stest import open_reference_set, save_s_test, solve_s_test
from .base import Phase


class SolveStest(Phase):
    """Writes ``s_test.pth`` and, beside it, ``s_test.json`` about how it was solved."""

    name = 's_test'
    needs = ('train',)
    collective = True
    records_gpu_memory = True

    def enabled(self, run: RunContext, round_: Round) -> bool:
        """Whether the sampler needs s_test, and the round is to choose images.

        Args:
            run: The run.
            round_: The round.
        """
        return run.sampler.needs_s_test and super().enabled(run, round_)

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Solve s_test.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of ``s_test.pth``.

        Raises:
            FloatingPointError: If v or s_test is not finite, or too many images are not.
        """
        settings = require_stest(run)
        solution = solve_s_test(
            settings.with_solver(run.sampler.solver),
            round_.model.adapter(),
            reference=open_reference_set(
                settings.reference, run.data, round_.labeled_file, run.paths
            ),
            labeled=run.data.labeled_dataset(str(round_.labeled_file)),
            seed=round_.model.seed,
            loader=run.cfg.get('val_dataloader') or {},
            log=run.log,
        )
        save_s_test(solution, artifact)
