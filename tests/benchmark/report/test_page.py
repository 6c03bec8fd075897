import re
from html.parser import HTMLParser

import pytest

from mmal.benchmark.report.build import write_comparison

VOID = {'meta', 'br', 'link'}


class Page(HTMLParser):
    """Tags in order, and whether every one is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.stack = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope='module')
def unchanged():
    """The page of the unchanged folder, which many tests read, once it is made."""
    return []


@pytest.fixture
def html(folder, unchanged):
    def make(made=None):
        if made is None and unchanged:
            return unchanged[0]
        root = (made or folder()).root
        write_comparison(root)
        text = (root / 'comparison.html').read_text()
        if made is None:
            unchanged.append(text)
        return text

    return make


def test_it_is_well_formed_with_unique_ids(html):
    page = Page(html())
    assert page.stack == []
    ids = [attrs['id'] for _, attrs in page.tags if 'id' in attrs]
    assert len(ids) == len(set(ids))
    links = [a['href'][1:] for a in page.all('a') if a['href'].startswith('#')]
    assert links
    assert set(links) <= set(ids)


def test_landmarks_headings_captions_and_scopes(html):
    page = Page(html())
    assert [len(page.all(t)) for t in ('h1', 'main', 'header', 'nav', 'footer')] == [1] * 5
    assert page.all('html') == [dict(lang='en')]
    levels = [int(t[1]) for t, _ in page.tags if re.fullmatch('h[1-6]', t)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    assert len(page.all('table')) == len(page.all('caption')) > 5
    assert all(th['scope'] in ('row', 'col') for th in page.all('th'))
    charts = [svg for svg in page.all('svg') if svg.get('role') == 'img']
    assert len(charts) == len(page.all('figure')) == len(page.all('figcaption')) == 11


def test_it_is_self_contained(html):
    text = html()
    page = Page(text)
    assert not {'script', 'link', 'img', 'iframe', 'object'} & {tag for tag, _ in page.tags}
    assert all(not a['href'].startswith(('http', '//')) for a in page.all('a'))
    assert not re.search(r'url\((?!#)|@import|\son\w+=', text)
    assert 'prefers-color-scheme: dark' in text


def test_everything_is_escaped(html, folder):
    evil = '<script>alert(1)</script>"\'&'
    made = folder(methods=('random', 'a"><img src=x onerror=y>'), seeds=[0], rounds=2)
    made.record.update(name=evil, commit=evil, command=evil, versions={evil: evil}, config=evil)
    made.curve('random', 0, [0.1, 0.2])
    made.record['seeds'] = [0, 1]
    made.save()
    made.record['runs'].append(dict(method='random', seed=1, folder='x', state='failed', error=evil))
    made.save()
    page = Page(html(made))
    assert page.stack == []
    assert not {'script', 'img'} & {tag for tag, _ in page.tags}


def test_it_says_what_was_compared(html):
    text = html()
    for said in ('Tiny &lt;set&gt; &amp; more', 'python tools/al_compare.py', 'abc123', 'torch 2.12.1', '0, 1, 2',
                 '6 of 6 runs are done'):
        assert said in text
    assert 'not done' not in text


def test_failed_runs_come_first_with_their_whole_error(html, folder):
    made = folder()
    made.fail('ISAL', 1)
    text = html(made)
    assert text.index('id="not-done"') < text.index('id="answer"') < text.index('id="compared"')
    assert 'ISAL, seed 1: failed after 4 rounds' in text
    assert 'CUDA out of memory\nlong trace' in text
    tables = re.findall(r'<table>.*?</table>', text, re.DOTALL)
    assert all('Missing: ISAL, seed 1' in t for t in tables if '<caption>random:' not in t)


def test_rounds_that_lack_the_metric_are_named(html, folder):
    made = folder()
    made.curve('ISAL', 1, [None, 0.2, 0.3])
    as_zero = 'counts as 0 where the detector found nothing and its file has no metric: ISAL, seed 1, round 0.'
    assert as_zero in html(made)
    made = folder(metric='accuracy/top1')
    made.curve('ISAL', 2, [0.1, None, None])
    assert 'was not measured, and no value is assumed: ISAL, seed 2, round 1, 2.' in html(made)


def folded(text):
    """The ids of the headings that a reader must open a section to get behind, in order."""
    return re.findall(r'<details>\s*<summary><h2 id="([^"]+)">', text)


def test_it_opens_with_the_answer_and_folds_what_explains_it(html):
    text = html()
    order = re.findall(r'<h2 id="([^"]+)">', text)
    assert order[:2] == ['answer', 'differences']
    assert order[-1] == 'files'
    assert folded(text) == order[2:-1]
    assert {'compared', 'curves', 'seeds', 'rounds'} <= set(folded(text))
    assert '<details open' not in text


def test_the_answer_comes_before_what_warns_of_it_and_that_before_the_rest(html, folder):
    made = folder()
    made.curve('ISAL', 1, [None, 0.2, 0.3])
    text = html(made)
    assert text.index('id="answer"') < text.index('<p class="warn">') < text.index('id="differences"')


def test_the_kind_of_interval_is_said_once(html):
    assert html().count('95 % t-intervals (Student&#39;s)') == 1


def test_single_seeds_are_drawn_on_demand_only(html):
    text = html()
    assert text.index('<h2 id="seeds">') < text.index('single_seeds_images')
    assert 'one seed' not in text[:text.index('<h2 id="seeds">')]


def test_without_a_baseline_there_are_no_differences(html, folder):
    text = html(folder(baseline=None))
    assert 'id="differences"' not in text
    assert 'There is no baseline that is done: the methods are ranked, and nothing is tested.' in text


def test_a_baseline_that_failed_altogether_leaves_no_differences(html, folder):
    made = folder()
    for seed in (0, 1, 2):
        made.fail('random', seed)
    assert 'id="differences"' not in html(made)
