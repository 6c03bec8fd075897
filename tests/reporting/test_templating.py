import pytest
from jinja2 import UndefinedError

from mmal.reporting.templating import template_environment


def test_what_is_inserted_is_escaped_and_what_is_not_given_is_an_error():
    template = template_environment().from_string('<p>{{ name }}</p>')
    assert template.render(name='<b>') == '<p>&lt;b&gt;</p>'
    with pytest.raises(UndefinedError, match="'name' is undefined"):
        template.render()


def test_the_pages_are_found():
    assert {'report.html.j2', 'comparison.html.j2'} <= set(template_environment().list_templates())
