"""The page of a real run, drawn again by the tool."""

import runpy
import webbrowser

import pytest

from tests.zoo_configs import ROOT


@pytest.fixture
def al_report(monkeypatch):
    def go(*argv):
        monkeypatch.setattr('sys.argv', ['al_report.py', *map(str, argv)])
        runpy.run_path(str(ROOT / 'tools' / 'al_report.py'), run_name='__main__')

    return go


def test_drawn_again_and_opened(make_cfg, run, al_report, monkeypatch, capsys):
    work_dir = run(make_cfg(rounds=2, max_epochs=1))
    first = (work_dir / 'report.html').read_text()
    (work_dir / 'report.html').unlink()
    opened = []
    monkeypatch.setattr(webbrowser, 'open', lambda uri: opened.append(uri) or True)
    al_report(work_dir, '--open')
    assert opened == [(work_dir / 'report.html').as_uri()]
    assert 'Report: ' in capsys.readouterr().out
    assert (work_dir / 'report.html').read_text() == first
    for text in ('Chosen in round 0', 'pushes most on bbox_head', 'of the classes most on class', 'data:image/png',
                 'Nearest labeled image', 'solid: revealed by labeling', 's_test of every query', 'train_cfg.query'):
        assert text in first
    monkeypatch.setattr(webbrowser, 'open', lambda uri: False)
    with pytest.raises(SystemExit, match='open the file yourself'):
        al_report(work_dir, '--open')


def test_a_folder_that_is_no_run(al_report, tmp_path):
    with pytest.raises(SystemExit, match='holds no config'):
        al_report(tmp_path)
