"""Tables of labels are read as spreadsheets of any country and program write them."""

import pytest

from mmal.annotation.reader import parse_labels
from mmal.errors import InputError

PLAIN = 'file_name,label\na.png,cat\nb.png,dog\n'


def read(text, encoding='utf-8'):
    return parse_labels(text.encode(encoding), has_boxes=False)


def said(text, encoding='utf-8'):
    parsed = read(text, encoding)
    assert not parsed.problems
    return [(image.file_name or image.image_id, *image.labels) for image in parsed.images]


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
@pytest.mark.parametrize('text', [
    PLAIN, PLAIN.replace('\n', '\r\n'), PLAIN.replace('\n', '\r'), PLAIN.replace(',', ';'), PLAIN.replace(',', '\t'),
    'sep=;\r\n' + PLAIN.replace(',', ';'), '"sep=,"\n' + PLAIN, 'SEP=\t\n' + PLAIN.replace(',', '\t'),
    '\n\n' + PLAIN, ',\n' + PLAIN, 'file_name,label\n\na.png,cat\n,\n \t,\nb.png,dog\n,\n,\n\n',
    'file_name,label,,\na.png,cat,,\nb.png,dog,,\n,,,\n', 'file_name,label\na.png,cat,,,\nb.png,dog\n',
    'File Name,Label \na.png,cat\nb.png,dog\n', 'FILENAME, LABEL\n a.png , cat \nb.png,dog\n',
    '"file-name","label","note"\na.png,cat,"two\nlines, and a comma"\nb.png,dog,\n'])
def test_a_table_says_the_same_however_it_is_written(text, encoding):
    assert said(text, encoding) == [('a.png', 'cat'), ('b.png', 'dog')]


@pytest.mark.parametrize(('header', 'first'), [
    ('file_name,label', 2), ('\nfile_name,label', 3), ('sep=,\nfile_name,label', 3),
     ('sep=,\r\n\r\nfile_name,label', 4)])
def test_a_fault_is_named_by_its_line_of_the_file(header, first):
    parsed = read(f'{header}\n\n"a.png","c\nat"\nb.png,cat,dog\n')
    assert [image.where for image in parsed.images] == [f'line {first + 2}']
    assert parsed.problems == [f'line {first + 3}: more cells than the header has. Quote cells that hold a separator.']
    with pytest.raises(InputError, match=f'line {first + 1}: field larger .* is a quote not closed'):
        read(f'{header}\na.png,cat\n"b.png,dog\n' + 'c.png,cat\n' * 20_000)


@pytest.mark.parametrize(('text', 'line'), [
    ('a.png,cat\nb.png,dog\n', 'file_name,label'), ('a.png;cat\n', 'file_name;label'), ('a.png\tcat\n',
     'file_name\tlabel'),
    ('file_name,class\na.png,cat\n', 'file_name,label'), ('label,path\ncat,a.png\n', 'file_name,label'),
    ('sep=;\na.png;cat\n', 'file_name;label'), (',,\n,,\n', 'file_name,label')])
def test_a_table_without_its_header_is_told_the_line_to_write(text, line):
    with pytest.raises(InputError) as e:
        read(text)
    assert str(e.value).endswith(f'Write as the first line: {line}')


@pytest.mark.parametrize(('cell', 'seconds'), [('3.5', 3.5), ('"3,5"', 3.5), (' 12 ', 12.0), ('1e1', 10.0), ('', None)])
def test_seconds_may_have_a_comma(cell, seconds):
    assert read(f'file_name,label,seconds\na.png,cat,{cell}\n').images[0].seconds == seconds


@pytest.mark.parametrize('cell', ['soon', '"1,234.5"', '"1,2,3"'])
def test_seconds_that_are_no_number_are_refused(cell):
    assert 'seconds: expected a number' in read(f'file_name,label,seconds\na.png,cat,{cell}\n').problems[0]


def test_a_label_of_no_image_is_a_fault():
    assert read('file_name,label,id\n,cat,\n').problems == [
        'line 2: names no image. Fill in file_name or id, or take the row out.']


def test_columns_that_stand_twice_in_different_case_are_refused():
    with pytest.raises(InputError, match="the column 'file_name' stands twice"):
        read('File Name,filename,label\na.png,b.png,cat\n')


@pytest.mark.parametrize('header', [
    'file_name,label,annotated by', 'annotated by;Label;file name', '"file_name","label","annotated by"'])
def test_a_header_with_a_space_in_its_last_column_is_no_line_of_a_path_and_a_class(header):
    delimiter = ';' if ';' in header else ','
    row = delimiter.join(['cat' if 'abel' in cell else 'a.png' if 'name' in cell else 'me'
                          for cell in header.split(delimiter)])
    image, = parse_labels(f'{header}\n{row}\n'.encode(), has_boxes=False).images
    assert (image.file_name, image.labels) == ('a.png', ['cat'])
