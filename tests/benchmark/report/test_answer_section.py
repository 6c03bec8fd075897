import pytest

from mmal.benchmark.report.answer_section import Standing, answer_section
from mmal.benchmark.results import read_comparison
from mmal.benchmark.stats.against_baseline import Areas
from mmal.benchmark.stats.savings import paired_effect
from mmal.benchmark.stats.tables import round_means
from mmal.pool.budget import BudgetUnit


def answer(made):
    found = read_comparison(made.root)
    return answer_section(found, round_means(found))


def rows(made):
    """Cells by method and column of the ranked table."""
    table = answer(made).tables[0]
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def classified(folder, gains, seeds=range(5), **changes):
    """Random rises from 10 by 10 a round; a method is ahead by its gain, a little more or less by seed."""
    made = folder(methods=('random', *gains), seeds=seeds, rounds=4, detection=False, metric='accuracy/top1', **changes)
    for seed in seeds:
        made.curve('random', seed, [10, 20, 30, 40])
        for method, gain in gains.items():
            ahead = gain + 0.1 * (seed % 3)
            made.curve(method, seed, [10, 20 + ahead, 30 + ahead, 40 + ahead])
    return made


def test_one_sentence_says_what_the_best_method_saves(folder):
    made = classified(folder, dict(weak=1, strong=5, none=-8))
    assert answer(made).text == [
        'Over images, 2 of 3 methods are clearly better than random. The best, strong, saves 13 % of the images that '
        'random needs to reach its final accuracy/top1 (95 % interval 12 to 13 %, 5 seeds).']


def test_methods_are_ranked_with_the_baseline_among_them(folder):
    made = classified(folder, dict(weak=1, none=-8, strong=5))
    found = rows(made)
    assert list(found) == ['strong', 'weak', 'random', 'none']
    assert [cells['verdict'] for cells in found.values()] == ['clear', 'clear', 'baseline', 'worse']
    # 40 is reached half a gain before 20 images
    assert found['strong']['images saved at the target'] == '+12.7 % (+12.4 to +13.0)'
    assert found['strong']['images to the target'] == '17'
    assert found['none']['images saved at the target'] == 'none: target not reached (5 of 5)'
    assert found['none']['images to the target'] == 'not reached'
    assert found['random']['images saved at the target'] == '–'
    assert found['strong']['seconds a run'] == '50'


def test_nothing_clear_is_said_with_the_best_of_what_is_open(folder):
    made = folder(methods=('random', 'ISAL'), rounds=2, detection=False, metric='accuracy/top1')
    for seed, last in enumerate((45, 35, 43)):
        made.curve('random', seed, [10, 40])
        made.curve('ISAL', seed, [10, last])
    assert answer(made).text == [
        'Over images, nothing is clear: no method is shown to be better than random. The best, ISAL, saves 2 % of the '
        'images that random needs to reach its final accuracy/top1, by the mean curves; there is no interval, because '
        '1 of 3 seeds does not reach the target.']
    assert rows(made)['ISAL']['verdict'] == 'open'
    assert rows(made)['ISAL']['images saved at the target'] == 'none: target not reached (1 of 3)'


def test_a_best_method_that_needs_more(folder):
    made = classified(folder, dict(late=-5))
    # random is at 36 after 10 + 80 / (16 + seed) images, late after 19
    for seed in range(5):
        made.curve('late', seed, [10, 15, 20, 40])
        made.curve('random', seed, [10, 20, 36 + seed, 36])
    sentence = answer(made).text[0]
    assert 'nothing is clear' in sentence
    assert 'The best, late, needs 31 % more of the images that random needs' in sentence
    assert '(95 % interval 27 to 36 %, 5 seeds)' in sentence


def test_a_target_that_the_best_method_never_reaches(folder):
    made = classified(folder, dict(strong=5), target=90)
    assert answer(made).text[0].endswith(
        'The best, strong, does not reach the target; the area under its curve less that of random is +4.23 '
        '(+4.15 to +4.32).')
    assert rows(made)['random']['images to the target'] == 'not reached'


def test_a_target_that_was_given_is_named(folder):
    made = classified(folder, dict(strong=5), target=30)
    assert 'needs to reach accuracy/top1 = 30 (' in answer(made).text[0]
    assert 'The target: accuracy/top1 = 30.' in answer(made).tables[0].notes


def test_one_seed_has_neither_interval_nor_verdict(folder):
    made = classified(folder, dict(strong=5), seeds=[0])
    assert answer(made).text[0].endswith('its final accuracy/top1 (one seed, so there is no interval).')
    assert rows(made)['strong']['verdict'] == 'open'
    assert 'none below 2 pairs' in rows(made)['strong']['images saved at the target']


def test_no_method_but_the_baseline_is_done(folder):
    made = classified(folder, dict(strong=5), seeds=[0])
    made.fail('strong', 0)
    assert answer(made).text == ['No method beside random is done, so there is nothing to compare yet.']
    assert list(rows(made)) == ['random']
    assert answer(made).tables[0].missing


def test_no_seed_in_common_with_the_baseline(folder):
    made = classified(folder, dict(strong=5, weak=1), seeds=[0, 1])
    made.fail('strong', 0)
    made.fail('random', 1)
    assert rows(made)['strong']['images saved at the target'] == 'none: no common seed'
    assert list(rows(made)) == ['weak', 'random', 'strong']


def test_without_a_baseline_methods_are_ranked_by_area(folder):
    made = classified(folder, dict(weak=-1, strong=5), baseline=None)
    found = rows(made)
    assert list(found) == ['strong', 'random', 'weak']
    assert {cells['verdict'] for cells in found.values()} == {'–'}


def test_runs_without_a_common_range_are_not_compared(folder):
    made = classified(folder, dict(strong=5), seeds=[0])
    made.curve('strong', 0, [10])
    assert answer(made).text == ['Over images, nothing is compared: the done runs share no range of images.']
    assert set(rows(made)) == {'random', 'strong'}


def test_detectors_are_ranked_over_boxes_and_judged_over_both(folder):
    made = folder()  # ISAL is ahead by 0.02 a round at equal images, and has twice the boxes
    found = answer(made)
    assert [text.split(',')[0] for text in found.text] == ['Over boxes', 'Over images']
    cells = rows(made)
    assert list(cells) == ['random', 'ISAL']
    assert cells['ISAL']['verdict over boxes'] == 'worse'
    assert cells['ISAL']['verdict over images'] == 'clear'
    assert cells['ISAL']['boxes labeled in all'] == '80'
    assert cells['random']['boxes labeled in all'] == '40'


def test_what_words_and_intervals_mean_is_said(folder):
    notes = ' '.join(answer(classified(folder, dict(strong=5, none=-8))).tables[0].notes)
    for said in ('from 5 to 20 images', "p < 0.05 of the paired t-test with Holm's correction",
                 '"open": neither is shown', "95 % t-intervals (Student's)", 'The target: the final value of random',
                 '"none: target not reached"'):
        assert said in notes
    notes = ' '.join(answer(classified(folder, dict(strong=5))).tables[0].notes)
    assert '"none: target not reached"' not in notes


@pytest.mark.parametrize(('mean', 'p', 'said'), [
    (1.0, 0.049, 'clear'), (-1.0, 0.049, 'worse'), (1.0, 0.05, 'open'), (-1.0, 0.2, 'open'), (1.0, None, 'open')])
def test_the_verdict_is_that_of_the_corrected_test(mean, p, said):
    effect = paired_effect({0: mean, 1: mean})
    corrected = {} if p is None else {'a': p}
    found = Standing(BudgetUnit.IMAGE, Areas(0, 1, {}, {'a': effect}), corrected, {})
    assert found.verdict('a') == said


def test_many_methods_need_a_smaller_p(folder):
    def verdict(others):
        made = classified(folder, dict.fromkeys([f'other_{i}' for i in range(others)], 0))
        for i in range(others):
            for seed in range(5):
                made.curve(f'other_{i}', seed, [10, 20, 30 + seed - 2.01, 40])
        return made

    def judged(made):
        for seed, gain in enumerate((0.2, 1.2, 0.5, 0.9, 0.4)):
            made.curve('other_0', seed, [10, 20, 30 + gain, 40])
        return rows(made)['other_0']['verdict']

    assert judged(verdict(1)) == 'clear'
    assert judged(verdict(9)) == 'open'
