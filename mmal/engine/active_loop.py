"""The outer loop: train, evaluate, s_test, score, select, label, and round again."""

from __future__ import annotations

import gc
from functools import cache, cached_property
from pathlib import Path

from mmengine import dist
from mmengine.runner import BaseLoop

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.engine.hooks.stest_hook import StestHook
from mmal.engine.phases.label import label_selection, skipped_ids
from mmal.engine.phases.select import (
    StopRun,
    images_paid,
    select,
    stop_after_evaluation,
    stop_after_scoring,
    write_scores,
)
from mmal.errors import InputError
from mmal.explain.describe import explain_selection
from mmal.fileio.tensors import forbid_unpickling
from mmal.fileio.text import read_json, write_json
from mmal.oracles.base import LabelsPending
from mmal.pool.budget import DEFAULT_HOLDOUT, holdout_size
from mmal.pool.pool import Pool
from mmal.registry import LOOPS, ORACLES, SAMPLERS
from mmal.reporting.console import log_run_summary
from mmal.reporting.learning_curve import write_curve
from mmal.reporting.run_page.page import renew_report
from mmal.reporting.trackers import log_to_trackers
from mmal.run.costs import cost_model
from mmal.run.history import read_points
from mmal.run.layout import PASSES
from mmal.run.lock import unlock
from mmal.run.manifest import back_up_manifest, build_manifest
from mmal.run.round_state import RoundState
from mmal.run.unreadable import UnreadableList
from mmal.samplers.base import Query

from .preflight import check_arguments
from .round_runner import TrainedModel, round_cfg, train, train_loop_cfg
from .setup import open_run
from .stopping import Stopping


@LOOPS.register_module()
class ActiveLoop(BaseLoop):
    """Active learning as the training loop of an mmengine Runner.

    Each round trains a fresh model in an inner Runner of its own (``round_XX/``), evaluates it, computes s_test if the
    sampler needs it, scores the unlabeled images, selects within the budget and has the selected labeled. What a
    config's ``train_cfg`` holds besides the arguments below (``max_epochs``, ``val_interval``, ...) goes to the inner
    training loop.

    Args:
        runner: The outer Runner.
        dataloader: Config of ``train_dataloader``; its dataset is the pool.
        initial: Images drawn at random to begin with, whatever the unit.
        query: What one query may spend, in ``unit``.
        rounds: Trainings in all. Fewer are run if the pool is used up before.
        sampler: Config of a sampler.
        oracle: Config of an oracle. Defaults to ``dict(type='mmal.SimulatedOracle')``.
        cold_start: Config of a sampler that chooses the first images by what the config's pretrained model sees, e.g.
            ``dict(type='mmal.CoresetSampler', layers=['backbone'])``. Defaults to None: at random.
        unit: 'image'; 'box': the boxes that labeling reveals; or 'second': of labeling. Where people label, boxes and
            seconds are predicted (:mod:`mmal.pool.cost_model`). The last image may overshoot. Defaults to 'image'.
        stop: When to stop before the rounds are over: keys of :class:`~mmal.engine.stopping.Stopping`. Defaults to None.
        holdout: Share of the initial images that is labeled but never trained on: the reference set of
            ``StestHook(reference='holdout')``. Defaults to None: 0.2 if the hook asks for it, else 0.
        check_images: Decode every image of the pool once at the start, so that broken ones are left out. Defaults to
            True.
        start_from: Work_dir of another run of the same seed, pool and numbers: its initial set is taken over and, if
            the trainings agree, its first trained model. For comparisons of samplers. Defaults to None.
        on_corruption: 'refuse' to go on with damaged state, or 'restore' the last that is whole (``--resume verified``).
            Defaults to 'refuse'.
        allow_config_change: Go on although settings that can change the result differ; it is noted in ``run.json``.
            Defaults to False.
        inner_type: Type of the inner training loop. Defaults to None: by epoch with max_epochs, by iteration with
            max_iters.
        **inner: Arguments of the inner training loop.

    Raises:
        InputError: If a number is not positive, the unit unknown, or the inner loop has no length.
    """

    def __init__(
        self,
        runner,
        dataloader,
        initial: int,
        query: int,
        rounds: int,
        sampler: dict,
        oracle: dict | None = None,
        cold_start: dict | None = None,
        unit: str = 'image',
        stop: dict | None = None,
        holdout: float | None = None,
        check_images: bool = True,
        start_from: str | None = None,
        on_corruption: str = 'refuse',
        allow_config_change: bool = False,
        inner_type: str | None = None,
        **inner,
    ) -> None:
        super().__init__(
            runner, dataloader=(None,)
        )  # rounds build their own; the Runner only asks for a length
        check_arguments(
            dict(initial=initial, query=query, rounds=rounds), unit, on_corruption, holdout
        )
        self.initial, self.query, self.rounds, self.unit, self._holdout = (
            initial,
            query,
            rounds,
            unit,
            holdout,
        )
        self.check_images, self.start_from, self.inner = (
            check_images,
            start_from,
            train_loop_cfg(inner, inner_type),
        )
        self.on_corruption, self.allow_config_change = on_corruption, allow_config_change
        self.sampler, self.stop = self._build(SAMPLERS, sampler, 'sampler'), Stopping.from_cfg(stop)
        self.cold_start = cold_start and self._build(SAMPLERS, cold_start, 'cold_start')
        self.oracle_cfg = oracle or dict(type='mmal.SimulatedOracle')
        self.work_dir = Path(runner.work_dir)
        forbid_unpickling(runner.cfg.get('unsafe_checkpoints', False))
        # resume and load_from are the rounds' business; the outer model is never trained
        runner._resume, runner._load_from = False, None
        seed = (runner.cfg.get('randomness') or {}).get('seed')
        self.seed = 0 if seed is None else seed
        # what the outer Runner asks of any training loop
        self.epoch = self.iter = 0
        self.max_epochs, self.max_iters = inner.get('max_epochs', 1), inner.get('max_iters', 1)
        self.val_interval, self.val_begin = inner.get('val_interval', 1), inner.get('val_begin', 1)

    @staticmethod
    def _build(registry, cfg: dict, name: str, **kwargs):
        try:
            return registry.build(cfg, **kwargs)
        except (KeyError, TypeError, ValueError) as e:
            raise InputError(f'train_cfg.{name}: {e.args[0] if e.args else e}') from e

    @cached_property
    def data(self):
        """Data side of the task: the pool with its images, and its ground truth for a simulated oracle."""
        return build_data_adapter(self.runner.cfg)

    @cached_property
    def unreadable(self) -> UnreadableList:
        return UnreadableList(self.work_dir, self.data.image_path, self.runner.logger)

    @cached_property
    def oracle(self):
        return self._build(ORACLES, self.oracle_cfg, 'oracle', default_args=dict(data=self.data))

    @property
    def stest_hook(self) -> StestHook | None:
        """The outer Runner's, for its settings; a round's own computes."""
        return StestHook.from_runner(self.runner)

    @property
    def holdout(self) -> int:
        """Number of the initial images that are never trained on."""
        asked = self.stest_hook is not None and self.stest_hook.reference == 'holdout'
        return holdout_size(
            self.initial, self._holdout if self._holdout is not None else DEFAULT_HOLDOUT * asked
        )

    # --- the loop ---------------------------------------------------------------------------------------------------

    def run(self):
        """Run all rounds that are not done yet.

        Returns:
            The outer Runner's model, untrained; each round's is in ``round_XX/checkpoint.pth``.
        """
        gc.freeze()  # mmengine collects garbage at each dataset it builds; what is loaded by now stays, so skip it
        last_words = ''
        try:
            open_run(self)
            self.runner.model.cpu()  # it is never trained; the rounds' models need the room
            self._rounds()
        except (StopRun, LabelsPending) as e:
            last_words = str(e) if isinstance(e, LabelsPending) else f'Stopped early: {e}.'
            self._publish()
        if dist.is_main_process():
            log_run_summary(self.work_dir, self.runner.logger, last_words)
            unlock(self.work_dir)
        return self.runner.model

    def _rounds(self) -> None:
        labeled_file = self.work_dir / 'initial.json'
        for number in range(self.rounds):
            folder = RoundState(self.work_dir, number)
            pool = Pool([i['id'] for i in self.data.images], self._labeled_ids(labeled_file))
            if not folder.complete:
                self._round(folder, pool, labeled_file)
            self._publish()
            labeled_file = folder.artifact('label')
            if not self._candidates(pool):
                self.runner.logger.info(f'The pool is used up after round {number}.')
                break

    def _round(self, folder: RoundState, pool: Pool, labeled_file: Path) -> None:
        logger = self.runner.logger
        logger.info(
            f'Round {folder.number}: {len(pool.labeled)} of {len(pool.ids)} images labeled.'
        )
        if dist.is_main_process():
            back_up_manifest(self.work_dir, folder.path)
        cfg = round_cfg(
            self.runner.cfg,
            f'{self.runner.experiment_name}_round_{folder.number:02d}',
            folder.path,
            folder.number,
            self.seed,
            self.inner,
        )
        self.data.set_training_set(cfg, labeled_file)
        trained = TrainedModel(cfg, folder.artifact('train'))
        folder.run('train', lambda path: train(cfg, path), logger)
        folder.run('evaluate', lambda path: self._evaluate(trained, labeled_file, path), logger)
        run_on_rank_zero(
            lambda: stop_after_evaluation(self, read_points(self.work_dir)[: folder.number + 1])
        )
        if self.sampler.needs_s_test:
            folder.run(
                's_test',
                lambda path: StestHook.from_runner(trained.runner).compute(
                    trained.runner,
                    self.data,
                    labeled_file,
                    path,
                    self.work_dir,
                    self.sampler.solver,
                ),
                logger,
            )
        query = cache(lambda: self._query(folder, pool, trained, labeled_file))
        folder.run('score', lambda path: self._score(query(), folder, path), logger)
        run_on_rank_zero(lambda: stop_after_scoring(self.stop, folder))
        folder.run(
            'select',
            lambda path: run_on_rank_zero(lambda: select(self, folder, pool, path)),
            logger,
        )
        folder.run(
            'describe',
            lambda path: explain_selection(
                query(), read_json(folder.artifact('select')), path, self.sampler, self.data.classes
            ),
            logger,
        )
        folder.run(
            'label',
            lambda path: run_on_rank_zero(
                lambda: label_selection(self, folder, labeled_file, path)
            ),
            logger,
        )
        query.cache_clear()  # or the model would stay
        trained.release()

    def record(self) -> dict:
        """What makes this run this run; see :mod:`mmal.run.manifest`."""
        return build_manifest(
            self.runner.cfg,
            self.seed,
            Pool([i['id'] for i in self.data.images]).digest(
                repr(sorted((str(i['id']), i['file_name']) for i in self.data.images))
            ),
            len(self.data.images),
        )

    # --- phases -----------------------------------------------------------------------------------------------------

    def _evaluate(self, trained: TrainedModel, labeled_file: Path, path: Path) -> None:
        metrics = {k: float(v) for k, v in trained.evaluate().items()}
        metrics['unreadable_images'] = len(self.unreadable)
        trained_on, held_out = (
            self.data.read_labeled(f) for f in (labeled_file, self.work_dir / 'holdout.json')
        )
        finite = {k: v for k, v in metrics.items() if v == v and abs(v) != float('inf')}
        if dist.is_main_process():
            write_json(
                path,
                dict(
                    images=len(trained_on[0]) + len(held_out[0]),
                    boxes=len(trained_on[1]) + len(held_out[1]),
                    metrics=finite,
                ),
            )

    def _query(
        self, folder: RoundState, pool: Pool, trained: TrainedModel, labeled_file: Path
    ) -> Query:
        loader = self.runner.cfg.get('val_dataloader') or self.runner.cfg.train_dataloader
        candidates = self._candidates(pool)
        budget = min(images_paid(self, folder.number, labeled_file), len(candidates))
        return Query(
            folder.number,
            self.seed,
            candidates,
            pool.labeled,
            budget,
            folder.path,
            folder.path / PASSES,
            cache(self.pool_images),
            lambda: self.data.labeled_dataset(str(labeled_file)),
            cache(lambda: build_model_adapter(trained.runner.model, trained.runner.cfg)),
            loader.get('batch_size', 1),
            loader.get('num_workers', 0),
            self.runner.logger,
            cost_model(self.work_dir, folder.number),
        )

    def _score(self, query: Query, folder: RoundState, path: Path) -> None:
        scores = self.sampler.score(query)
        run_on_rank_zero(lambda: write_scores(self, folder, scores, path))

    # --- around them ------------------------------------------------------------------------------------------------

    def _labeled_ids(self, labeled_file: Path) -> list:
        return [
            i
            for file in (self.work_dir / 'holdout.json', labeled_file)
            for i in self.data.read_labeled(file)[0]
        ]

    def _candidates(self, pool: Pool) -> list:
        passed = skipped_ids(self.work_dir) if self.oracle.is_human else ()
        return [
            i for i in self.unreadable.without(pool.unlabeled) if not passed or str(i) not in passed
        ]

    def pool_images(self):
        """The pool's dataset without annotations, and the row of each id in it."""
        dataset = self.data.pool_dataset(str(self.work_dir / 'pool.json'))
        return dataset, self.data.row_index(dataset)

    def _publish(self) -> None:
        """Renew the curve files and give what is new to the trackers in ``vis_backends``."""
        if dist.is_main_process():
            curve = write_curve(self.work_dir, type(self.sampler).__name__)
            log_to_trackers(self.runner, self.data, curve)
            renew_report(self.work_dir, self.data, self.runner.logger)
