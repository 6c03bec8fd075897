"""The same names mean the same images wherever names are read."""

from types import SimpleNamespace

import pytest

from mmal.adapters.listing import LabeledImage, LabeledSet, with_found_files
from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.match_rules import parse_rules
from mmal.annotation.matching import ImageFinder, ImageNotFoundError
from mmal.annotation.parsed import ParsedImage
from mmal.engine.label_matching import PoolImages
from mmal.errors import InputError
from mmal.project.image_source import find_images
from mmal.project.labeled_images import read_labeled_images

IMAGES = ('a/1.jpg', 'b/1.jpg', 'b/ü 2.jpg', 'c.png')
DIGEST = 'f588881eb2c2829187797d304e3a941d'
NAMES = {
    'the same': ('b/1.jpg', None, 'b/1.jpg'),
    'backslash': ('b\\1.jpg', None, 'b/1.jpg'),
    'Unicode': ('b/u\u0308 2.jpg', None, 'b/ü 2.jpg'),
    'no folder': ('ü 2.jpg', None, 'b/ü 2.jpg'),
    'no folder, two images': ('1.jpg', None, None),
    'prefix without rule': ('x/c.png', None, None),
    'prefix': ('x/c.png', 'suffix', 'c.png'),
    'another machine': ('/home/ann/b/1.jpg', 'suffix', 'b/1.jpg'),
    'Windows': ('C:\\x\\b\\1.jpg', 'suffix', 'b/1.jpg'),
    'two of a basename': ('x/1.jpg', 'basename', None),
    'basename': ('x/c.png', 'basename', 'c.png'),
    'case': ('C.PNG', 'case', 'c.png'),
    'stem': ('c.jpg', 'stem', 'c.png'),
    'Label Studio': ('images/3f2a9c10-c.png', 'label-studio', 'c.png'),
    'Roboflow': (f'c_png.rf.{DIGEST}.jpg', 'roboflow', 'c.png'),
    'none': ('nothing.jpg', 'suffix,case,stem,label-studio,roboflow,basename', None),
}


def in_a_batch(root, name, rules):
    batch = Batch('b', ['x'], [], str(root), [BatchImage(n, image, n) for n, image in enumerate(IMAGES)])
    parsed = ParsedImage(None, name, 'images[0]')
    try:
        return ImageFinder(batch, [parsed], rules).find(parsed).file_name
    except ImageNotFoundError:
        return None


def in_a_pool(root, name, rules):
    data = SimpleNamespace(images=[dict(id=image) for image in IMAGES], is_local=True,
                           file_info=lambda image: dict(file_name=image), image_path=lambda image: str(root / image))
    matches = PoolImages(data).match([ParsedImage(None, name, 'images[0]')], [str(root)], rules)
    assert bool(matches.images) != bool(matches.problems)
    return next(iter(matches.images), None)


def in_a_new_project(root, name, rules):
    file = root.parent / 'labels.csv'
    file.write_text(f'file_name,label\n{name},x\n')
    try:
        return next(iter(read_labeled_images(str(file), [str(root)], '--labeled-images', False, [], rules).images))
    except InputError:
        return None


def in_a_list_of_images(root, name, rules):
    file = root.parent / 'list.txt'
    file.write_text(f'{name}\n')
    try:
        found = find_images(file, root, rules)
    except InputError:
        return None
    return str((root.__class__(found.root) / found.names[0]).relative_to(root))


def in_a_selection(root, name, rules):
    labeled = LabeledSet('file', [LabeledImage(1, str(root / name), [])])
    try:
        found = with_found_files(labeled, [name], str(root), rules)
    except InputError:
        return None
    return str(root.__class__(found.images[0].path).relative_to(root))


@pytest.mark.parametrize('find', [in_a_batch, in_a_pool, in_a_new_project, in_a_list_of_images, in_a_selection])
@pytest.mark.parametrize('case', NAMES)
def test_a_name_means_the_same_image_everywhere(tmp_path, find, case):
    name, rules, image = NAMES[case]
    root = tmp_path / 'pictures'
    for other in IMAGES:
        (root / other).parent.mkdir(parents=True, exist_ok=True)
        (root / other).write_bytes(other.encode())
    assert find(root, name, parse_rules(rules, '--match')) == image


def test_what_a_selection_lacks_is_refused_with_the_line_that_takes_it(tmp_path):
    (tmp_path / 'c.png').write_bytes(b'')
    labeled = LabeledSet('train.json', [LabeledImage(1, str(tmp_path / 'x/c.png'), [])])
    with pytest.raises(InputError, match="1 of 1 labeled images of the train.json do not exist in .*'x/c.png'; the "
                                         "nearest is 'c.png': folder x stands before it.*`--match suffix` takes it"):
        with_found_files(labeled, ['x/c.png'], str(tmp_path))
    found = with_found_files(labeled, ['x/c.png'], str(tmp_path), parse_rules('suffix', '--match'))
    assert found.notes == ["1 name taken by the rule suffix ('x/c.png' is 'c.png')"]
