from mmal.reporting.components import ReportTable, markdown, number, signed


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
