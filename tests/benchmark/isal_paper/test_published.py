from decimal import Decimal

import pytest

from mmal.benchmark.isal_paper.published import published_curve, published_methods, tables

MISPRINTS = {(11, 'Localization stability', 1)}
"""Third rows that do not follow from the two above: 0.04735410 is printed where they give 0.04735409."""


def half_a_digit(printed):
    return Decimal(1).scaleb(printed.as_tuple().exponent) / 2


def detection_cells():
    for number, table in tables(exact=True).items():
        for row in table['methods']:
            for step, cell in enumerate(zip(row.get('metric'), row.get('boxes', ()), row.get('per_10k_boxes', ()),
                                            strict=False), 1):
                if None not in cell:
                    yield number, row['method'], step, *map(Decimal, cell)


def test_the_third_rows_follow_from_the_other_two():
    wrong = set()
    for number, method, step, metric, boxes, third in detection_cells():
        found = 10000 * metric / boxes
        rounding = 10000 * half_a_digit(metric) / boxes + found * half_a_digit(boxes) / boxes + half_a_digit(third)
        if abs(found - third) > rounding:
            wrong.add((number, method, step))
    assert wrong == MISPRINTS
    assert sum(1 for _ in detection_cells()) == 50 + 53 + 50 + 21


def test_every_digit_is_kept():
    table = tables(exact=True)[4]
    assert str(table['methods'][0]['metric'][8]) == '89.26399810'
    assert str(tables(exact=True)[9]['methods'][0]['per_10k_boxes'][18]) == '0.0278975'


@pytest.mark.parametrize(('number', 'method', 'step', 'images', 'boxes', 'value'), [
    (4, 'Coreset', 10, 10000, 10000, 89.05199809), (5, 'ISAL', 10, 14000, 14000, 63.37799866),
    (6, 'Learning loss', 8, 11720, 11720, 58.65165838), (7, 'Random', 10, 50000, 50000, 93.5319982),
    (8, 'ISAL', 5, 2500, 5616, 0.42), (9, 'ISAL', 20, 24000, 80139, 0.218),
    (9, 'Learning loss', 9, 13000, 197804, 0.21766667), (10, 'Random', 10, 118290, 860001, 0.362),
    (11, 'Random', 6, 10000, 73457, 0.222)])
def test_cells(number, method, step, images, boxes, value):
    assert published_curve(number, method)[step - 1] == dict(step=step, images=images, boxes=boxes, value=value)


def test_steps_that_were_not_run_are_left_out():
    assert len(published_curve(9, 'Coreset')) == 7
    assert tables()[9]['methods'][1]['metric'][7:] == [None] * 3


def test_all_tables_are_there_and_boxes_never_fall():
    assert list(tables()) == [4, 5, 6, 7, 8, 9, 10, 11]
    for number in tables():
        for method in published_methods(number):
            boxes = [p['boxes'] for p in published_curve(number, method)]
            assert boxes == sorted(boxes)
            assert len(boxes) >= 6
