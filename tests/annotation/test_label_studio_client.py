"""What needs no server; tests/oracles/test_label_studio.py has more."""

from mmal.annotation.label_studio_client import error_message


def test_a_servers_words_are_cut_to_a_line():
    body = dict(detail='Validation error', exc_info=None, validation_errors=dict(title=['Too short.']))
    assert error_message(body) == 'Validation error Too short'
    assert error_message('<html>\n' + 1000 * 'x').startswith('<html> xxx')
    assert len(error_message('x' * 1000)) < 310
    assert error_message(dict(error='odd')) == "{'error': 'odd'}"
