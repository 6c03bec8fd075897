import pytest

from mmal.fileio.text import csv_bytes, finite_or_none, json_bytes, read_csv, write_csv


def test_json_has_an_indent_of_one():
    assert json_bytes({'a': [1]}) == b'{\n "a": [\n  1\n ]\n}'
    assert json_bytes({'a': [1]}, indent=None) == b'{"a": [1]}'


def test_file_names_that_are_not_utf_8_come_back(tmp_path):
    write_csv(tmp_path / 'a.csv', ['id'], [['caf\udce9']])
    assert (tmp_path / 'a.csv').read_bytes() == b'id\ncaf\xe9\n'
    assert read_csv(tmp_path / 'a.csv') == [{'id': 'caf\udce9'}]
    assert csv_bytes(['a', 'b'], []) == b'a,b\n'


@pytest.mark.parametrize(
    ('score', 'expected'), [(1.5, 1.5), (0.0, 0.0), (None, None), (float('nan'), None), (float('-inf'), None)]
)
def test_numbers_that_json_lacks_become_none(score, expected):
    assert finite_or_none(score) == expected
