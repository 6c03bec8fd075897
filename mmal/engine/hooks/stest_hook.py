"""The hook that names how s_test is computed, and computes it after an ordinary training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.adapters.loading import first_item
from mmal.errors import InputError
from mmal.registry import HOOKS, SOLVERS

from ..stest import (
    StestSettings,
    choose_parameters,
    open_reference_set,
    save_s_test,
    solve_s_test,
)


@HOOKS.register_module()
class StestHook(Hook):  # type: ignore[misc]  # the host is untyped
    """Computes s_test = (H + lambda I)^-1 v after training and writes it (paper, Algorithm 3).

    v is the *mean* over the reference set of the gradients of the per-sample losses. H is the mean
    curvature over labeled samples. Both are taken on ``params`` only, by running statistics,
    without augmentation, in float32. ``s_test.pth`` holds one tensor per parameter. ``s_test.json``
    beside it holds the settings, the convergence trace, and cos(s_test, v): near 1, influence is
    mere gradient similarity.

    In an :class:`~mmal.engine.active_loop.ActiveLoop` a phase of its own computes s_test with these
    settings. In any other training the hook computes it after the last iteration, with H of the
    whole training set, and writes to the work_dir.

    Reference sets:

    * 'val': the dataset of val_dataloader, with its annotations (the paper's ISAL);
    * 'initial': the initial labeled set (ISAL_v2);
    * 'labeled': all that is labeled (ISAL_v3);
    * 'holdout': a part of the initial labeled set that is never trained on, see ActiveLoop's
      ``holdout``. It is the honest choice where there is no set to spare.

    Args:
        params: Patterns of parameter names: a full name, a module's name, or a shell wildcard.
            Defaults to None: the last layers, found from the loss.
        reference: One of the names above, or a dataset config. Defaults to 'val'.
        solver: Config of a solver. Defaults to ``dict(type='mmal.CG')``.
        batch_size: Batch size of the reference gradient. Defaults to None: that of val_dataloader.
        biases: Whether biases and other one-dimensional parameters count. Defaults to True.
        hessian_images: Largest number of labeled images that H is taken from, drawn at random.
            Defaults to 1000.
        memory_gb: Largest memory for their cached layer inputs, in GiB. Fewer images are taken if
            it is full. A GPU that has less left lowers it, with a warning. Defaults to 4.
        max_nonfinite: Share of images whose loss or gradient may be not finite. They are named and
            left out; more of them stop the run. Defaults to 0.1.

    Attributes:
        settings: The arguments, with the solver built.

    Raises:
        InputError: If an argument is out of range, or the solver cannot be built.
    """

    priority = 'VERY_LOW'

    def __init__(
        self,
        params: str | list[str] | None = None,
        reference: str | dict[str, Any] = 'val',
        solver: dict[str, Any] | None = None,
        batch_size: int | None = None,
        biases: bool = True,
        hessian_images: int = 1000,
        memory_gb: float = 4.0,
        max_nonfinite: float = 0.1,
    ) -> None:
        if params is not None and not len(params):
            raise InputError(
                'StestHook: params is empty: name layers, or leave it out for the last layers.'
            )
        if hessian_images < 1 or memory_gb <= 0 or not 0 <= max_nonfinite < 1:
            raise InputError(
                'StestHook: expected hessian_images >= 1, memory_gb > 0 and 0 <= max_nonfinite < '
                f'1, got {hessian_images}, {memory_gb}, {max_nonfinite}.'
            )
        if isinstance(params, str):
            params = [params]
        try:
            built_solver = SOLVERS.build(solver or dict(type='mmal.CG'))
        except (KeyError, TypeError, ValueError) as e:
            raise InputError(f'StestHook: solver: {e.args[0] if e.args else e}') from None
        self.settings = StestSettings(
            solver=built_solver,
            params=None if params is None else list(params),
            reference=reference,
            batch_size=batch_size,
            biases=biases,
            hessian_images=hessian_images,
            memory_gb=memory_gb,
            max_nonfinite=max_nonfinite,
        )

    @classmethod
    def from_runner(cls, runner: Runner) -> StestHook | None:
        """The StestHook of a Runner, or None.

        Args:
            runner: The Runner.
        """
        for hook in runner.hooks:
            if isinstance(hook, cls):
                return hook
        return None

    def before_train(self, runner: Runner) -> None:
        """Outside of an active loop: refuse, before anything is trained, what could not be computed
        after it.

        Args:
            runner: The Runner.

        Raises:
            InputError: If the reference set cannot be opened, or a pattern of ``params`` does not
                fit.
        """
        if _is_active_round(runner):
            return
        data = build_data_adapter(runner.cfg)
        adapter = build_model_adapter(runner.model, runner.cfg)
        reference = open_reference_set(self.settings.reference, data, None, None)
        choose_parameters(self.settings, adapter, [first_item(reference, 'reference set')])

    def after_train(self, runner: Runner) -> None:
        """Outside of an active loop: compute s_test of the model just trained.

        Args:
            runner: The Runner.

        Raises:
            FloatingPointError: If v or s_test is not finite, or too many images are not.
        """
        if _is_active_round(runner):
            return
        data = build_data_adapter(runner.cfg)
        solution = solve_s_test(
            self.settings,
            build_model_adapter(runner.model, runner.cfg),
            reference=open_reference_set(self.settings.reference, data, None, None),
            labeled=data.labeled_dataset(None),
            seed=runner.seed,
            loader=runner.cfg.get('val_dataloader') or {},
            log=runner.logger,
        )
        save_s_test(solution, Path(runner.work_dir) / 's_test.pth')


def find_stest_hook(cfg: Any) -> Mapping[str, Any] | None:
    """Find the config of a StestHook in a config of which nothing was built yet.

    Args:
        cfg: Config of a run.

    Returns:
        An entry of ``custom_hooks``; None if there is none.
    """
    for hook in cfg.get('custom_hooks') or ():
        if not isinstance(hook, Mapping):
            continue
        kind = hook.get('type')
        if (HOOKS.get(kind) if isinstance(kind, str) else kind) is StestHook:
            return hook
    return None


def _is_active_round(runner: Runner) -> bool:
    return runner.cfg.get('active_round') is not None
