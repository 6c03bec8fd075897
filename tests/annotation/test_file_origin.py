"""A file that is no file of labels of ours is called by its name, and the message says what to export."""

import io
import json
import zipfile

import pytest

from mmal.annotation.reader import parse_labels, unpack
from mmal.errors import InputError
from mmal.project.image_source import find_images

LABELME = dict(version='5.4.1', flags={}, imagePath='a.jpg', imageData=None, imageHeight=480, imageWidth=640, shapes=[
    dict(label='cat', points=[[10.0, 10.0], [50.0, 60.0]], group_id=None, shape_type='rectangle', flags={})])
VIA_IMAGE = dict(filename='a.jpg', size=1234, file_attributes={}, regions=[dict(
    shape_attributes=dict(name='rect', x=10, y=10, width=40, height=50), region_attributes=dict(class_='cat'))])
SUPERVISELY = dict(description='', tags=[], size=dict(height=480, width=640), objects=[dict(
    id=1, classId=2, geometryType='rectangle', classTitle='cat', points=dict(exterior=[[1, 2], [30, 40]],
     interior=[]))])
LABEL_STUDIO_SHORT = dict(image='/data/upload/1/a.jpg', id=1, label=[dict(
    x=1.0, y=2.0, width=3.0, height=4.0, rotation=0, rectanglelabels=['cat'], original_width=640, original_height=480)],
    annotator=1, annotation_id=3, created_at='2026-01-01', updated_at='2026-01-01', lead_time=3.1)
CREATE_ML = dict(image='a.jpg', annotations=[dict(label='cat', coordinates=dict(x=30, y=40, width=20, height=20))])
PANOPTIC = dict(images=[dict(id=1, file_name='a.jpg')], categories=[dict(id=1, name='cat')], annotations=[
    dict(image_id=1, file_name='a.png', segments_info=[dict(id=3, category_id=1, bbox=[1, 2, 3, 4], area=9,
     iscrowd=0)])])
DATUMARO = dict(info={}, categories=dict(label=dict(labels=[dict(name='cat', parent='', attributes=[])])), items=[dict(
    id='a', attr={}, image=dict(path='a.jpg', size=[480, 640]),
    annotations=[dict(id=0, type='bbox', attributes={}, group=0, label_id=0, z_order=0, bbox=[1, 2, 3, 4])])])
FIFTYONE = dict(classes=['cat'], labels={'5f452471ef00e6374aac53c8': [dict(label='cat',
    bounding_box=[.1, .1, .2, .2])]})
DARWIN = dict(version='2.0', item=dict(name='a.jpg', path='/'), annotations=[dict(
    bounding_box=dict(x=1.0, y=2.0, w=3.0, h=4.0), id='1', name='cat')])
MMENGINE = dict(metainfo=dict(classes=['cat']), data_list=[dict(img_path='a.jpg', height=480, width=640, instances=[
    dict(bbox=[1, 2, 3, 4], bbox_label=0, ignore_flag=0)])])

JSON_FILES = dict(
    labelme=(LABELME, "LabelMe's JSON of one image", 'labelme2coco FOLDER'),
    via_project=({'_via_settings': {}, '_via_img_metadata': {'a.jpg1234': VIA_IMAGE}}, "VIA's JSON", 'COCO format'),
    via_annotations=({'a.jpg1234': VIA_IMAGE}, "VIA's JSON", 'Export Annotations (COCO format)'),
    via_1=({'a.jpg1234': dict(VIA_IMAGE, regions={'0': VIA_IMAGE['regions'][0]}, fileref='')}, "VIA's JSON", 'COCO'),
    supervisely=(SUPERVISELY, "Supervisely's JSON", '"Export to COCO"'),
    fiftyone=(FIFTYONE, "FiftyOne's JSON", 'COCODetectionDataset'),
    fiftyone_samples=(dict(samples=[dict(filepath='data/a.jpg', tags=[])]), "FiftyOne's JSON", 'COCODetectionDataset'),
    datumaro=(DATUMARO, "Datumaro's JSON", '-f coco_instances'),
    label_studio_short=([LABEL_STUDIO_SHORT], 'JSON-MIN', 'Export as JSON in Label Studio, not JSON-MIN'),
    coco_results=([dict(image_id=1, category_id=1, bbox=[1, 2, 3, 4], score=0.9)], 'COCO results',
     'images, annotations'),
    coco_annotations=([dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 3, 4])], 'annotations alone',
     'the whole COCO'),
    panoptic=(PANOPTIC, 'a panoptic COCO file', 'instances_*.json'),
    create_ml=([CREATE_ML], "CreateML's JSON", 'Export from Roboflow as "COCO"'),
    create_ml_empty=([dict(image='a.jpg', annotations=[]), CREATE_ML], "CreateML's JSON", '"COCO"'),
    darwin=(DARWIN, "V7 Darwin's JSON", '"COCO"'),
    mmengine=(MMENGINE, "mmengine's format", 'COCO files'),
    mmdet_middle=([dict(filename='a.jpg', width=640, height=480, ann=dict(bboxes=[[1, 2, 3, 4]], labels=[0]))],
                  "mmdet's former list", 'COCO'),
    server=(dict(detail='Authentication credentials were not provided.'), 'the message of a server: .Authentication',
     'anew'))

JSON_LINES = dict(
    labelbox=([dict(data_row=dict(id='c', external_id='a.jpg'), projects={}), dict(data_row={}, projects={})],
              "Labelbox's JSON", 'Convert it to COCO'),
    sagemaker=([{'source-ref': 's3://bucket/a.jpg', 'boxes': dict(annotations=[])},
                {'source-ref': 's3://bucket/b.jpg'}], "a manifest of SageMaker's", 'Convert it to COCO'))

CVAT = '''<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <image id="0" name="a.jpg" width="640" height="480">
    <box label="cat" source="manual" occluded="0" xtl="1.00" ytl="2.00" xbr="30.00" ybr="40.00" z_order="0"></box>
  </image>
</annotations>
'''
VOC = '''<annotation>
\t<folder>images</folder><filename>a.jpg</filename><size><width>640</width><height>480</height><depth>3</depth></size>
\t<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>
</annotation>
'''
YOLO = '0 0.5 0.5 0.1 0.2\n1 0.25 0.75 0.1 0.2\n'
DATA_YAML = "train: ../train/images\nval: ../valid/images\n\nnc: 2\nnames: ['cat', 'dog']\n"
TEXTS = dict(
    cvat=(CVAT, "CVAT's XML", '"COCO 1.0"'), voc=(VOC, "Pascal VOC's XML", 'XMLDataset'),
    yolo=(YOLO, "YOLO's text", 'YOLOv5Dataset to COCODetectionDataset'),
    yolo_polygons=('0 0.1 0.1 0.2 0.1 0.2 0.2 1e-3 .5\n', "YOLO's text", 'COCO'),
    yolo_yaml=(DATA_YAML, "YOLO's data.yaml", 'COCO'),
    via_csv=('filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n'
             'a.jpg,1234,"{}",1,0,"{""name"":""rect"",""x"":1,""y"":2,""width"":3,""height"":4}","{}"\n', "VIA's CSV",
              'COCO'),
    roboflow_csv=('filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,640,480,cat,1,2,30,40\n', 'a table of boxes',
                  'Export from Roboflow as "COCO"'),
    label_studio_csv=('image,id,label,annotator,annotation_id,created_at,updated_at,lead_time\n/data/upload/a.jpg,1,'
                      '"[{""x"": 1}]",1,3,2026,2026,3.1\n', "Label Studio's CSV", 'Export as JSON'),
    label_studio_tsv=('image\tid\tlabel\tannotator\tannotation_id\n/data/a.jpg\t1\tx\t1\t3\n', "Label Studio's CSV",
     'JSON'),
    open_images=('ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\n0,x,/m/1,1,0,1,0,1\n', 'Open Images',
     'COCO'),
    web_page=('<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>', 'a web page', 'logged out'),
    bucket=('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "a server's error", 'anew'),
    lfs=('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n', 'Git LFS', 'git lfs pull'))

BINARIES = dict(
    empty=(b'', 'is empty', 'complete'), blank=(b' \r\n', 'is empty', 'complete'),
    jpeg=(b'\xff\xd8\xff\xe0\0\x10JFIF', 'an image', 'file that has the labels'),
    png=(b'\x89PNG\r\n\x1a\n', 'an image', 'labels'), bmp=(b'BM\x36\0\0\0\0\0\0\0', 'an image', 'labels'),
    webp=(b'RIFF\x24\0\0\0WEBPVP8 ', 'an image', 'labels'), pdf=(b'%PDF-1.7\n', 'a PDF', 'COCO'),
    xls=(b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0', 'old Excel', 'CSV UTF-8'), parquet=(b'PAR1\x15\x04', 'Parquet',
     'CSV'),
    gzip=(b'\x1f\x8b\x08\0', 'an archive', 'Unpack'), tar=(b'a.json'.ljust(257, b'\0') + b'ustar\0', 'an archive',
     'Unpack'),
    tfrecord=((4).to_bytes(8, 'little') + b'crc_' + b'\x0a\x02ab' + b'crc_', 'a TFRecord', 'COCO'),
    pickle=(b'\x80\x04\x95\x10\0\0\0', 'a pickle', 'not opened'))


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def refusal(content, has_boxes=True):
    with pytest.raises(InputError) as e:
        parse_labels(unpack(content), has_boxes, classes=['cat'])
    return str(e.value)


@pytest.mark.parametrize('name', JSON_FILES)
def test_a_json_file_of_another_tool_is_named_with_what_to_export(name):
    data, kind, cure = JSON_FILES[name]
    message = refusal(json.dumps(data).encode())
    assert kind.replace('server: .', "server: '") in message
    assert cure in message


@pytest.mark.parametrize('name', TEXTS)
def test_a_text_of_another_tool_is_named_with_what_to_export(name):
    text, kind, cure = TEXTS[name]
    for content in (text.encode(), text.encode('utf-8-sig'), text.encode('utf-16')):
        message = refusal(content)
        assert kind in message
        assert cure in message


@pytest.mark.parametrize('name', BINARIES)
@pytest.mark.parametrize('has_boxes', [True, False])
def test_a_file_that_is_no_text_is_named(name, has_boxes):
    content, kind, cure = BINARIES[name]
    message = refusal(content, has_boxes)
    assert kind in message
    assert cure in message or 'Classes of whole images are read from a CSV table' in message


@pytest.mark.parametrize(('members', 'found', 'cure'), [
    ({'xl/workbook.xml': '', '[Content_Types].xml': ''}, 'is an Excel file (.xlsx)', 'Save it as "CSV UTF-8"'),
    ({'mimetype': '', 'content.xml': '', 'META-INF/manifest.xml': ''}, 'LibreOffice', 'CSV UTF-8'),
    ({'Index/Document.iwa': ''}, "Apple's Numbers", 'CSV UTF-8'),
    ({'annotations.xml': CVAT}, "found none, but 1 .xml. annotations.xml is CVAT's XML", '"COCO 1.0"'),
    ({'data.yaml': DATA_YAML, 'train/labels/a.txt': YOLO, 'train/images/a.jpg': ''},
     "found none, but 1 .yaml, 1 .txt, 1 .jpg. data.yaml is YOLO's data.yaml", 'COCO'),
    ({'obj.data': 'classes = 2', 'obj_train_data/a.txt': YOLO}, "obj_train_data/a.txt is YOLO's text", 'COCO'),
    ({'Annotations/a.xml': VOC, 'Annotations/b.xml': VOC}, "found none, but 2 .xml. Annotations/a.xml is Pascal VOC's",
     'COCO'),
    ({'a.json': json.dumps(LABELME), 'b.json': json.dumps(LABELME)}, "found 2: a.json, b.json. a.json is LabelMe's",
     'labelme2coco'),
    ({'ds/ann/a.jpg.json': json.dumps(SUPERVISELY), 'meta.json': '{}'}, "a.jpg.json is Supervisely's",
     'Export to COCO'),
    ({'train/_annotations.coco.json': '{}', 'valid/_annotations.coco.json': '{}'},
     'found 2: train/_annotations.coco.json, valid/_annotations.coco.json', 'Unpack it'),
    ({'a.jpg': '', 'README': ''}, 'found none, but 1 .jpg, 1 without suffix', 'Unpack it')])
def test_the_message_on_an_archive_says_what_is_in_it(members, found, cure):
    message = refusal(zipped(**members))
    assert found in message
    assert cure in message


def test_the_shadows_that_a_mac_puts_into_an_archive_are_no_files():
    inner = b'{"images": [], "annotations": [], "categories": []}'
    content = zipped(**{'labels.json': inner, '__MACOSX/._labels.json': b'\0\5\x16\7', '__MACOSX/labels.json': b''})
    assert unpack(content) == inner


def test_where_classes_are_asked_for_nobody_is_sent_to_export_boxes():
    for content in (json.dumps(LABELME).encode(), YOLO.encode(), VOC.encode()):
        message = refusal(content, has_boxes=False)
        assert 'Classes of whole images are read from a CSV table with the columns file_name and label' in message
        assert 'COCO' not in message


def test_text_that_nothing_is_known_of_is_shown():
    assert "found neither, but text that begins 'cat at the window'" in refusal(b'\n cat at the window\nx\n')


@pytest.mark.parametrize(('suffix', 'content', 'said'), [
    ('.json', json.dumps(LABELME), "is LabelMe's JSON of one image"), ('.json', '<html></html>', 'is a web page'),
    ('.json', '', 'is empty'), ('.json', 'version https://git-lfs.github.com/spec/v1', 'is a pointer of Git LFS'),
    ('.txt', YOLO, "is YOLO's text of one image"), ('.xml', CVAT, "is CVAT's XML"),
    ('.yaml', DATA_YAML, "is YOLO's data.yaml")])
def test_images_named_by_such_a_file_are_refused_alike(tmp_path, suffix, content, said):
    path = tmp_path / f'list{suffix}'
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        find_images(path)


def test_images_named_by_a_workbook_are_refused(tmp_path):
    path = tmp_path / 'list.xlsx'
    path.write_bytes(zipped(**{'xl/workbook.xml': ''}))
    with pytest.raises(InputError, match=r'list.xlsx is an Excel file \(.xlsx\). Save it as "CSV UTF-8"'):
        find_images(path)


def test_a_list_of_images_may_be_in_utf_16(tmp_path):
    (tmp_path / 'ä.jpg').write_bytes(b'')
    (tmp_path / 'list.txt').write_bytes('ä.jpg\r\n'.encode('utf-16'))
    assert find_images(tmp_path / 'list.txt').names == ['ä.jpg']


@pytest.mark.parametrize('name', JSON_LINES)
def test_a_file_of_an_object_a_line_goes_by_its_first_line(name, tmp_path):
    entries, kind, cure = JSON_LINES[name]
    content = '\n'.join(map(json.dumps, entries))
    assert kind in refusal(content.encode())
    assert cure in refusal(content.encode())
    assert 'Classes of whole images are read from' in refusal(content.encode(), has_boxes=False)
    for file in ('export.json', 'export.ndjson'):
        (tmp_path / file).write_text(content)
        with pytest.raises(InputError, match=f'{kind}.*{cure}'):
            find_images(tmp_path / file)


def test_a_damaged_file_of_one_object_is_not_taken_for_lines():
    assert 'is not whole JSON' in refusal(b'{\n"source-ref": "s3://bucket/a.jpg"\n')
    assert 'is not whole JSON' in refusal(b'{"message": "logged"}\n{"message": "again"}')


@pytest.mark.parametrize('more', [dict(message='made by hand'), dict(samples=[])])
def test_a_coco_file_may_say_more(more):
    coco = dict(images=[dict(id=1, file_name='a.jpg')], annotations=[], categories=[dict(id=1, name='cat')], **more)
    assert [image.file_name for image in parse_labels(json.dumps(coco).encode(), True).images] == ['a.jpg']


def test_a_coco_file_that_lists_images_alone_is_one():
    coco = dict(images=[dict(id=1, file_name='a.jpg')])
    assert [image.file_name for image in parse_labels(json.dumps(coco).encode(), True).images] == ['a.jpg']
    coco['annotations'] = [dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 3, 4])]
    assert 'no "categories" that say what their category_id means' in refusal(json.dumps(coco).encode())
