from mmal.artifacts import csv_bytes, read_csv
from mmal.score_file import ids_in, marked_bytes, ranked_bytes

ROWS = [('a,"b".png', 0.1), ('x\ny.png', float('nan')), ('caf\udce9', -1e-17), ('Ä', 2.0)]


def test_ids_of_any_text_come_back_and_the_best_are_marked(tmp_path):
    path = tmp_path / 'scores.csv'
    path.write_bytes(ranked_bytes('score', [i for i, _ in ROWS], dict(ROWS), {'Ä': 3}))
    assert list(ids_in(path)) == [i for i, _ in ROWS]
    for n in (3, 1, 4, 0):  # fewer again: a query that was smaller, after a kill
        path.write_bytes(marked_bytes(path, 'score', n))
        assert [row['selected'] for row in read_csv(path)] == ['1'] * n + ['0'] * (4 - n)
    assert [row['score'] for row in read_csv(path)] == [str(v) for _, v in ROWS]
    assert [row['pseudo_boxes'] for row in read_csv(path)] == ['', '', '', '3']


def test_numbers_are_written_as_the_csv_module_would():
    values = {1: 0.1, 2: 1e-17, 3: float('nan'), 10**20: -2.0, 5: 3}
    expected = csv_bytes(['id', 'influence', 'pseudo_boxes', 'rank', 'selected'],
                         [[i, v, 7 if i == 2 else '', rank, 0] for rank, (i, v) in enumerate(values.items())])
    assert ranked_bytes('influence', list(values), values, {2: 7}) == expected
