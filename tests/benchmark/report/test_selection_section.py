"""What each method chose, round by round: what is drawn where."""

import pandas as pd
import pytest

from mmal.benchmark.report import selection_section
from mmal.benchmark.results import read_comparison
from mmal.benchmark.stats.selection import box_size_table, class_table, selection_table, selections_of
from mmal.reporting.style import Drawing


@pytest.fixture
def drawn(monkeypatch):
    """The section of a folder, and what went into the two charts by round: shares, and where dotted lines are."""
    seen = []

    def note(shares, methods, xlabel, marks=()):
        seen.append((shares, list(marks)))
        return Drawing(b'', b'')

    monkeypatch.setattr(selection_section, 'draw_by_round', note)

    def make(folder):
        seen.clear()
        comparison = read_comparison(folder.root)
        found = selections_of(comparison)
        section = selection_section.selection_section(comparison, selection_table(found), class_table(found),
                                                box_size_table(found))
        return {f.name: f for f in section.figures}, seen
    return make


def test_shares_are_of_one_round_over_the_done_seeds(folder, drawn):
    made = folder(seeds=[0, 1, 2], rounds=2)
    made.queries('ISAL', 0, [[2], [3]], boxes=3)  # cat, dog, cat of 20, 50 and 120 pixels; dog, cat, dog of the same
    made.queries('ISAL', 1, [[2], [3]], boxes=1)  # a cat of 20 pixels; a dog of the same
    made.fail('ISAL', 2)
    figures, ((classes, _), (sizes, marks)) = drawn(made)
    assert list(classes.columns) == [('random', 0), ('random', 1), ('ISAL', 0), ('ISAL', 1)]
    assert classes['ISAL', 0].to_dict() == {'cat': 0.75, 'dog': 0.25}
    assert classes['ISAL', 1].to_dict() == {'cat': 0.25, 'dog': 0.75}
    assert list(sizes.index) == ['16 to 23', '23 to 32', '32 to 45', '45 to 64', '64 to 91', '91 to 128']
    assert sizes['ISAL', 1].tolist() == [0.5, 0, 0, 0.25, 0, 0.25]
    assert marks == [2, pytest.approx(5.17, abs=0.01)], '32 is the end of the second bar, 96 lies within the last'
    assert 'rounds.' not in figures['chosen_classes_by_round'].caption


def test_a_round_without_boxes_is_empty_and_none_at_all_has_no_chart(folder, drawn):
    made = folder(methods=['random'], seeds=[0], rounds=2)
    made.queries('random', 0, [[2], [3]], boxes=0)
    assert drawn(made) == ({}, [])
    made.queries('random', 0, [[2], [3]], boxes=2)
    labeled = made.path('random', 0) / 'round_01' / 'labeled.json'
    labeled.write_text(labeled.read_text().replace('"image_id": 3', '"image_id": 2'))
    _, ((classes, _), (sizes, _)) = drawn(made)
    assert list(classes.columns) == [('random', 0)]
    assert sizes['random', 1].tolist() == [0] * len(sizes)


def test_rare_classes_share_a_bar(folder, drawn, monkeypatch):
    monkeypatch.setattr(selection_section, 'CLASSES_A_ROUND', 2)
    made = folder(seeds=[0], rounds=1, detection=False)
    path = made.path('ISAL', 0) / 'round_00' / 'labeled.json'
    path.write_text(pd.DataFrame(dict(id=range(101, 106), label=[5, 5, 6, 7, 8])).to_json(orient='records'))
    _, ((classes, _), ) = drawn(made)
    assert classes.index.tolist() == ['0', '1', '4 others'] or classes.index.tolist() == ['0', '5', '4 others']
    assert classes.sum().tolist() == [pytest.approx(1)] * 2


def test_of_many_rounds_some_are_drawn_and_the_caption_says_so(folder, drawn):
    figures, ((classes, _), (sizes, _)) = drawn(folder(methods=['random'], seeds=[0], rounds=14))
    shown = [number for _, number in classes.columns]
    assert shown == [number for _, number in sizes.columns]
    assert (len(shown), shown[0], shown[-1]) == (10, 0, 13)
    assert all(b - a in (1, 2) for a, b in zip(shown, shown[1:], strict=False))
    for name in ('chosen_classes_by_round', 'chosen_box_sizes_by_round'):
        assert '10 of 14 rounds.' in figures[name].caption
