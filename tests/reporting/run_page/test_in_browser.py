"""The page in a real headless Chromium: what it shows, that it asks no network, and that keys are enough."""

import io

import pytest
from PIL import Image

from mmal.reporting.run_page.page import write_report
from tests.browser import faults, needs_chromium, opened, walk

pytestmark = needs_chromium


def background(page):
    """Commonest colour of the top of the page."""
    with Image.open(io.BytesIO(page.screenshot())) as image:
        return max(image.convert('RGB').crop((0, 0, 900, 300)).getcolors(10**6))[1]


def test_the_content_is_there_and_no_request_leaves(run_dir, data, tmp_path):
    path = write_report(run_dir([1, 2], [3, 4]), data)
    with opened(path) as page:
        assert [url for url in page.asked if not url.startswith('data:')] == [path.as_uri()]
        text = page.content()
    for words in ('Chosen in round 1', 'Earlier rounds', 'pushes most on conv_cls', '&lt;cat&gt;? 88%', 'Settings and'):
        assert words in text
    leaky = tmp_path / 'leaky.html'
    leaky.write_text('<img src="http://pictures.invalid/x.png">')
    with opened(leaky) as page:
        assert 'http://pictures.invalid/x.png' in page.asked, 'a request would have been seen'


@pytest.mark.parametrize(('scheme', 'paper'), [('light', (255, 255, 255)), ('dark', (20, 23, 28))])
def test_light_or_dark_as_the_reader_has_it_and_readable(run_dir, data, scheme, paper):
    with opened(write_report(run_dir([1, 2], [3, 4]), data), color_scheme=scheme) as page:
        assert background(page) == paper
        page.locator('summary').first.click()  # earlier rounds, too
        assert faults(page) == []


def test_keys_come_everywhere_and_open_what_is_folded(run_dir, data):
    with opened(write_report(run_dir([1, 2], [3, 4]), data)) as page:
        stops = walk(page)
        assert stops[0][1] == 'Skip to the content'
        assert all(visible for *_, visible in stops), 'where one is can be seen'
        assert len(stops) == page.locator('a[href], summary, [tabindex="0"]').count(), 'nothing is passed over'
        page.locator('summary').first.focus()
        page.keyboard.press('Enter')
        assert page.locator('details').first.get_attribute('open') is not None


def test_the_skip_link_leads_past_the_navigation(run_dir, data):
    with opened(write_report(run_dir([1]), data)) as page:
        page.keyboard.press('Tab')
        page.keyboard.press('Enter')
        page.keyboard.press('Tab')
        assert page.evaluate('document.querySelector("main").contains(document.activeElement)')


def test_a_narrow_screen_needs_no_sideways_scrolling(run_dir, data):
    """Wide charts and tables scroll inside of their own regions."""
    with opened(write_report(run_dir([1, 2]), data), viewport=dict(width=360, height=600)) as page:
        assert 0 < page.evaluate('document.documentElement.scrollWidth') <= 360
        assert faults(page) == [], 'what scrolls can be scrolled by keys'


def test_a_fault_would_be_found(tmp_path):
    path = tmp_path / 'bad.html'
    path.write_text('<p style="color: #ddd; background: #fff">pale</p><img src="data:,">'
                    '<a href="#" style="outline: none">x</a>')
    with opened(path) as page:
        assert {'color-contrast', 'image-alt'} <= {name for name, _ in faults(page)}
        assert walk(page) == [('a', 'x', False)]
