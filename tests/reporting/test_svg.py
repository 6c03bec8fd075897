import re
from xml.etree import ElementTree

import pandas as pd

from mmal.reporting.charts import draw_shares
from mmal.reporting.svg import inline


def chart(name='cat'):
    return draw_shares(pd.DataFrame(dict(a=[1.0]), index=[name]), ['a'], 'share').svg


def test_ids_are_its_own_and_references_follow():
    text = inline(chart(), 'fig', 'A chart')
    ids = set(re.findall(r'\sid="([^"]*)"', text))
    assert ids
    assert all(i.startswith('fig-') for i in ids)
    references = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', text))
    assert references
    assert {a or b for a, b in references} <= ids


def test_it_has_a_name_and_is_xml():
    root = ElementTree.fromstring(inline(chart(), 'fig', 'A <chart>'))
    assert root.attrib['role'] == 'img'
    assert root[0].text == 'A <chart>'
    assert root.attrib['aria-labelledby'] == root[0].attrib['id']


def test_colours_come_from_the_page():
    text = inline(chart(), 'fig', 'A chart')
    assert 'var(--series-0, #0072b2)' in text
    assert 'var(--ink, #1f2328)' in text
    assert not re.search(r'(fill|stroke): #(ffffff|1f2328|0072b2)', text)


def test_text_of_a_user_stays_as_it_is():
    text = inline(chart('id="x" #1f2328 url(#a)'), 'fig', 'A chart')
    assert '#1f2328 url(#' in text
    assert '<style' not in text
    assert '<metadata' not in text
