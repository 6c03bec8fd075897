"""One query to a model that is trained already: s_test, scores, selection, and files to label."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config

from mmal.adapters import build_data_adapter, build_listing, image_loaders
from mmal.adapters.listing import (
    LabeledImage,
    LabeledSet,
    image_files,
    shown_files,
    with_training_set,
)
from mmal.adapters.loading import first_item
from mmal.annotation.export import write_batch
from mmal.annotation.match_rules import rules_text
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_bytes, digest_file, read_checksummed, write_checksummed
from mmal.oracles.human import HumanOracle, require_files_and_classes
from mmal.pool.budget import BudgetUnit
from mmal.pool.pool import Pool
from mmal.registry import SAMPLERS
from mmal.reporting.run_page.selection import counts_text
from mmal.run.costs import cost_model
from mmal.run.image_manifest import require_pool_unchanged
from mmal.run.layout import SelectionPaths
from mmal.run.lock import lock
from mmal.run.manifest import build_manifest, differences
from mmal.run.round_state import PhaseState
from mmal.run.unreadable import UnreadableList
from mmal.utils.collect_env import collect_env

from .batches import explained_batch
from .checkpoint_models import CheckpointModel, CheckpointModels
from .cold_start import ColdStart
from .context import Round, RunContext
from .given_checkpoint import read_checkpoint
from .hooks.stest_hook import StestHook
from .phase_runner import PhaseRunner
from .phases.base import Phase
from .phases.explain import Explain
from .phases.score import Score
from .phases.select import Select
from .phases.stest import SolveStest
from .selection_data import (
    ImageSource,
    LabelSource,
    SelectionInputs,
    require_budget,
    take_over_costs,
    write_inputs,
    write_lists,
    write_reference,
)
from .settings import LoopSettings
from .stest import StestSettings, choose_parameters, open_reference_set

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter
    from mmal.samplers.base import Sampler

SELECTION_PHASES: tuple[Phase, ...] = (SolveStest(), Score(), Select(), Explain())
"""The phases of a selection. What comes before them in a round is given: the model."""

GIVEN = frozenset({'train', 'evaluate'})
"""Phases of a round that a selection does not have."""

TRAINING_KEYS = (
    'train_cfg*',
    'val_cfg*',
    'test_cfg*',
    'optim_wrapper*',
    'param_scheduler*',
    'auto_scale_lr*',
    'custom_hooks*',
    'default_hooks*',
    'val_evaluator*',
    'test_evaluator*',
    'load_from',
    'tta_*',
)
"""Config keys that are for training and evaluation alone, and change no selection."""

NAMED_REFERENCES = ('val', 'test')
"""Reference sets that a config has, by the beginning of their dataloader's name."""


@dataclass(frozen=True)
class SelectionSettings:
    """What a selection is asked.

    Attributes:
        config: What the user called the config.
        checkpoint: The file with the model's weights.
        images: The images to choose from.
        budget: What may be spent, in ``unit``.
        unit: What labels are paid in. Defaults to images.
        sampler: Config of the sampler. Defaults to ``dict(type='mmal.InfluenceSampler')``.
        stest: Arguments of :class:`~mmal.engine.hooks.stest_hook.StestHook` but the reference set.
            Defaults to those of the class.
        labeled: What is labeled already. Defaults to None: the config's training set, if it is
            needed.
        reference: The reference set: 'val' or 'test' of the config, or a file of labels. Defaults
            to 'val'.
        seed: Seed of what is drawn. Defaults to 0.
    """

    config: str
    checkpoint: Path
    images: ImageSource
    budget: int
    unit: BudgetUnit = BudgetUnit.IMAGE
    sampler: dict[str, Any] = field(default_factory=lambda: dict(type='mmal.InfluenceSampler'))
    stest: dict[str, Any] = field(default_factory=dict)
    labeled: LabelSource | None = None
    reference: str | LabelSource = 'val'
    seed: int = 0


class Selection:
    """One query to a given model, in a folder of its own. Every process of a group makes one.

    Args:
        cfg: The whole config of the model. It needs no key of mmal, and is not changed.
        settings: What is asked.
        folder: Folder of the selection.
        log: Receives progress.

    Attributes:
        paths: Files of the selection.

    Raises:
        InputError: If the sampler, its arguments or those for s_test cannot work.
    """

    def __init__(self, cfg: Config, settings: SelectionSettings, folder: Path, log: Logger) -> None:
        self.paths = SelectionPaths(folder)
        self._cfg = copy.deepcopy(cfg)
        # A config that was dumped by a training names the folder of that.
        self._cfg.work_dir = str(folder)
        self._settings = settings
        self._log = log
        self._sampler = _build_sampler(settings.sampler)
        self._stest: StestSettings | None = None
        if self._sampler.needs_s_test:
            _require_reference(cfg, settings)
            self._stest = _stest_settings(settings.stest).with_solver(self._sampler.solver)
        checkpoint = read_checkpoint(settings.checkpoint)
        self._listing = build_listing(cfg, checkpoint.classes or ())
        loop = (cfg.get('train_cfg') or {}).get('type')
        if str(loop).endswith('ActiveLoop'):
            log.info(
                f'{settings.config} is of an active-learning run: its train_cfg and its StestHook '
                'are passed over here. --sampler and --stest say how images are scored.'
            )
        self._model = CheckpointModel(cfg, checkpoint, self._listing.classes, settings.seed)

    def run(self) -> RunContext:
        """Do what is not done yet, and write the files for labeling tools.

        Returns:
            What the phases worked with.

        Raises:
            InputError: If something cannot work, or the folder holds another selection.
            FloatingPointError: If losses or influences are not finite.
        """
        run, _ = self.open()
        round_ = self._round(run)
        PhaseRunner(SELECTION_PHASES).run(run, round_)
        run_on_rank_zero(lambda: _write_batch(run, round_))
        round_.model.release()
        return run

    def open(self) -> tuple[RunContext, SelectionInputs]:
        """Check all that can be checked before hours are spent, and open the folder.

        Returns:
            What the phases work with, and what the selection is made from.

        Raises:
            InputError: If something cannot work, or the folder holds another selection.
        """
        if self._settings.unit is BudgetUnit.IMAGE:
            images = self._settings.images
            require_budget(self._settings.budget, len(images.names), f'in {images.shown}')
        self._model.adapter()
        inputs = run_on_rank_zero(self._open_folder)
        self._listing.classes = tuple(inputs.classes)
        run = self._context(inputs)
        self._check(run)
        run_on_rank_zero(lambda: self._record(run, inputs))
        sources = '; '.join(f'{key}: {source}' for key, source in inputs.sources.items())
        self._log.info(f'{counts_text(inputs.counts)} From {sources}.')
        return run, inputs

    # --- the folder -------------------------------------------------------------------------------

    def _open_folder(self) -> SelectionInputs:
        """Lock the folder, and read what it was made from, or write that."""
        lock(self.paths.folder, self._log.info)
        if self.paths.manifest.exists():
            content = read_checksummed(self.paths.manifest)
            inputs = SelectionInputs(**content.pop('inputs'))
            self._require_same(content)
            return inputs
        return self._write_inputs()

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        settings = self._settings
        images = settings.images
        cfg = copy.deepcopy(self._cfg)
        cfg.selection = dict(
            checkpoint=digest_file(settings.checkpoint),
            budget=settings.budget,
            unit=str(settings.unit),
            sampler=settings.sampler,
        )
        if self._stest is not None:
            cfg.selection.update(stest=settings.stest, reference=_shown(settings.reference))
        if settings.labeled is not None:
            cfg.selection.labeled = _shown(settings.labeled)
        names = '\n'.join([images.root, *images.names])
        digest = digest_bytes(names.encode(errors='surrogateescape'))
        return dict(build_manifest(cfg, settings.seed, digest, len(images.names), TRAINING_KEYS))

    def _require_same(self, old: Any) -> None:
        lines = differences(old, self._manifest)  # type: ignore[arg-type]
        if lines:
            shown = '\n'.join(lines)
            raise InputError(
                f'{self.paths.folder} holds another selection:\n{shown}\n'
                'Take another --out, or set these back to go on with that one.'
            )

    def _write_inputs(self) -> SelectionInputs:
        settings = self._settings
        labeled = self._labeled_set()
        sources = dict(
            model=f'{settings.checkpoint}, by {settings.config}',
            images=settings.images.root,
        )
        if labeled.images:
            sources['labeled'] = labeled.name
        if self._stest is not None:
            sources['reference'] = self._prepare_reference(labeled)
        counts = write_inputs(
            self.paths,
            settings.images,
            labeled,
            self._evaluation_files(),
            self._listing,
            self._has_boxes,
            settings.budget if settings.unit is BudgetUnit.IMAGE else None,
            image_loaders(self._cfg),
            self._log,
        )
        UnreadableList(self.paths.run.unreadable, str, self._log).write({})
        take_over_costs(self.paths, None if settings.labeled is None else settings.labeled.file)
        return SelectionInputs(settings.images.root, list(self._listing.classes), counts, sources)

    @property
    def _has_boxes(self) -> bool:
        return bool(self._cfg.default_scope == 'mmdet')

    def _labeled_set(self) -> LabeledSet:
        """What is labeled, as far as it is named or needed."""
        named = self._settings.labeled
        if named is not None:
            name = str(named.file)
            labeled = self._listing.labeled_file(named.file, named.folder, named.match)
        elif self._stest is None or self._stest.solver.samples_needed == 0:
            self._log.warning(
                'Without --labeled it is not known which images are labeled already: they, and '
                'copies of them, may be selected.'
            )
            return LabeledSet('nothing')
        else:
            labeled = self._listing.training_set()
            files = shown_files(self._cfg.train_dataloader)
            name = f'training set of {self._settings.config} ({files})'
        if not any(image.labels for image in labeled.images):
            raise InputError(
                f'The {name} has no label at all. Name a file of what is labeled by --labeled.'
            )
        self._tell(labeled.notes)
        return LabeledSet(name, self._without_repeats(labeled.images), labeled.categories)

    def _without_repeats(self, images: Sequence[LabeledImage]) -> list[LabeledImage]:
        """Each image once. Two annotation files may have boxes of the same one."""
        by_path: dict[str, LabeledImage] = {}
        for image in images:
            known = by_path.get(image.path)
            if known is not None and self._has_boxes:
                image = replace(known, labels=[*known.labels, *image.labels])
            by_path[image.path] = image
        return list(by_path.values())

    def _prepare_reference(self, labeled: LabeledSet) -> str:
        """Check the reference set before images are opened, and write it if it came as a file."""
        named = self._settings.reference
        if isinstance(named, LabelSource):
            reference = self._listing.labeled_file(named.file, named.folder, named.match)
            if not any(image.labels for image in reference.images):
                raise InputError(
                    f'--reference {named.file} has no annotation at all. Give a file with labels.'
                )
            self._tell(reference.notes)
            write_reference(self.paths, reference, self._listing)
            return str(named.file)
        if labeled.images:
            # Opening all images may take an hour: with one, the config's own set can be tried.
            one = LabeledSet(labeled.name, labeled.images[:1], labeled.categories)
            write_lists(self.paths, self._listing.contents(one, [], self._settings.images.root))
            data = build_data_adapter(self._data_cfg(self._settings.images.root))
            data.check_dataset(data.reference_dataset(self._reference_cfg()), 'reference set')
        files = shown_files(self._cfg[f'{named}_dataloader'])
        return f'{named} set of {self._settings.config} ({files})'

    def _evaluation_files(self) -> dict[str, list[str]]:
        """Image files of the reference set and of the config's sets to evaluate with.

        A set that this selection does not need, and that cannot be read, is not compared.
        """
        files = {}
        named = self._settings.reference
        if self._stest is not None and isinstance(named, LabelSource):
            reference = self._listing.labeled_file(named.file, named.folder, named.match)
            files['reference set'] = [image.path for image in reference.images]
        for name in NAMED_REFERENCES:
            loader = self._cfg.get(f'{name}_dataloader')
            if not loader:
                continue
            try:
                files[f'{name} set'] = image_files(self._cfg, loader['dataset'])
            except (InputError, FileNotFoundError) as e:
                self._log.warning(
                    f'Whether any of the images is in the {name} set is not known, because that '
                    f'cannot be read: {e}'
                )
        return files

    def _record(self, run: RunContext, inputs: SelectionInputs) -> None:
        """Write the manifest, or check what it says of the images."""
        if not self.paths.manifest.exists():
            content = dict(self._manifest, environment=collect_env(), inputs=asdict(inputs))
            self._data_cfg(inputs.root).dump(str(self.paths.config))
            # The manifest comes last: with it the folder is whole.
            write_checksummed(self.paths.manifest, content)
            return
        files = {str(image_id): run.data.image_path(image_id) for image_id in run.pool_ids}
        require_pool_unchanged(self.paths.folder, files)
        damaged = PhaseState(self.paths).find_corruption()
        if damaged:
            raise InputError(
                f'{self.paths.folder}: {"; ".join(damaged.values())}. Take another --out to select '
                'anew.'
            )

    # --- the query --------------------------------------------------------------------------------

    def _data_cfg(self, root: str) -> Config:
        """The config whose training set is the pool, with the images below a folder."""
        file = self.paths.run.pool
        if self.paths.image_list.exists():
            file = self.paths.image_list
        return with_training_set(self._cfg, self._listing.dataset_cfg(file, root))

    def _context(self, inputs: SelectionInputs) -> RunContext:
        settings = self._settings
        cfg = self._data_cfg(inputs.root)
        data: DataAdapter = build_data_adapter(cfg)
        require_files_and_classes(data)
        paths = self.paths.run
        unreadable = UnreadableList(paths.unreadable, data.image_path, self._log)
        if self._stest is not None:
            self._stest.reference = self._reference_cfg()
        return RunContext(
            settings=LoopSettings(
                initial=inputs.counts['labeled'],
                query=settings.budget,
                rounds=1,
                unit=settings.unit,
                seed=settings.seed,
            ),
            paths=paths,
            cfg=cfg,
            data=data,
            sampler=self._sampler,
            oracle=HumanOracle(data),
            models=CheckpointModels(cfg, self._model),
            stest=self._stest,
            cold_start=ColdStart(),
            unreadable=unreadable,
            log=self._log,
        )

    def _reference_cfg(self) -> str | dict[str, Any]:
        reference = self._settings.reference
        if isinstance(reference, LabelSource):
            return self._listing.dataset_cfg(self.paths.reference, str(self.paths.folder))
        dataset: dict[str, Any] = self._cfg[f'{reference}_dataloader'].dataset
        return dataset

    def _round(self, run: RunContext) -> Round:
        labeled_ids, _ = run.data.read_labeled(self.paths.labeled_before)
        return Round(
            state=PhaseState(self.paths),
            labeled_file=self.paths.labeled_before,
            pool=Pool(run.pool_ids, labeled_ids),
            model=self._model,
            open_pool=cache(run.open_pool),
            given=GIVEN,
        )

    def _check(self, run: RunContext) -> None:
        """Refuse what would fail later."""
        if self._settings.unit is BudgetUnit.BOX and not run.data.has_boxes:
            raise InputError('--unit box is for detectors; count in images here.')
        if self._settings.unit is BudgetUnit.SECOND:
            self._require_labeling_time()
        adapter = self._model.adapter()
        images = self._settings.budget if self._settings.unit is BudgetUnit.IMAGE else 1
        run.sampler.check(run.data, images, adapter.model)
        if self._stest is None:
            return
        reference = open_reference_set(self._stest.reference, run.data, None, None)
        self._tell(run.data.check_dataset(reference, 'reference set'))
        choose_parameters(self._stest, adapter, [first_item(reference, 'reference set')])

    def _tell(self, notes: Sequence[str]) -> None:
        for note in notes:
            self._log.warning(f'{note}.')

    def _require_labeling_time(self) -> None:
        if cost_model(self.paths.folder, 0).seconds(None) is not None:
            return
        raise InputError(
            '--unit second: no labeling time is known. Give the labeled.json of an earlier '
            "selection by --labeled, whose labels came with their time (Label Studio's JSON "
            'export, or a CSV column `seconds`), or count in images or boxes.'
        )


def _build_sampler(cfg: dict[str, Any]) -> Sampler:
    try:
        sampler: Sampler = SAMPLERS.build(cfg)
        return sampler
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f'--sampler: {e.args[0] if e.args else e}') from None


def _stest_settings(arguments: dict[str, Any]) -> StestSettings:
    if 'reference' in arguments:
        raise InputError('--stest: the reference set is named by --reference.')
    try:
        return StestHook(**arguments).settings
    except TypeError as e:
        raise InputError(f'--stest: {e}') from None


def _require_reference(cfg: Config, settings: SelectionSettings) -> None:
    """Refuse a sampler that needs a reference set where there is none."""
    reference = settings.reference
    if isinstance(reference, LabelSource) or cfg.get(f'{reference}_dataloader'):
        return
    raise InputError(
        f'{settings.sampler["type"]} needs a reference set, labeled images whose loss is to fall, '
        f'but {settings.config} has no {reference}_dataloader. Name a file of labels by '
        '--reference, or take a sampler that needs none, e.g. --sampler mmal.EntropySampler.'
    )


def _shown(source: str | LabelSource) -> str:
    """What identifies a set of labels: its name, or the checksum of its file with the
    rules for its names.
    """
    if isinstance(source, LabelSource):
        rules = rules_text(source.match)
        return f'{digest_file(source.file)}, {rules}' if rules else digest_file(source.file)
    return source


def _write_batch(run: RunContext, round_: Round) -> None:
    write_batch(explained_batch(run.data, round_.state), round_.state.paths.folder)
