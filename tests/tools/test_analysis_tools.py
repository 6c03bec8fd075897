"""The tools that look at finished runs, called as a user calls them."""

import runpy
import sys

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from mmal.fileio.text import read_csv, read_json, write_json
from tests.zoo_configs import ROOT


@pytest.fixture
def call(monkeypatch, capsys):
    """Call a tool; returns its exit status or last words, and what it printed."""
    def go(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [f'{tool}.py', *map(str, arguments)])
        status = 0
        try:
            runpy.run_path(str(ROOT / 'tools' / 'analysis_tools' / f'{tool}.py'), run_name='__main__')
        except SystemExit as e:
            status = e.code
        said = capsys.readouterr()
        return status, said.out + said.err
    return go


def has(path, colour):
    return (np.asarray(Image.open(path).convert('RGB')) == colour).all(axis=2).any()


def test_on_a_run_of_detection(make_cfg, run, call, tmp_path, monkeypatch):
    work_dir = run(make_cfg(rounds=3, max_epochs=1, sampler=dict(type='mmal.RandomSampler')))
    chosen = [read_json(work_dir / f'round_0{n}' / 'selected.json') for n in range(2)]
    status, said = call('browse_selection', work_dir, '--not-show', '--output-dir', tmp_path / 'seen')
    assert status == 0, said
    seen = sorted(p.name for p in (tmp_path / 'seen').iterdir())
    assert seen == [f'{rank:04d}_{i}.png' for rank, i in enumerate(chosen[1])]
    assert Image.open(tmp_path / 'seen' / seen[0]).size == (64 * 6, 48 * 6)
    assert has(tmp_path / 'seen' / seen[0], (255, 255, 0))
    call('browse_selection', work_dir, '--not-show', '--output-dir', tmp_path / 'first', '--round', 0)
    assert len(list((tmp_path / 'first').iterdir())) == len(chosen[0])
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    assert 'no display' in str(call('browse_selection', work_dir)[0])
    assert 'nothing to do' in call('browse_selection', work_dir, '--not-show')[1]
    said = str(call('browse_selection', tmp_path, '--not-show', '--output-dir', 'x')[0])
    assert 'holds no round whose chosen images are labeled' in said

    described = read_json(work_dir / 'round_01' / 'chosen.json')
    described['images'][0]['predictions'] = [dict(bbox=[1.0, 2.0, 30.0, 20.0], label=1, score=0.7)]
    write_json(work_dir / 'round_01' / 'chosen.json', described)
    status, said = call('export_coco', work_dir)
    assert status == 0, said
    labels, predictions = (read_json(work_dir / 'coco' / f'{n}.json') for n in ('labels', 'predictions'))
    assert [i['id'] for i in labels['images']] == [i for ids in chosen for i in ids]
    assert labels['images'] == predictions['images']
    scores = {row['id']: float(row['score']) for row in read_csv(work_dir / 'round_01' / 'scores.csv')}
    truth = [a for a in read_json(work_dir / 'round_01' / 'labeled.json')['annotations']
             if a['image_id'] == chosen[1][0]]
    mine = [a for a in labels['annotations'] if a['image_id'] == chosen[1][0]]
    assert [a['bbox'] for a in mine] == [a['bbox'] for a in truth]
    assert mine[0]['al_round'] == 1
    assert mine[0]['al_rank'] == 0
    assert mine[0]['al_score'] == scores[str(chosen[1][0])]
    found = [a for a in predictions['annotations'] if a['image_id'] == chosen[1][0]]
    names = {c['id']: c['name'] for c in predictions['categories']}
    assert [(a['bbox'], names[a['category_id']], a['score'], a['al_rank']) for a in found] == [
        ([1.0, 2.0, 30.0, 20.0], 'square', 0.7, 0)]
    read = COCO(str(work_dir / 'coco' / 'labels.json'))
    assert COCO(str(work_dir / 'coco' / 'predictions.json')).getImgIds() == read.getImgIds()
    assert Image.open(read.loadImgs(chosen[0][0])[0]['file_name']).size == (64, 48)
    (work_dir / 'round_00' / 'chosen.json').unlink()
    call('export_coco', work_dir, '--round', 0, '--output-dir', tmp_path / 'old')
    assert not read_json(tmp_path / 'old' / 'predictions.json')['annotations']


def test_curves_of_runs(call, tmp_path):
    for name, values in (('a', (0.1, 0.3)), ('b', (0.2, 0.25))):
        write_json(tmp_path / f'{name}.json', [
            dict(round=n, images=10 * (n + 1), boxes=30 * (n + 1), metrics={'coco/bbox_mAP': v, 'mine': 1 - v},
                 seconds=dict(train=5.0, evaluate=1.0, score=2.0)) for n, v in enumerate(values)])
    runs, out = [tmp_path / 'a.json', tmp_path / 'b.json'], tmp_path / 'curves.png'
    status, said = call('plot_curves', *runs, '--out', out)
    assert (status, said) == (0, f'coco/bbox_mAP of 2 runs: {out}\n')
    assert Image.open(out).width == 1080
    status, said = call('plot_curves', *runs, '--out', out, '--x', 'seconds', '--metric', 'mine', '--legend', 'A', 'B')
    assert said.startswith('mine of 2 runs')
    assert Image.open(out).width == 720
    assert "no run has 'mIoU'; found coco/bbox_mAP, mine" in str(call('plot_curves', *runs, '--metric', 'mIoU')[0])
    assert 'expected a name for each of the 2 runs' in call('plot_curves', *runs, '--legend', 'A')[1]
    assert 'names that differ' in str(call('plot_curves', *runs, '--legend', 'A', 'A')[0])
    assert 'holds no finished round' in str(call('plot_curves', tmp_path)[0])


def test_print_config(call, tmp_path, monkeypatch):
    config = ROOT / 'configs' / 'resnet_digits_isal.py'
    status, said = call('print_config', config, '--cfg-options', 'train_cfg.query=7', '--save-path', tmp_path / 'c.py')
    assert status == 0
    assert 'query=7' in said
    assert "type='mmal.ActiveLoop'" in (tmp_path / 'c.py').read_text()
    assert 'expected an ending of .py .json .yml' in str(call('print_config', config, '--save-path', 'c.txt')[0])
    assert 'Config file not found' in str(call('print_config', 'nowhere.py')[0])
