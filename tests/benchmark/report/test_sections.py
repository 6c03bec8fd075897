import pytest

from mmal.benchmark.report import sections as s
from mmal.benchmark.report.selection_section import selection_tables
from mmal.benchmark.results import read_comparison
from mmal.benchmark.stats.overlap import overlap_table
from mmal.benchmark.stats.selection import selection_table, selections_of
from mmal.benchmark.stats.tables import round_means, seconds_table
from mmal.pool.budget import BudgetUnit


def read(made):
    comparison = read_comparison(made.root)
    return comparison, round_means(comparison)


def every_table(made):
    comparison, means = read(made)
    found = selections_of(comparison)
    return [*s.round_tables(comparison, means), s.paper_tables(comparison, means),
            s.area_table(comparison, BudgetUnit.IMAGE, 4), s.saving_table(comparison, means, BudgetUnit.IMAGE),
            s.pairwise_table(comparison),
            *selection_tables(selection_table(found), comparison), s.overlap_report(overlap_table(found), comparison),
            s.seconds_report(seconds_table(comparison), comparison)]


def test_rows_have_as_many_cells_as_columns(folder):
    for table in every_table(folder()):
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows), table.caption


def test_every_table_names_the_missing_run_with_its_error(folder):
    made = folder()
    made.fail('ISAL', 1)
    for table in every_table(made):
        if not table.caption.startswith('random'):
            assert table.missing == ['ISAL, seed 1: failed (CUDA out of memory)'], table.caption


def test_rounds(folder):
    made = folder()
    made.fail('ISAL', 1)
    random, isal = s.round_tables(*read(made))
    assert random.missing == []
    assert isal.caption == 'ISAL: mean of 2 of 3 seeds, round by round'
    assert isal.rows[2] == ['2', '2', '0.3500', '0.0141', '15.0', '60.0', '58.3333']


def test_classification_has_no_columns_of_boxes(folder):
    for table in every_table(folder(detection=False, metric='accuracy/top1')):
        assert not any('box' in text for text in [*table.columns, *(row[0] for row in table.rows)])


def test_areas(folder):
    table = s.area_table(read(folder())[0], BudgetUnit.IMAGE, 4)
    assert table.rows == [['random', '3 of 3', '0.2600', '0.0100', 'baseline', '–', '–', '–', '–'],
                          ['ISAL', '3 of 3', '0.2900', '0.0100', '+0.0300', '+0.0300 to +0.0300', '< 0.001', '< 0.001',
                           '3']]
    assert table.notes == ['Mean coco/bbox_mAP from 5 to 20 images, which all done runs span; the difference is from '
                           'random at the same seed.']


def test_a_saving_says_which_seeds_it_is_over_where_one_is_lost(folder):
    made = folder()
    assert s.saving_table(*read(made), BudgetUnit.IMAGE).notes == []
    made.fail('random', 0)
    note = 'What ISAL saves against random is over seed 1, 2, which both have'
    of = 'up to the final coco/bbox_mAP of random over these'
    assert s.saving_table(*read(made), BudgetUnit.IMAGE).notes == [f'{note}, {of}.']
    made.save(target=0.3)
    assert s.saving_table(*read(made), BudgetUnit.IMAGE).notes == [f'{note}.']
    for seed in (1, 2):
        made.fail('ISAL', seed)
    assert s.saving_table(*read(made), BudgetUnit.IMAGE).notes == [
        'What ISAL saves against random is over no seed: none is done with both.']
    made.save(baseline=None)
    assert s.saving_table(*read(made), BudgetUnit.IMAGE).notes == []


def test_areas_without_a_common_range(folder):
    made = folder(seeds=[0])
    made.curve('ISAL', 0, [0.1, 0.2], images=[100, 200])
    table = s.area_table(read(made)[0], BudgetUnit.IMAGE, 4)
    assert table.rows == []
    assert 'share no range' in table.notes[0]


def test_one_seed_has_no_interval(folder):
    made = folder(seeds=[0])
    rest = ['none below 2 pairs', '–', '–', '1']
    assert s.area_table(read(made)[0], BudgetUnit.IMAGE, 4).rows[1][4:] == ['+0.0300', *rest]
    assert s.saving_table(*read(made), BudgetUnit.IMAGE).rows[1][4:9] == ['+12.5', *rest]


def test_saving(folder):
    made = folder(target=0.4)
    made.curve('ISAL', 1, [0.1, 0.2, 0.3, 0.39])
    random, isal = s.saving_table(*read(made), BudgetUnit.IMAGE).rows
    assert random == ['random', '19.5', 'baseline', '3 of 3', 'baseline', '–', '–', '–', '–', '–']
    assert isal[3] == '2 of 3'
    assert isal[5:] == ['none: target not reached', '–', '–', '2', 'ISAL: seed 1']


def test_a_target_nobody_reaches(folder):
    random, isal = s.saving_table(*read(folder(target=0.99)), BudgetUnit.IMAGE).rows
    assert random[1] == isal[1] == 'not reached'
    assert isal[2:] == ['–', '0 of 3', '–', 'none: target not reached', '–', '–', '0',
                        'ISAL: seed 0, 1, 2; random: seed 0, 1, 2']


def test_where_the_target_comes_from(folder):
    assert 'as given' in s.target_text(*read(folder(target=0.5)), 4)
    assert '0.4100, the mean final value of the baseline random' in s.target_text(*read(folder()), 4)
    assert 'There is no target' in s.target_text(*read(folder(baseline=None)), 4)


def test_few_seeds_are_insufficient_for_pairs(folder):
    assert s.pairwise_table(read(folder())[0]).rows == [['random', '–', 'insufficient'], ['ISAL', 'insufficient', '–']]


def test_pairs_of_five_seeds(folder):
    rows = s.pairwise_table(read(folder(seeds=range(5)))[0]).rows
    assert rows == [['random', '–', '0.00'], ['ISAL', '1.00', '–']]  # the first round is the same model


def test_choice_of_detection(folder):
    made = folder(seeds=[0, 1])
    for seed in (0, 1):
        made.queries('ISAL', seed, [[2 * r, 2 * r + 1] for r in range(4)], boxes=3)
    isal = selection_tables(selection_table(selections_of(read(made)[0])), read(made)[0])[1]
    assert isal.rows[0] == ['0', '2', '2.0', '6.0', '0.0', '33.3', '33.3', '33.3', '2.0', '1.000']


def test_overlap_and_seconds(folder):
    made = folder()
    comparison = read(made)[0]
    row, = s.overlap_report(overlap_table(selections_of(comparison)), comparison).rows
    assert row == ['random and ISAL', '3', '0.67', '0.67', '0.67', '0.67', '0.90']
    assert s.seconds_report(seconds_table(comparison), comparison).rows[0] == ['random', '11.5', '1.0', '12.5', '12']


@pytest.mark.parametrize(('values', 'digits'), [([0.1, 0.2], 4), ([40.0, 60.0], 2)])
def test_digits_by_size(folder, values, digits):
    made = folder(methods=['a'], seeds=[0], baseline=None)
    made.curve('a', 0, values)
    assert s.digits(read(made)[1]) == digits
