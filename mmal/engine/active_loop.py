"""The outer loop: train, evaluate, solve s_test, score, select, explain, label, and round again.

The last round trains and evaluates.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

from mmengine import dist
from mmengine.registry import Registry
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mmal.adapters import build_data_adapter
from mmal.annotation.match_rules import parse_rules
from mmal.errors import InputError
from mmal.fileio.tensors import forbid_unpickling
from mmal.fileio.text import read_json
from mmal.oracles.base import LabelsPending
from mmal.pool.budget import BudgetUnit, holdout_size
from mmal.pool.pool import Pool
from mmal.pool.score_table import candidates_in
from mmal.registry import LOOPS, ORACLES, SAMPLERS
from mmal.reporting.console import end_of_rounds, log_run_summary
from mmal.reporting.learning_curve import write_curve
from mmal.reporting.run_page import renew_report
from mmal.reporting.trackers import log_to_trackers
from mmal.run.layout import RunPaths
from mmal.run.lock import unlock
from mmal.run.manifest import back_up_manifest
from mmal.run.round_state import RoundState
from mmal.run.unreadable import UnreadableList
from mmal.utils.pretrained import weights_key

from .cold_start import BACKBONE, ColdStart, cold_start
from .context import Round, RunContext
from .given_labels import ANNOTATED, GivenLabels, GivenSource, read_given_labels
from .holdout import holdout_share
from .hooks.stest_hook import StestHook
from .phase_runner import PhaseRunner
from .phases import PHASES
from .pool_overlap import drop_evaluation_images
from .preflight import preflight
from .query import unlabeled_candidates
from .refit_head import RefitHead
from .refitted_model import selecting_model
from .result_neutral import result_neutral_keys
from .round_runner import RunnerModels, retire_model, train_loop_cfg
from .settings import LoopSettings, check_arguments
from .setup import Inputs, open_run
from .stopping import StopRun, build_stop_rules


@LOOPS.register_module()
class ActiveLoop(BaseLoop):  # type: ignore[misc]  # the host is untyped
    """Active learning as the training loop of an mmengine Runner.

    Each round trains a fresh model in an inner Runner of its own (``round_XX/``), evaluates it,
    computes s_test if the sampler needs it, scores the unlabeled images, selects within the budget
    and has the selected images labeled. The last round ends with its evaluation, because nothing
    would be trained on what it selects. What a config's ``train_cfg`` holds besides the arguments
    below (``max_epochs``, ``val_interval``, ...) goes to the inner training loop.

    Every hook of the config may have the methods ``before_query(runner, run, round_)``,
    ``after_query(runner, run, round_)`` and ``after_round(runner, run, round_)``. They are called
    before a round's images are scored, after they are selected and explained, and at the end of a
    round: after they are labeled, or after the evaluation of the last round. They are called in
    every process, with the outer Runner, the :class:`~mmal.engine.context.RunContext` and the
    :class:`~mmal.engine.context.Round`.

    Args:
        runner: The outer Runner.
        dataloader: Config of ``train_dataloader``. Its dataset is the pool.
        initial: Number of images to begin with, whatever the unit, drawn at random; or the labels
            that exist already, for which nobody is asked: the path of a file of labels (COCO; a
            list of {id, label} or CSV for classes of whole images), a dataset config, or
            'annotated' for the images that the training set itself has annotations of. Their
            images are part of the pool. See :mod:`mmal.engine.given_labels`.
        query: What one query may spend, in ``unit``.
        rounds: Number of trainings in all. Fewer are run if the pool is used up before. A run that
            is resumed with a greater number goes on with the query of what was its last round; with
            a lower one, rounds that are there stay.
        sampler: Config of a sampler.
        oracle: Config of an oracle. Defaults to ``dict(type='mmal.SimulatedOracle')``.
        match: Rules by which names in those labels may differ from the pool's:
            :class:`~mmal.annotation.match_rules.MatchRule`, for instance 'basename' or
            'suffix,case'. Defaults to None: names that can mean one image alone.
        cold_start: How the initial set is chosen: 'random'; or the config of a sampler, which
            chooses it by what the config's pretrained model sees. Defaults to None:
            ``dict(type='mmal.HerdingSampler', layers=['backbone'], target_share=0.5)`` where the
            backbone is pretrained (``init_cfg``, ``load_from`` or ``checkpoint``), 'random' where
            it is not. Images that are held out are drawn at random in any case.
        unit: What a query is paid in: 'image'; 'box', the boxes that labeling reveals; or 'second',
            of labeling time. Where people label, boxes and seconds are predicted
            (:mod:`mmal.pool.cost_model`). The last image may overshoot the budget. Defaults to
            'image'.
        stop: When to stop before the rounds are over: keys of
            :func:`~mmal.engine.stopping.build_stop_rules`. Defaults to None.
        holdout: Share of the initial images that is labeled but never trained on: the reference set
            of ``StestHook(reference='holdout')``. Defaults to None: 0.2 if the hook asks for it and
            the sampler needs s_test, else 0. In a comparison all methods share what one needs
            (:mod:`mmal.benchmark.shared_holdout`).
        check_images: Whether to decode every image of the pool once at the start, so that broken
            ones are left out. Defaults to True.
        start_from: Work directory of another run of the same seed, pool and numbers. Its initial
            set is taken over and, if the trainings agree, its first trained model. It serves
            comparisons of samplers. Defaults to None.
        checkpoint: Path of a checkpoint that mmdet, mmpretrain or mmal wrote. The first round takes
            this model instead of training one. Defaults to None: it trains one.
        evaluate_checkpoint: Whether that model is evaluated, as every other is. Defaults to True.
        warm_start: Whether a round's training begins from the weights of the round before. Defaults
            to False: each begins anew, from the config's ``load_from`` or ``init_cfg``.
        on_corruption: 'refuse' to go on with damaged state, or 'restore' the last that is whole
            (``--resume verified``). Defaults to 'refuse'.
        allow_config_change: Whether to go on although settings that can change the result differ.
            It is noted in ``run.json``. Defaults to False.
        pool_grew: Whether a run that is resumed takes in images that are new in the pool
            (``--pool-grew``). It is noted in ``run.json``. Defaults to False: they are refused.
        drop_evaluation_images: Whether images that are in the evaluation set, too, by path or by
            content, are left out of the pool (``--drop``). False keeps them in both, and log,
            ``run.json`` and page say that the metric is optimistic. Defaults to None: a pool that
            has such images is refused.
        head: What the images are selected with. 'refit': a last layer that is fitted to convergence
            on features of the pretrained backbone, each round anew on all that is labeled, see
            :class:`~mmal.engine.refitted_model.RefittedModel`; or a dict of the arguments of
            :class:`~mmal.engine.refit_head.RefitHead`. Scores and s_test are then those of that
            layer, while the trained model is what is evaluated. It is for classifiers with a
            pretrained backbone. Defaults to None: the trained model.
        **inner: Arguments of the inner training loop: by epoch with max_epochs, by iteration with
            max_iters.

    Raises:
        InputError: If a number is not positive, the unit unknown, or the inner loop has no length.
    """

    result_neutral: ClassVar[tuple[str, ...]] = (
        'rounds',
        'start_from',
        'on_corruption',
        'allow_config_change',
        'pool_grew',
        'stop*',
    )
    """Arguments that a resumed run may change."""

    def __init__(
        self,
        runner: Runner,
        dataloader: dict[str, Any],
        initial: int | str | dict[str, Any],
        query: int,
        rounds: int,
        sampler: dict[str, Any],
        oracle: dict[str, Any] | None = None,
        cold_start: str | dict[str, Any] | None = None,
        unit: str = 'image',
        stop: dict[str, Any] | None = None,
        holdout: float | None = None,
        check_images: bool = True,
        start_from: str | None = None,
        checkpoint: str | None = None,
        evaluate_checkpoint: bool = True,
        warm_start: bool = False,
        on_corruption: str = 'refuse',
        allow_config_change: bool = False,
        pool_grew: bool = False,
        drop_evaluation_images: bool | None = None,
        match: str | Sequence[str] | None = None,
        head: str | dict[str, Any] | None = None,
        **inner: Any,
    ) -> None:
        # Rounds build their own dataloaders; the Runner only asks this one for a length.
        super().__init__(runner, dataloader=(None,))
        numbers = dict(query=query, rounds=rounds)
        self._given_source: GivenSource | None = None
        if isinstance(initial, (str, dict)):
            self._given_source = initial
            initial = 0
        else:
            numbers['initial'] = initial
        check_arguments(numbers, unit, on_corruption, holdout)
        self._match = parse_rules(match, 'train_cfg.match')
        if self._match and self._given_source in (None, ANNOTATED):
            raise InputError(
                'train_cfg.match is for the names in a file of labels, and train_cfg.initial names '
                'none. Remove it.'
            )
        self.inner = train_loop_cfg(inner)
        self.sampler = _build(SAMPLERS, sampler, 'sampler')
        self._cold_start = cold_start
        self.oracle_cfg = oracle or dict(type='mmal.SimulatedOracle')
        stest_hook = StestHook.from_runner(runner)
        self._stest = None if stest_hook is None else stest_hook.settings
        self._holdout_share = self._find_holdout_share(holdout)
        self.stop_rules = build_stop_rules(stop)
        seed = (runner.cfg.get('randomness') or {}).get('seed')
        self.settings = LoopSettings(
            initial=initial,
            query=query,
            rounds=rounds,
            unit=BudgetUnit(unit),
            holdout=holdout_size(initial, self._holdout_share),
            seed=0 if seed is None else seed,
            check_images=check_images,
            start_from=None if start_from is None else Path(start_from),
            checkpoint=None if checkpoint is None else Path(checkpoint).expanduser(),
            evaluate_checkpoint=evaluate_checkpoint,
            warm_start=warm_start,
            resume=bool(runner.cfg.get('resume', False)),
            on_corruption=on_corruption,
            allow_config_change=allow_config_change,
            pool_grew=pool_grew,
            drop_evaluation_images=drop_evaluation_images,
            head=RefitHead.from_config(head),
        )
        forbid_unpickling(runner.cfg.get('unsafe_checkpoints', False))
        # To resume and to load weights is the rounds' business; the outer model is never trained.
        runner._resume = False
        runner._load_from = None
        # So is evaluation: the outer Runner would read annotation files as users bring them.
        runner._val_loop = None
        # What the outer Runner asks of any training loop.
        self.epoch = 0
        self.iter = 0
        self.max_epochs = inner.get('max_epochs', 1)
        self.max_iters = inner.get('max_iters', 1)
        self.val_interval = inner.get('val_interval', 1)
        self.val_begin = inner.get('val_begin', 1)

    def _find_holdout_share(self, given: float | None) -> float:
        reference = None if self._stest is None else self._stest.reference
        return holdout_share(given, self.sampler.needs_s_test, reference)

    @cached_property
    def context(self) -> RunContext:
        """What the phases work with.

        It is built when it is first needed, because it reads the dataset.
        """
        cfg = self.runner.cfg
        paths = RunPaths(Path(self.runner.work_dir))
        data = build_data_adapter(cfg)
        oracle = _build(ORACLES, self.oracle_cfg, 'oracle', default_args=dict(data=data))
        models = RunnerModels(self.runner, self.inner, data, self.settings)
        run = RunContext(
            settings=self.settings,
            paths=paths,
            cfg=cfg,
            data=data,
            sampler=self.sampler,
            oracle=oracle,
            models=models,
            stest=self._stest,
            cold_start=self._find_cold_start(models),
            unreadable=UnreadableList(paths.unreadable, data.image_path, self.runner.logger),
            log=self.runner.logger,
        )
        if self._given_source is not None:
            run = self._with_given_labels(run, self._given_source)
        if run.settings.drop_evaluation_images:
            run = self._without_evaluation_images(run)
        return run

    def _find_cold_start(self, models: RunnerModels) -> ColdStart:
        weights = None
        if self._given_source is None and hasattr(models.untrained_model(), BACKBONE):
            weights = weights_key(self.runner.cfg)
        return cold_start(self._cold_start, weights)

    def _with_given_labels(self, run: RunContext, source: GivenSource) -> RunContext:
        return self._begun_with(run, read_given_labels(run.data, source, self._match))

    def _without_evaluation_images(self, run: RunContext) -> RunContext:
        dropped = drop_evaluation_images(run)
        if dropped is None:
            return run
        if run.given is not None:
            run = self._begun_with(run, run.given.without(dropped.ids))
        return replace(run, dropped=dropped.record)

    def _begun_with(self, run: RunContext, given: GivenLabels) -> RunContext:
        """The run with labels that existed before as its initial set."""
        n_labeled = len(given.ids)
        held_out = holdout_size(n_labeled, self._holdout_share)
        settings = replace(run.settings, initial=n_labeled, holdout=held_out)
        return replace(run, given=given, settings=settings)

    @property
    def inputs(self) -> Inputs:
        """What the run is opened with."""
        return Inputs(
            preflight=lambda: preflight(self.context, self.stop_rules),
            result_neutral=result_neutral_keys(self.runner.cfg.train_cfg),
        )

    def run(self) -> nn.Module:
        """Run all rounds that are not complete yet.

        Returns:
            The outer Runner's model, untrained. That of a round is in ``round_XX/checkpoint.pth``.
        """
        # mmengine collects garbage at each dataset it builds. What is loaded by now stays, so it is
        # skipped.
        gc.freeze()
        try:
            open_run(self.context, self.inputs)
            # The outer model is never trained; the rounds' models need the room.
            retire_model(self.runner)
            reason = self._run_rounds()
        except StopRun as e:
            reason = f'Stopped early: {e}.'
            self._report()
        except LabelsPending as e:
            reason = str(e)
            self._report()
        if dist.is_main_process():
            log_run_summary(self.context.paths.work_dir, self.runner.logger, reason)
            unlock(self.context.paths.work_dir)
        model: nn.Module = self.runner.model
        return model

    def _run_rounds(self) -> str:
        """Run the rounds. What is returned is said at the end of the log."""
        run = self.context
        labeled_file = run.paths.initial
        for number in range(run.settings.rounds):
            round_ = self._open_round(number, labeled_file)
            if not round_.complete:
                self.run_round(round_)
            self._report()
            if not unlabeled_candidates(run, round_):
                return f'The pool is used up after round {number}.'
            if _selected_nothing(run, round_):
                return f'After round {number} the pool has nothing but copies left.'
            labeled_file = round_.state.artifact('label')
        return end_of_rounds(run.paths.work_dir, run.settings.rounds)

    def _open_round(self, number: int, labeled_file: Path) -> Round:
        run = self.context
        state = RoundState(run.paths.work_dir, number)
        round_ = Round(
            state=state,
            labeled_file=labeled_file,
            pool=Pool(run.pool_ids, run.labeled_ids(labeled_file)),
            model=selecting_model(
                run, run.models.round_model(state.paths, labeled_file), labeled_file
            ),
            open_pool=cache(run.open_pool),
        )
        return replace(round_, is_last=_is_last(run, round_))

    def run_round(self, round_: Round) -> None:
        """Run the phases of one round that are not done yet.

        Args:
            round_: The round.
        """
        run = self.context
        run.log.info(
            f'Round {round_.number}: {len(round_.pool.labeled)} of {len(round_.pool.ids)} images '
            'labeled.'
        )
        if dist.is_main_process():
            back_up_manifest(run.paths.work_dir, round_.state.paths.folder)
        PhaseRunner(PHASES, self.stop_rules, self.runner.call_hook).run(run, round_)
        round_.model.release()

    def _report(self) -> None:
        """Renew the curve files and the page, and give what is new to the trackers in
        ``vis_backends``.
        """
        if not dist.is_main_process():
            return
        run = self.context
        curve = write_curve(run.paths.work_dir, type(run.sampler).__name__)
        log_to_trackers(self.runner, run.data, curve)
        renew_report(run.paths.work_dir, run.data, run.log)


def _is_last(run: RunContext, round_: Round) -> bool:
    """Whether no round can follow: it is the last of all, or nothing is left to choose from."""
    if round_.number == run.settings.rounds - 1:
        return True
    has_chosen = round_.state.done('score')
    return not has_chosen and not unlabeled_candidates(run, round_)


def _selected_nothing(run: RunContext, round_: Round) -> bool:
    """Whether a round's query found nothing to take: what is left are copies.

    Images that came into the pool after it was scored are no copies for all that is known.
    """
    if not round_.state.done('select') or read_json(round_.state.artifact('select')):
        return False
    scored = {candidate.text for candidate in candidates_in(round_.state.artifact('score'))}
    return all(str(image_id) in scored for image_id in unlabeled_candidates(run, round_))


def _build(registry: Registry, cfg: dict[str, Any], name: str, **kwargs: Any) -> Any:
    try:
        return registry.build(cfg, **kwargs)
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f'train_cfg.{name}: {e.args[0] if e.args else e}') from e
