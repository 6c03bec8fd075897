from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmal.fileio.text import csv_bytes, read_csv
from mmal.pool import score_table
from mmal.pool.ranking import Ranked
from mmal.pool.score_table import candidates_in, marked_bytes, pseudo_boxes_of, ranked_bytes, selected_scores

ROWS = [('a,"b".png', 0.1), ('x\ny.png', float('nan')), ('caf\udce9', -1e-17), ('Ä', 2.0), ('z\rz', 3.0)]


def table(ids, values, boxes):
    dtype = np.int64 if set(map(type, ids)) == {int} else object
    return Ranked(np.fromiter(ids, dtype, len(ids)), np.array(values), np.array(boxes))


def test_ids_of_any_text_come_back_and_the_best_are_marked(tmp_path):
    path, (ids, values) = tmp_path / 'scores.csv', zip(*ROWS, strict=True)
    path.write_bytes(b''.join(ranked_bytes('score', table(ids, values, [-1, -1, -1, 3, 0]))))
    assert [row.text for row in candidates_in(path)] == list(ids)
    for n in (3, 1, 5, 0):  # fewer again: a query that was smaller, after a kill
        path.write_bytes(marked_bytes(path, 'score', ids[:n]))
        assert [row['selected'] for row in read_csv(path)] == ['1'] * n + ['0'] * (5 - n)
    assert [row['id'] for row in read_csv(path)] == list(ids)
    assert [row['score'] for row in read_csv(path)] == list(map(str, values))
    assert [row['pseudo_boxes'] for row in read_csv(path)] == ['', '', '', '3', '0']


@given(st.integers(1, 6), st.sets(st.integers(0, 8)), st.integers(0, 2), st.sets(st.integers(1, 7)))
def test_marks_are_those_of_the_last_query_whatever_the_one_before_it(n, exact, n_near, earlier_exact):
    """Eight rows, of which the last ones are near-copies; exact copies are passed over on the way down."""
    def walk(wanted, passed):
        taken, copies = [], []
        for i in map(str, range(8)):
            if len(taken) == wanted:
                break
            (copies if int(i) in passed else taken).append(i)
        return taken, copies

    near = [str(i) for i in range(8 - n_near, 8)]
    with TemporaryDirectory() as folder:
        path = Path(folder, 'scores.csv')
        path.write_bytes(b''.join(ranked_bytes('score', table(range(8), range(8), [0] * 8), list(map(int, near)))))
        for wanted, passed in ((7, earlier_exact), (n, exact)):
            taken, copies = walk(wanted, passed)
            path.write_bytes(marked_bytes(path, 'score', taken, copies, near))
            expected = ['1' if i in taken else 'copy' if i in {*copies, *near} else '0' for i in map(str, range(8))]
            assert [row['selected'] for row in read_csv(path)] == expected
            assert list(selected_scores(path)[1]) == taken
            assert pseudo_boxes_of(path, taken) == dict.fromkeys(taken, 0)


@given(st.lists(st.tuples(st.integers(-2**63, 2**63 - 1), st.floats(), st.integers(-1, 3)), min_size=1)
       | st.lists(st.tuples(st.text('ab,"\n ;ä\udce9'), st.floats(), st.integers(-1, 3)), min_size=1))
def test_rows_are_written_as_the_csv_module_would(rows):
    expected = csv_bytes(['id', 'influence', 'pseudo_boxes', 'rank', 'selected'],
                         [[i, v, '' if n < 0 else n, rank, 0] for rank, (i, v, n) in enumerate(rows)])
    assert b''.join(ranked_bytes('influence', table(*zip(*rows, strict=True)))) == expected


@pytest.mark.parametrize('size', [1, 2, 3, 4])
def test_parts_make_one_file(monkeypatch, size):
    whole = table([5, 6, 7], [0.1, 0.2, 0.3], [1, 2, 3])
    expected = b''.join(ranked_bytes('score', whole))
    monkeypatch.setattr(score_table, 'CHUNK', size)
    assert b''.join(ranked_bytes('score', whole)) == expected
