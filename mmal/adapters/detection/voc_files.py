"""What keeps mmdet from reading a VOC dataset, said by file and with what to do."""

from __future__ import annotations

import math
import os.path as osp
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from mmengine.fileio import list_from_file

from mmal.errors import InputError, MissingFileError

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.gif', '.tif', '.tiff', '.webp')
CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


class _FileFaultError(Exception):
    """A file that mmdet cannot read. The text says what was found and what to do."""


def check_voc_files(dataset: Any, classes: Sequence[str]) -> None:
    """Refuse a VOC dataset whose files mmdet cannot read, or would read as something else.

    Files that are not on a local file system are not looked at, and a list of ids that does not
    exist is left to whoever opens it.

    Args:
        dataset: An mmdet XMLDataset, built with ``lazy_init``.
        classes: Class names of the config.

    Raises:
        InputError: If the list has lines that are no ids, or an id twice; an annotation file is
            missing or broken; an object's name is no class; or images have another suffix than
            ``.jpg``.
    """
    if not osp.isfile(dataset.ann_file):
        return
    ids = list_from_file(dataset.ann_file)
    _check_ids(dataset.ann_file, ids)
    _check_unique(dataset.ann_file, ids)
    folder = osp.join(dataset.sub_data_root, dataset.ann_subdir)
    _check_there(dataset.ann_file, folder, ids)
    faults: dict[str, list[str]] = {}
    for image_id in ids:
        path = osp.join(folder, f'{image_id}.xml')
        for fault in _faults_of_file(path, classes):
            faults.setdefault(fault, []).append(path)
    if faults:
        sentences = [_sentence(fault, paths, len(ids)) for fault, paths in faults.items()]
        raise InputError('\n'.join(sentences))
    _check_images(dataset, ids)


def _first(names: Sequence[str]) -> str:
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(names[:3]) + more


def _sentence(fault: str, paths: Sequence[str], n_files: int) -> str:
    count = '' if len(paths) == 1 else f' ({len(paths)} of {n_files} files)'
    return f'{_first(paths)}{count}: {fault}'


def _check_ids(path: str, ids: Sequence[str]) -> None:
    """Refuse a list whose lines are not the names of files without their suffix."""
    blank = [f'line {n}' for n, line in enumerate(ids, start=1) if not line.strip()]
    if blank:
        raise InputError(
            f'{path}: {_first(blank)} is blank; expected the id of an image in each. Remove blank '
            'lines.'
        )
    suffixed = [line for line in ids if line.strip().lower().endswith((*IMAGE_SUFFIXES, '.xml'))]
    if suffixed:
        raise InputError(
            f'{path}: {len(suffixed)} of {len(ids)} ids have a suffix ({_first(suffixed)}). mmdet '
            'adds .jpg and .xml itself: take the suffixes out, as with '
            f"sed -E 's/\\.[A-Za-z]+\\r?$//' {path} > ids.txt, and name that file in ann_file."
        )
    of_one_class = [line for line in ids if re.fullmatch(r'\S+\s+-?[01]', line.strip())]
    if of_one_class:
        raise InputError(
            f'{path}: its lines are more than ids ({_first(of_one_class)}), as lists of one class '
            'are. Name the list of all images in ann_file, as ImageSets/Main/train.txt.'
        )
    spaced = [repr(line) for line in ids if line != line.strip()]
    if spaced:
        raise InputError(
            f'{path}: {len(spaced)} of {len(ids)} ids have blanks around them ({_first(spaced)}). '
            'Remove these.'
        )


def _check_unique(path: str, ids: Sequence[str]) -> None:
    """Refuse ids that stand there twice: such an image would count twice."""
    repeated = [image_id for image_id, n in Counter(ids).items() if n > 1]
    if repeated:
        raise InputError(
            f'{path}: {len(repeated)} of its ids stand there more than once ({_first(repeated)}). '
            'Name each image once.'
        )


def _check_there(list_path: str, folder: str, ids: Sequence[str]) -> None:
    """Refuse ids without an annotation file."""
    missing = [i for i in ids if not osp.isfile(osp.join(folder, f'{i}.xml'))]
    if missing:
        raise MissingFileError(
            f'{list_path}: {len(missing)} of {len(ids)} ids have no file {folder}/ID.xml '
            f'({_first(missing)}). Take them out of the list, or correct data_prefix.sub_data_root '
            'and ann_subdir of the dataset. An image without an object needs a file, too.'
        )


def _faults_of_file(path: str, classes: Sequence[str]) -> Iterator[str]:
    """What is wrong with an annotation file, each with its cure."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as e:
        yield f'no valid XML ({e}). Export it again, or take its id out of the list.'
        return
    except (LookupError, ValueError) as e:
        # An encoding that is unknown, that the parser does not have, or in which it is no text.
        yield f'no text in its encoding ({e}). Save it as UTF-8.'
        return
    try:
        _check_size(root)
        for node in root.findall('object'):
            _check_object(node, classes)
    except _FileFaultError as e:
        yield str(e)


def _check_size(root: ElementTree.Element) -> None:
    size = root.find('size')
    if size is None:
        # mmdet opens the image.
        return
    for side in ('width', 'height'):
        text = size.findtext(side)
        try:
            pixels = int(text or '')
        except ValueError:
            pixels = 0
        if pixels <= 0:
            raise _FileFaultError(
                f'<size> has {side} {text!r}; expected a whole number of pixels above 0. Remove '
                '<size>, and mmdet takes that of the image.'
            )


def _check_object(node: ElementTree.Element, classes: Sequence[str]) -> None:
    name = node.findtext('name')
    if name is None:
        raise _FileFaultError('an <object> has no <name>. Give it the name of its class.')
    if name not in classes:
        _refuse_name(name, classes)
    difficult = node.findtext('difficult')
    if difficult is not None and not difficult.strip().lstrip('-').isdigit():
        raise _FileFaultError(f'<difficult> is {difficult!r}; expected 0 or 1.')
    box = node.find('bndbox')
    if box is None:
        others = [child.tag for child in node if child.tag in ('polygon', 'robndbox', 'mask')]
        found = f', but <{others[0]}>' if others else ''
        raise _FileFaultError(
            f'an <object> of {name!r} has no <bndbox>{found}. Export boxes with sides along the '
            "image's, or remove the object."
        )
    for corner in CORNERS:
        text = box.findtext(corner)
        try:
            value = float(text or '')
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise _FileFaultError(
                f'a <bndbox> of {name!r} has {corner} {text!r}; expected a number of pixels.'
            )


def _refuse_name(name: str, classes: Sequence[str]) -> None:
    if name.strip() in classes:
        raise _FileFaultError(
            f'an object is called {name!r}, with blanks around {name.strip()!r}. mmdet would pass '
            'over it: remove them.'
        )
    alike = [known for known in classes if known.lower() == name.strip().lower()]
    if alike:
        raise _FileFaultError(
            f'an object is called {name!r}, and the class {alike[0]!r}. mmdet would pass over it: '
            'write both alike.'
        )
    raise _FileFaultError(
        f'it has boxes of {name!r}, which the config lacks. Its classes are {", ".join(classes)}. '
        'Add the missing ones to metainfo.classes of every dataset and raise num_classes, or take '
        'those boxes out of the file.'
    )


def _check_images(dataset: Any, ids: Sequence[str]) -> None:
    """Refuse images that lie where mmdet looks, but with another suffix."""
    folder = osp.join(dataset.sub_data_root, dataset.img_subdir)
    otherwise = []
    for image_id in ids:
        path = osp.join(folder, image_id)
        if osp.exists(f'{path}.jpg'):
            continue
        for suffix in IMAGE_SUFFIXES:
            found = [path + s for s in (suffix, suffix.upper()) if osp.exists(path + s)]
            if found:
                otherwise.append(osp.basename(found[0]))
                break
    if otherwise:
        suffix = osp.splitext(otherwise[0])[1]
        raise InputError(
            f'{folder}: {len(otherwise)} of {len(ids)} images are no .jpg files '
            f"({_first(otherwise)}), and mmdet's {type(dataset).__name__} reads ID.jpg only. Link "
            'them under that name; what they hold is told by their content: '
            f'cd {folder} && for f in *{suffix}; do ln -s "$f" "${{f%{suffix}}}.jpg"; done. '
            'Or convert the annotations to a COCO file and take a CocoDataset.'
        )
