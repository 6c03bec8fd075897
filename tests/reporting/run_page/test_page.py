import logging
import os
import re
import shutil

import pytest

from mmal.fileio.checksummed import write_checksummed
from mmal.fileio.text import write_json
from mmal.reporting.run_page.page import EARLIER, LATEST, renew_report, write_report
from mmal.run.layout import RunPaths
from tests.benchmark.report.test_page import Page

LOG = logging.getLogger()


def test_a_whole_page_is_well_formed_escaped_and_links_to_nothing(run_dir, data):
    work_dir = run_dir([1, 2], [3, 5])
    config = {'train_cfg.query': "'<2>'", 'model.type': "'FCOS'"}
    write_checksummed(RunPaths(work_dir).manifest, dict(seed=3, config=config))
    text = write_report(work_dir, data).read_text()
    page = Page(text)
    assert page.stack == []
    ids = [attrs['id'] for _, attrs in page.tags if 'id' in attrs]
    assert len(ids) == len(set(ids))
    targets = [a['href'] for a in page.all('a')]
    assert {t[1:] for t in targets} <= set(ids)
    assert all(t.startswith('#') for t in targets)
    assert not re.search(r'(src|href)="(?!#|data:)', text)
    assert not page.all('script')
    assert '<1>' not in text
    assert '<cat>' not in text
    assert '&lt;2&gt;' in text
    assert '2 rounds are trained and evaluated; 5 of 6 images are labeled.' in text
    assert 'No picture: FileNotFoundError' in text
    assert all(a.get('aria-label') for a in page.all('svg') if a.get('role') == 'img' and 'aria-labelledby' not in a)
    assert [a['open'] for a in page.all('details') if 'open' in a] == []
    levels = [int(t[1]) for t, _ in page.tags if re.fullmatch('h[1-6]', t)]
    assert levels == [1] + [2] * (len(levels) - 1)


def test_what_waits_for_labels_is_shown(run_dir, data):
    text = write_report(run_dir([1], [2, 3], upto='describe'), data).read_text()
    assert 'Round 1 has chosen 2 images, which are not labeled yet.' in text
    assert 'Chosen in round 1' in text


def test_a_last_round_that_was_evaluated_is_no_round_that_has_begun(run_dir, data):
    work_dir = run_dir([1], [2, 3], upto='evaluate')
    text = write_report(work_dir, data).read_text()
    assert '2 rounds are trained and evaluated; 2 of 6 images are labeled.' in text
    assert 'Round 1 has' not in text
    assert 'Chosen in round 0' in text
    write_checksummed(RunPaths(work_dir).round(1).record, dict(train=dict(seconds=1.0)))
    text = write_report(work_dir, data).read_text()
    assert '1 round is trained and evaluated; 2 of 6 images are labeled. Round 1 has begun.' in text


def test_a_run_that_has_just_begun_and_one_whose_images_were_lost(run_dir, data, tmp_path):
    assert 'No model of the run is evaluated yet.' in write_report(tmp_path, data).read_text()
    assert 'Ranked by its influence of −5' in write_report(run_dir([1, 2], lost=True), data).read_text()


def test_pictures_are_few(run_dir, data, monkeypatch):
    monkeypatch.setitem(LATEST, 'max_cards', 2)
    monkeypatch.setitem(EARLIER, 'max_cards', 1)
    text = write_report(run_dir([1, 2], [3, 4, 5]), data).read_text()
    assert '1 more image is not shown' in text
    assert text.count('data:image/png') + text.count('data:image/jpeg') == 2 * 2 + 1


def test_it_is_drawn_again_only_where_a_round_came_further(run_dir, data, monkeypatch):
    drawn = []
    monkeypatch.setattr('mmal.reporting.run_page.page.write_report', lambda *args: drawn.append(1))
    work_dir = run_dir([1], [2])
    renew_report(work_dir, data, LOG)
    assert len(drawn) == 1
    (work_dir / 'report.html').write_text('')
    renew_report(work_dir, data, LOG)
    assert len(drawn) == 1
    later = (work_dir / 'report.html').stat().st_mtime_ns + 10**9
    shutil.copytree(work_dir / 'round_00', work_dir / 'round_00_bak')
    os.utime(work_dir / 'round_00_bak' / 'phases.json', ns=(later, later))
    renew_report(work_dir, data, LOG)
    assert len(drawn) == 1, 'a copied folder is no round'
    os.utime(work_dir / 'round_00' / 'phases.json', ns=(later, later))
    renew_report(work_dir, data, LOG)
    assert len(drawn) == 2


def test_a_page_that_fails_is_a_warning(run_dir, data, caplog):
    work_dir = run_dir([1])
    write_json(work_dir / 'round_00' / 'chosen.json', dict(images=[dict(id=2)]))
    with caplog.at_level(logging.WARNING):
        renew_report(work_dir, data, LOG)
    assert 'report.html was not renewed; the run goes on. KeyError' in caplog.text
    with pytest.raises(KeyError):
        write_report(work_dir, data)
