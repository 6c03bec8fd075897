"""Whatever keeps mmdet from reading a VOC set is said by file, before mmdet reads it, with what to do."""

import re

import pytest
from mmdet.utils import register_all_modules
from mmengine.config import Config

from mmal.adapters.detection.data import DetectionDataAdapter
from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from tests.conftest import make_voc

FIRST, LAST = '2008_000000', '2008_000003'


@pytest.fixture
def root(tmp_path):
    return make_voc(tmp_path / 'voc') / 'VOC2012'


@pytest.fixture
def cfg(root, make_cfg):
    """The tiny run on a VOC set, evaluated on its part ``val``."""
    register_all_modules(init_default_scope=True)
    cfg = make_cfg(sampler=dict(type='mmal.RandomSampler'), initial=2, query=1)
    cfg.custom_hooks = []
    for name in ('train', 'val', 'test'):
        part = 'train' if name == 'train' else 'val'
        cfg[f'{name}_dataloader'].dataset = Config(dict(
            type='VOCDataset', data_root=f'{root}/', data_prefix=dict(sub_data_root=''), pipeline=[
                dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
                dict(type='PackDetInputs')],
            ann_file=f'ImageSets/Main/{part}.txt', metainfo=dict(classes=('cat', 'dog'))))._cfg_dict
    cfg.val_evaluator = cfg.test_evaluator = dict(type='VOCMetric')
    return cfg


def refusal(cfg):
    with pytest.raises(InputError) as raised:
        DetectionDataAdapter(cfg)
    return str(raised.value)


def edit(root, *changes, name=FIRST):
    path = root / 'Annotations' / f'{name}.xml'
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


BROKEN = {
    'half a file': (('</annotation>', ''), 'no valid XML (no element found: line 1'),
    'an ampersand': (('<name>cat', '<name>cat & mouse'), 'no valid XML (not well-formed'),
    'no name': (('<name>cat</name>', ''), 'an <object> has no <name>'),
    'blanks around a name': (('<name>cat<', '<name> cat <'), "an object is called ' cat ', with blanks around 'cat'"),
    'another case': (('<name>cat<', '<name>Cat<'), "an object is called 'Cat', and the class 'cat'"),
    'no box': (('bndbox', 'robndbox'), "an <object> of 'cat' has no <bndbox>, but <robndbox>"),
    'a text': (('<ymin>3<', '<ymin>three<'), "a <bndbox> of 'cat' has ymin 'three'; expected a number of pixels"),
    'an empty corner': (('<ymin>3<', '<ymin><'), "a <bndbox> of 'cat' has ymin ''; expected"),
    'no corner': (('<ymin>3</ymin>', ''), "a <bndbox> of 'cat' has ymin None; expected"),
    'no number': (('<ymin>3<', '<ymin>nan<'), "a <bndbox> of 'cat' has ymin 'nan'; expected"),
    'a size of 0': (('<width>60', '<width>0'),
                    "<size> has width '0'; expected a whole number of pixels above 0. Remove <size>"),
    'a size with decimals': (('<width>60', '<width>60.0'), "<size> has width '60.0'; expected a whole number"),
    'a size without height': (('<height>40</height>', ''), '<size> has height None'),
    'an encoding nobody knows': (('<annotation>', '<?xml version="1.0" encoding="no-such"?><annotation>'),
                                 'no text in its encoding (unknown encoding: no-such). Save it as UTF-8'),
    'an encoding of several bytes': (('<annotation>', '<?xml version="1.0" encoding="gb2312"?><annotation>'),
                                     'no text in its encoding (multi-byte encodings are not supported). Save it'),
    'a difficulty in words': (('<difficult>0', '<difficult>Unspecified'), "<difficult> is 'Unspecified'; expected 0"),
}


@pytest.mark.parametrize('case', BROKEN)
def test_a_broken_annotation_file_is_named_with_what_is_wrong(root, cfg, case):
    change, message = BROKEN[case]
    edit(root, change)
    assert f'{FIRST}.xml: {message}' in refusal(cfg)


@pytest.mark.parametrize('case', ['half a file', 'a text', 'a size of 0', 'no box'])
def test_a_dry_run_names_a_broken_file_of_the_evaluation_set(root, cfg, case):
    change, message = BROKEN[case]
    text, problems = dry_run(cfg)
    assert not problems
    edit(root, change, name='2008_000005')
    text, problems = dry_run(cfg)
    assert len(problems) == 1
    assert f'2008_000005.xml: {message}' in problems[0]
    assert 'complete' not in text


def test_files_with_the_same_fault_are_counted_and_the_first_three_named(root, cfg):
    for n in range(4):
        edit(root, ('<ymin>3<', '<ymin><'), name=f'2008_00000{n}')
    text = refusal(cfg)
    assert text.count('2008_') == 3
    assert f'{LAST}.xml' not in text
    assert "2008_000002.xml and 1 more (4 of 4 files): a <bndbox> of 'cat' has ymin ''" in text


@pytest.mark.parametrize('change', [
    ('<ymin>3<', '<ymin> 3.7 <'), ('<difficult>0</difficult>', ''),
    ('<size><width>60</width><height>40</height></size>', ''),
    ('<difficult>0', '<pose>Unspecified</pose><difficult>0')])
def test_what_mmdet_reads_is_read(root, cfg, change):
    edit(root, change)
    assert len(DetectionDataAdapter(cfg).ground_truth([FIRST])) == 2


def test_a_file_without_an_object_is_an_image_without_a_box(root, cfg):
    (root / 'Annotations' / f'{FIRST}.xml').write_text(
        '<annotation><size><width>60</width><height>40</height></size></annotation>')
    data = DetectionDataAdapter(cfg)
    assert len(data.images) == 4
    assert data.ground_truth([FIRST]) == []


LISTS = {
    'a blank line': ('{0}\n\n{1}\n', 'train.txt: line 2 is blank'),
    'blank lines at the end': ('{0}\n{1}\n\n', 'train.txt: line 3 is blank'),
    'suffixes': ('{0}.jpg\n{1}.jpg\n', f'2 of 2 ids have a suffix ({FIRST}.jpg, 2008_000001.jpg). mmdet adds .jpg'),
    'annotation files': ('{0}.xml\n{1}.xml\n', '2 of 2 ids have a suffix'),
    'a list of one class': ('{0}  1\n{1} -1\n', f'more than ids ({FIRST}  1, 2008_000001 -1), as lists of one class'),
    'blanks': ('{0} \n{1}\n', f"1 of 2 ids have blanks around them ('{FIRST} ')"),
    'an id twice': ('{0}\n{1}\n{0}\n', f'train.txt: 1 of its ids stand there more than once ({FIRST}). Name'),
    'ids without a file': ('{0}\nno\nnone\n', 'train.txt: 2 of 3 ids have no file'),
}


@pytest.mark.parametrize('case', LISTS)
def test_a_list_that_is_not_of_ids_is_refused_with_the_cure(root, cfg, case):
    lines, message = LISTS[case]
    (root / 'ImageSets/Main/train.txt').write_text(lines.format(FIRST, '2008_000001'))
    assert message in refusal(cfg)


def test_line_ends_of_windows_are_read(root, cfg):
    (root / 'ImageSets/Main/train.txt').write_bytes(f'{FIRST}\r\n{LAST}\r\n'.encode())
    assert [image['id'] for image in DetectionDataAdapter(cfg).images] == [FIRST, LAST]


@pytest.mark.parametrize('suffix', ['.png', '.jpeg', '.JPG'])
def test_images_that_are_no_jpg_files_are_told_of_with_a_command_that_helps(root, cfg, suffix):
    import subprocess
    for path in (root / 'JPEGImages').glob('*.jpg'):
        path.rename(path.with_suffix(suffix))
    text = refusal(cfg)
    assert f'4 of 4 images are no .jpg files ({FIRST}{suffix}, ' in text
    assert "mmdet's VOCDataset reads ID.jpg only" in text
    command = re.search(r'content: (cd .*; done)\.', text).group(1)
    subprocess.run(['bash', '-c', command], check=True)
    assert DetectionDataAdapter(cfg).missing_files() == []
    assert dry_run(cfg)[1] == []


def test_a_training_set_without_class_names_is_told_the_line(make_cfg, cfg):
    coco = make_cfg()
    coco.train_dataloader.dataset.pop('metainfo')
    text = refusal(coco)
    assert 'has no metainfo.classes, so that it takes the 80 classes of CocoDataset (person, bicycle, car, ...)' in text
    assert "train.json has 2: disc, square. Write metainfo=dict(classes=('disc', 'square'))" in text
    cfg.train_dataloader.dataset.metainfo = dict(classes='cat')
    assert "Write metainfo=dict(classes=('cat',)), with the comma" in refusal(cfg)
    cfg.train_dataloader.dataset.type = 'XMLDataset'
    cfg.train_dataloader.dataset.pop('metainfo')
    assert 'its XMLDataset has no metainfo.classes' in refusal(cfg)
