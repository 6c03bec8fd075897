"""The page of a comparison in a real headless Chromium."""

import pytest

from mmal.benchmark.report.build import write_comparison
from tests.benchmark.conftest import METRIC, Folder
from tests.browser import faults, needs_chromium, opened, walk

pytestmark = needs_chromium


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    root = tmp_path_factory.mktemp('page') / 'comparison'
    made = Folder(root, ('random', 'ISAL'), (0, 1, 2), 4, True, 'random', None, METRIC)
    write_comparison(made.root)
    return made.root / 'comparison.html'


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_it_is_readable_in_both_schemes_and_asks_for_nothing(path, scheme):
    with opened(path, color_scheme=scheme) as page:
        assert faults(page) == []
        unfold(page)
        assert faults(page) == []
        assert [url for url in page.asked if not url.startswith('data:')] == [path.as_uri()]


STOPS = 'a[href], summary, [tabindex="0"]'


def unfold(page):
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")


@pytest.mark.parametrize('unfolded', [False, True])
def test_keys_come_everywhere(path, unfolded):
    with opened(path) as page:
        if unfolded:
            unfold(page)
        stops = walk(page)
        assert all(visible for *_, visible in stops), 'where one is can be seen'
        assert len(stops) == page.locator(STOPS).locator('visible=true').count(), 'nothing is passed over'
        assert (len(stops) == page.locator(STOPS).count()) == unfolded


def test_what_is_folded_opens_with_a_key(path):
    with opened(path) as page:
        chart = page.locator('svg:has(#learning_curves_images-name)')
        assert not chart.is_visible()
        page.locator('summary', has_text='Learning curves').focus()
        page.keyboard.press('Enter')
        assert chart.is_visible()


@pytest.mark.parametrize('unfolded', [False, True])
def test_a_narrow_screen_needs_no_sideways_scrolling(path, unfolded):
    with opened(path, viewport=dict(width=360, height=600)) as page:
        if unfolded:
            unfold(page)
        assert 0 < page.evaluate('document.documentElement.scrollWidth') <= 360
        assert faults(page) == [], 'what scrolls can be scrolled by keys'


TABLE = '#answer ~ .scroll'


def test_on_a_narrow_screen_the_answer_comes_first_and_its_table_keeps_the_names_while_it_scrolls(path):
    with opened(path, viewport=dict(width=360, height=640)) as page:
        assert page.locator('#answer ~ p').first.bounding_box()['y'] < 400
        assert page.evaluate(f"document.querySelector('{TABLE}').scrollWidth") > 360
        name = page.locator(f'{TABLE} tbody th').first
        before = name.bounding_box()
        page.evaluate(f"document.querySelector('{TABLE}').scrollLeft = 200")
        assert name.bounding_box() == before
        assert before['width'] < 180, 'room is left for the values'
