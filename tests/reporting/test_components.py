from mmal.reporting.components import ReportTable, decimals_for, markdown, markdown_grid, number, signed


def test_numbers():
    assert number(1234.56, 1) == '1,234.6'
    assert number(float('nan'), 1) == number(None) == '–'
    assert signed(-0.5) == '-0.5'
    assert signed(2, 2) == '+2.00'


def test_markdown():
    table = ReportTable('Cap', ['a|b', 'c'], [['x', '1'], ['<b>\ny', '2']], ['ISAL, seed 1: failed'], ['Note.'])
    text = markdown(table)
    assert text == ('**Cap**\n\n| a\\|b | c |\n| :-- | --: |\n| x | 1 |\n| &lt;b> y | 2 |\n\n'
                    '- Missing: ISAL, seed 1: failed\n- Note.\n')


def test_fractions_have_four_decimals_and_per_cent_two():
    assert decimals_for([0.5, -1.5, float('nan')]) == 4
    assert decimals_for([0.5, 93.25]) == 2
    assert decimals_for([]) == 4


def test_cells_of_a_grid_may_be_anything_and_stay_on_one_line():
    lines = markdown_grid(['a', 'b'], ['---', '---'], [(1, 'x |\n\\')])
    assert lines == ['| a | b |', '| --- | --- |', '| 1 | x \\| \\\\ |']
