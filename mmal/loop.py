"""The outer loop: train, evaluate, s_test, score, select, label, and round again."""

from __future__ import annotations

import gc
from functools import cache, cached_property
from pathlib import Path

from mmengine import dist
from mmengine.runner import BaseLoop

from .analysis.curve import points, write_curve
from .artifacts import read_json, write_json
from .asking import label_round, skipped
from .chosen import describe
from .cost import cost_model
from .errors import InputError
from .farewell import farewell
from .hooks import StestHook
from .images import UnreadableList
from .inner import TrainedModel, round_cfg, train, train_loop_cfg
from .input_check import check_arguments
from .oracles import Waiting
from .pool import HOLDOUT, Pool, held_out
from .publish import publish
from .rank0 import on_rank_0
from .registry import LOOPS, ORACLES, SAMPLERS
from .report import renew
from .round import PASSES, RoundFolder
from .run_record import keep_copy, record_of
from .safe_loading import refuse_code
from .samplers import Query
from .selection import Stopped, images_paid, select, stop_after_evaluation, stop_after_scoring, write_scores
from .start import prepare
from .stopping import Stopping
from .tasks import build_data, build_task
from .work_dir_lock import unlock


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
            seconds are predicted (:mod:`mmal.cost`). The last image may overshoot. Defaults to 'image'.
        stop: When to stop before the rounds are over: keys of :class:`~mmal.stopping.Stopping`. Defaults to None.
        holdout: Share of the initial images that is labeled but never trained on: the reference set of
            ``StestHook(reference='holdout')``. Defaults to None: 0.2 if the hook asks for it, else 0.
        check_images: Decode every image of the pool once at the start, so that broken ones are left out. Defaults to
            True.
        start_from: Work_dir of another run of the same seed, pool and numbers: its initial set is taken over and, if
            the trainings agree, its first trained model. For comparisons of samplers. Defaults to None.
        on_damage: 'refuse' to go on with damaged state, or 'restore' the last that is whole (``--resume verified``).
            Defaults to 'refuse'.
        allow_config_change: Go on although settings that can change the result differ; it is noted in ``run.json``.
            Defaults to False.
        inner_type: Type of the inner training loop. Defaults to None: by epoch with max_epochs, by iteration with
            max_iters.
        **inner: Arguments of the inner training loop.

    Raises:
        InputError: If a number is not positive, the unit unknown, or the inner loop has no length.
    """

    def __init__(self, runner, dataloader, initial: int, query: int, rounds: int, sampler: dict,
                 oracle: dict | None = None, cold_start: dict | None = None, unit: str = 'image',
                 stop: dict | None = None, holdout: float | None = None,
                 check_images: bool = True, start_from: str | None = None, on_damage: str = 'refuse',
                 allow_config_change: bool = False, inner_type: str | None = None, **inner) -> None:
        super().__init__(runner, dataloader=(None, ))  # rounds build their own; the Runner only asks for a length
        check_arguments(dict(initial=initial, query=query, rounds=rounds), unit, on_damage, holdout)
        self.initial, self.query, self.rounds, self.unit, self._holdout = initial, query, rounds, unit, holdout
        self.check_images, self.start_from, self.inner = check_images, start_from, train_loop_cfg(inner, inner_type)
        self.on_damage, self.allow_config_change = on_damage, allow_config_change
        self.sampler, self.stop = self._build(SAMPLERS, sampler, 'sampler'), Stopping.of(stop)
        self.cold_start = cold_start and self._build(SAMPLERS, cold_start, 'cold_start')
        self.oracle_cfg = oracle or dict(type='mmal.SimulatedOracle')
        self.work_dir = Path(runner.work_dir)
        refuse_code(runner.cfg.get('unsafe_checkpoints', False))
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
        return build_data(self.runner.cfg)

    @cached_property
    def unreadable(self) -> UnreadableList:
        return UnreadableList(self.work_dir, self.data.image_path, self.runner.logger)

    @cached_property
    def oracle(self):
        return self._build(ORACLES, self.oracle_cfg, 'oracle', default_args=dict(data=self.data))

    @property
    def stest_hook(self) -> StestHook | None:
        """The outer Runner's, for its settings; a round's own computes."""
        return StestHook.of(self.runner)

    @property
    def holdout(self) -> int:
        """Number of the initial images that are never trained on."""
        asked = self.stest_hook is not None and self.stest_hook.reference == 'holdout'
        return held_out(self.initial, self._holdout if self._holdout is not None else HOLDOUT * asked)

    # --- the loop ---------------------------------------------------------------------------------------------------

    def run(self):
        """Run all rounds that are not done yet.

        Returns:
            The outer Runner's model, untrained; each round's is in ``round_XX/checkpoint.pth``.
        """
        gc.freeze()  # mmengine collects garbage at each dataset it builds; what is loaded by now stays, so skip it
        last_words = ''
        try:
            prepare(self)
            self.runner.model.cpu()  # it is never trained; the rounds' models need the room
            self._rounds()
        except (Stopped, Waiting) as e:
            last_words = str(e) if isinstance(e, Waiting) else f'Stopped early: {e}.'
            self._publish()
        if dist.is_main_process():
            farewell(self.work_dir, self.runner.logger, last_words)
            unlock(self.work_dir)
        return self.runner.model

    def _rounds(self) -> None:
        labeled_file = self.work_dir / 'initial.json'
        for number in range(self.rounds):
            folder = RoundFolder(self.work_dir, number)
            pool = Pool([i['id'] for i in self.data.images], self._labeled_ids(labeled_file))
            if not folder.closed:
                self._round(folder, pool, labeled_file)
            self._publish()
            labeled_file = folder.artifact('label')
            if not self._candidates(pool):
                self.runner.logger.info(f'The pool is used up after round {number}.')
                break

    def _round(self, folder: RoundFolder, pool: Pool, labeled_file: Path) -> None:
        logger = self.runner.logger
        logger.info(f'Round {folder.number}: {len(pool.labeled)} of {len(pool.ids)} images labeled.')
        if dist.is_main_process():
            keep_copy(self.work_dir, folder.path)
        cfg = round_cfg(self.runner.cfg, f'{self.runner.experiment_name}_round_{folder.number:02d}', folder.path,
                        folder.number, self.seed, self.inner)
        self.data.train_on(cfg, labeled_file)
        trained = TrainedModel(cfg, folder.artifact('train'))
        folder.run('train', lambda path: train(cfg, path), logger)
        folder.run('evaluate', lambda path: self._evaluate(trained, labeled_file, path), logger)
        on_rank_0(lambda: stop_after_evaluation(self, points(self.work_dir)[:folder.number + 1]))
        if self.sampler.needs_s_test:
            folder.run('s_test', lambda path: StestHook.of(trained.runner).compute(
                trained.runner, self.data, labeled_file, path, self.work_dir, self.sampler.solver), logger)
        query = cache(lambda: self._query(folder, pool, trained, labeled_file))
        folder.run('score', lambda path: self._score(query(), folder, path), logger)
        on_rank_0(lambda: stop_after_scoring(self.stop, folder))
        folder.run('select', lambda path: on_rank_0(lambda: select(self, folder, pool, path)), logger)
        folder.run('describe', lambda path: describe(query(), read_json(folder.artifact('select')), path, self.sampler,
                                                     self.data.classes), logger)
        folder.run('label', lambda path: on_rank_0(lambda: label_round(self, folder, labeled_file, path)), logger)
        query.cache_clear()  # or the model would stay
        trained.release()

    def record(self) -> dict:
        """What makes this run this run; see :mod:`mmal.run_record`."""
        return record_of(self.runner.cfg, self.seed, Pool([i['id'] for i in self.data.images]).digest(
            repr(sorted((str(i['id']), i['file_name']) for i in self.data.images))), len(self.data.images))

    # --- phases -----------------------------------------------------------------------------------------------------

    def _evaluate(self, trained: TrainedModel, labeled_file: Path, path: Path) -> None:
        metrics = {k: float(v) for k, v in trained.evaluate().items()}
        metrics['unreadable_images'] = len(self.unreadable)
        trained_on, held_out = (self.data.read_labeled(f) for f in (labeled_file, self.work_dir / 'holdout.json'))
        finite = {k: v for k, v in metrics.items() if v == v and abs(v) != float('inf')}
        if dist.is_main_process():
            write_json(path, dict(images=len(trained_on[0]) + len(held_out[0]),
                                  boxes=len(trained_on[1]) + len(held_out[1]), metrics=finite))

    def _query(self, folder: RoundFolder, pool: Pool, trained: TrainedModel, labeled_file: Path) -> Query:
        loader = self.runner.cfg.get('val_dataloader') or self.runner.cfg.train_dataloader
        candidates = self._candidates(pool)
        budget = min(images_paid(self, folder.number, labeled_file), len(candidates))
        return Query(folder.number, self.seed, candidates, pool.labeled, budget, folder.path,
                     folder.path / PASSES, cache(self.pool_images),
                     lambda: self.data.labeled_dataset(str(labeled_file)), cache(lambda: build_task(
                         trained.runner.model, trained.runner.cfg)), loader.get('batch_size', 1),
                     loader.get('num_workers', 0), self.runner.logger, cost_model(self.work_dir, folder.number))

    def _score(self, query: Query, folder: RoundFolder, path: Path) -> None:
        scores = self.sampler.score(query)
        on_rank_0(lambda: write_scores(self, folder, scores, path))

    # --- around them ------------------------------------------------------------------------------------------------

    def _labeled_ids(self, labeled_file: Path) -> list:
        return [i for file in (self.work_dir / 'holdout.json', labeled_file) for i in self.data.read_labeled(file)[0]]

    def _candidates(self, pool: Pool) -> list:
        passed = skipped(self.work_dir) if self.oracle.people else ()
        return [i for i in self.unreadable.without(pool.unlabeled) if not passed or str(i) not in passed]

    def pool_images(self):
        """The pool's dataset without annotations, and the row of each id in it."""
        dataset = self.data.pool_dataset(str(self.work_dir / 'pool.json'))
        return dataset, self.data.rows(dataset)

    def _publish(self) -> None:
        """Renew the curve files and give what is new to the trackers in ``vis_backends``."""
        if dist.is_main_process():
            curve = write_curve(self.work_dir, type(self.sampler).__name__)
            publish(self.runner, self.data, curve)
            renew(self.work_dir, self.data, self.runner.logger)
