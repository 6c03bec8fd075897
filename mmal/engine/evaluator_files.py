"""Whether the metrics of a config read the annotations of the images that are evaluated."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmal.adapters.dataset_config import leaves
from mmal.annotation.coco_file import image_names
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_file

if TYPE_CHECKING:
    from mmengine.config import Config

ONE_METRIC_A_DATASET = 'MultiDatasetsEvaluator'
"""Evaluator whose metrics are each for one of the datasets, in their order."""
_ONE_FILE = (
    'Predictions are compared with the boxes of the same image id: write one COCO file of all the '
    'images, each with an id of its own, and name it as ann_file of a single dataset and of the '
    'evaluator.'
)


def check_evaluator_files(cfg: Config) -> None:
    """Refuse a metric that reads another annotation file than the dataset it is given.

    mmdet would compare the predictions with boxes of other images, or end in an error after the
    first training.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If a metric's ``ann_file`` is not the dataset's, with the line to write; or, for
            several datasets, if it has not all of their images.
    """
    for name in ('val', 'test'):
        loader = cfg.get(f'{name}_dataloader')
        evaluator = cfg.get(f'{name}_evaluator')
        if loader is None or evaluator is None:
            continue
        files = [_annotation_file(leaf) for leaf in leaves(loader['dataset'])]
        for metric, own_files in _metrics(evaluator, files):
            _check_metric(name, evaluator, metric, list(dict.fromkeys(own_files)))


def _annotation_file(leaf: Mapping[str, Any]) -> str:
    """Path of a dataset's annotation file, as mmengine joins it; '' if it has none."""
    file = str(leaf.get('ann_file') or '')
    if not file or '://' in file:
        return file
    return osp.join(leaf.get('data_root') or '', file)


def _metrics(evaluator: Any, files: list[str]) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
    """The metrics of an evaluator that read a file, each with the files of its datasets."""
    if isinstance(evaluator, (list, tuple)):
        for part in evaluator:
            yield from _metrics(part, files)
    if not isinstance(evaluator, Mapping):
        return
    inner = evaluator.get('metrics') or []
    if str(evaluator.get('type')).endswith(ONE_METRIC_A_DATASET) and len(inner) == len(files):
        for metric, file in zip(inner, files, strict=True):
            yield from _metrics(metric, [file])
    else:
        yield from _metrics(inner, files)
    if evaluator.get('ann_file'):
        yield evaluator, files


def _check_metric(
    name: str, evaluator: Any, metric: Mapping[str, Any], files: Sequence[str]
) -> None:
    file = str(metric['ann_file'])
    if not _are_of_one_kind(file, files):
        # The dataset reads another format, as VOC's lists of images, and nothing can be compared.
        return
    same = [_is_same(file, dataset_file) for dataset_file in files]
    if len(files) > 1:
        if any(same):
            raise InputError(
                f'{name}_evaluator: {_type_name(metric)} reads {file}, and {name}_dataloader has '
                f'images of {len(files)} files: {", ".join(files[:3])}. Its boxes would be all '
                'that predictions are compared with. Write one COCO file of all the images, and '
                'name it as ann_file of a single dataset and of the evaluator.'
            )
        _check_images(f'{name}_evaluator: {_type_name(metric)} reads {file}', file, files)
        return
    if all(same):
        return
    line = f'{name}_evaluator = dict(ann_file={files[0]!r})'
    if metric is not evaluator:
        line = f'in {name}_evaluator: dict(type={_type_name(metric)!r}, ann_file={files[0]!r}, ...)'
    raise InputError(
        f'{name}_evaluator: {_type_name(metric)} reads {_shown(file)}, and {name}_dataloader has '
        f'the images of {_shown(files[0])}: predictions would be compared with the boxes of '
        f'another file. Write {line}.'
    )


def _check_images(reads: str, file: str, dataset_files: Sequence[str]) -> None:
    """Refuse a file of a metric for several datasets that has not all of their images.

    Predictions and boxes are brought together by the ids of images alone.

    Args:
        reads: Which metric reads the file; the beginning of error messages.
        file: Path of the file.
        dataset_files: Paths of the datasets' files. Those in a remote store are not looked at.
    """
    if not osp.exists(file) and '://' not in file:
        raise InputError(f'{reads}, which does not exist. {_ONE_FILE}')
    if not all(map(osp.isfile, [file, *dataset_files])):
        return
    known = image_names(file)
    seen: dict[Any, str] = {}
    for dataset_file in dataset_files:
        for image_id, image_name in image_names(dataset_file).items():
            shown = f'the image {image_id!r} of {dataset_file}, {image_name},'
            if image_id in seen:
                raise InputError(
                    f'{reads}, and {shown} has the id of {seen[image_id]}. {_ONE_FILE}'
                )
            seen[image_id] = f'{image_name} in {dataset_file}'
            found = known.get(image_id)
            if found is None or osp.basename(found) != osp.basename(image_name):
                there = 'is not in it' if found is None else f'is {found} there'
                raise InputError(f'{reads}, and {shown} {there}. {_ONE_FILE}')


def _shown(file: str) -> str:
    """The path, and whether nothing is there."""
    is_there = '://' in file or osp.exists(file)
    return file if is_there else f'{file} (which does not exist)'


def _are_of_one_kind(file: str, files: Sequence[str]) -> bool:
    kinds = {osp.splitext(path)[1].lower() for path in (file, *files)}
    return len(kinds) == 1 and all(files)


def _is_same(file: str, other: str) -> bool:
    """Whether two paths are of one file, or of files with the same content."""
    if file == other or osp.realpath(file) == osp.realpath(other):
        return True
    if not (osp.isfile(file) and osp.isfile(other)):
        return False
    return osp.getsize(file) == osp.getsize(other) and digest_file(file) == digest_file(other)


def _type_name(metric: Mapping[str, Any]) -> str:
    metric_type = metric.get('type')
    return str(getattr(metric_type, '__name__', metric_type))
