"""Our pages in a real headless Chromium, driven by Playwright."""

import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which('chromium')
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason='chromium is not installed')


@contextmanager
def opened(path, **context):
    """The page of a file, opened with ``context`` (color_scheme, viewport, ...); ``asked`` is what it fetches."""
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
        page = browser.new_page(**context)
        page.asked = []
        page.on('request', lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        yield page
        browser.close()


def faults(page):
    """What axe-core finds against the accessibility guidelines (WCAG) and good practice, with the place of each."""
    from axe_playwright_python.sync_playwright import Axe
    return [(found['id'], node['html']) for found in Axe().run(page).response['violations'] for node in found['nodes']]


def walk(page, most=500):
    """Selectors of what the Tab key comes to, in order, each with whether its focus can be seen."""
    stops = []
    for _ in range(most):
        page.keyboard.press('Tab')
        stop = page.evaluate("""() => {
            const e = document.activeElement, style = getComputedStyle(e);
            return e === document.body ? null : [e.tagName.toLowerCase(), e.textContent.trim().slice(0, 40),
                style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0];
        }""")
        if stop is None:
            return stops
        stops.append(tuple(stop))
    raise AssertionError(f'The Tab key did not come to an end: {stops[-3:]}')
