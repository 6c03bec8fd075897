"""The page of a comparison in a real headless Chromium."""

import pytest

from mmal.benchmark.report.build import write_comparison
from tests.browser import faults, needs_chromium, opened, walk

pytestmark = needs_chromium


@pytest.fixture
def path(folder):
    root = folder().root
    write_comparison(root)
    return root / 'comparison.html'


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_it_is_readable_in_both_schemes_and_asks_for_nothing(path, scheme):
    with opened(path, color_scheme=scheme) as page:
        assert faults(page) == []
        assert [url for url in page.asked if not url.startswith('data:')] == [path.as_uri()]


def test_keys_come_everywhere(path):
    with opened(path) as page:
        stops = walk(page)
        assert all(visible for *_, visible in stops), 'where one is can be seen'
        assert len(stops) == page.locator('a[href], summary, [tabindex="0"]').count(), 'nothing is passed over'


def test_a_narrow_screen_needs_no_sideways_scrolling(path):
    with opened(path, viewport=dict(width=360, height=600)) as page:
        assert 0 < page.evaluate('document.documentElement.scrollWidth') <= 360
        assert faults(page) == [], 'what scrolls can be scrolled by keys'
