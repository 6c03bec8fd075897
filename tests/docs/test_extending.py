"""The sampler, the solver, the oracle and the hook of docs/extending.md, as they stand there."""

import importlib
import sys

import pytest
import torch

from mmal.fileio.text import read_csv, read_json
from mmal.influence.solvers.dense import Dense
from tests.docs.pages import ROOT, blocks
from tests.influence.matrices import Matrices

FILES = {text.split('\n')[0].removeprefix('# '): text for text in blocks(ROOT / 'docs' / 'extending.md', 'python')}
NAMES = ('crowded', 'diagonal', 'sloppy', 'notify')


@pytest.fixture(scope='module', autouse=True)
def _files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('own')
    for name in NAMES:
        (folder / f'{name}.py').write_text(FILES[f'{name}.py'])
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


def test_the_page_has_four_files_and_a_config():
    assert set(FILES) == {'my_run.py', *(f'{name}.py' for name in NAMES)}


def test_sampler_and_oracle_run(make_cfg, run):
    from mmengine.utils import import_modules_from_strings
    import_modules_from_strings(list(NAMES), allow_failed_imports=False)  # what custom_imports of a config file does
    cfg = make_cfg(rounds=2, max_epochs=1, sampler=dict(type='mmal.CrowdedSampler', score_thr=0.002),
                   oracle=dict(type='mmal.SloppyOracle', missing=0.5, note='hasty'))
    cfg.custom_hooks.append(dict(type='mmal.NotifyHook'))
    work_dir = run(cfg)
    rows = read_csv(work_dir / 'round_00' / 'scores.csv')
    assert [-int(r['pseudo_boxes']) for r in rows] == [float(r['score']) for r in rows]
    boxes = [int(r['pseudo_boxes']) for r in rows]
    assert boxes == sorted(boxes, reverse=True)
    assert max(boxes) > 0
    truth = read_json(work_dir.parent / 'set' / 'train.json')
    labeled = read_json(work_dir / 'round_00' / 'labeled.json')
    known = [a for a in truth['annotations'] if a['image_id'] in {i['id'] for i in labeled['images']}]
    assert 0 < len(labeled['annotations']) < len(known)
    files = {i['id']: str(work_dir.parent / 'set' / i['file_name']) for i in truth['images']}
    selected = read_json(work_dir / 'round_00' / 'selected.json')
    assert len(selected) == 3
    assert (work_dir / 'query_00.txt').read_text().splitlines() == [files[i] for i in selected]
    settings = read_json(work_dir / 'run.json')['config']
    assert 'train_cfg.oracle.missing' in settings
    assert 'train_cfg.oracle.note' not in settings


def test_the_solver_divides_by_the_diagonal_and_fits_the_hook():
    solver = importlib.import_module('diagonal').DiagonalSolver(damping=0.5, probes=3)
    diagonal = Matrices([torch.diag(torch.tensor([4.0, 1.0, 0.0]))])
    v = torch.tensor([1.0, -2.0, 3.0])
    solution = solver.solve(v, diagonal)
    torch.testing.assert_close(solution.x, v / torch.tensor([4.5, 1.5, 0.5]))
    assert set(Dense().solve(v, diagonal).report) <= set(solution.report)
    from mmal.engine.hooks.stest_hook import StestHook
    hook = StestHook(solver=dict(type='mmal.DiagonalSolver', probes=7))
    assert (hook.settings.solver.probes, type(hook.settings.solver).__name__) == (7, 'DiagonalSolver')


def test_the_config_names_what_is_there(monkeypatch, tmp_path):
    from mmengine.config import Config
    (tmp_path / 'my_run.py').write_text(FILES['my_run.py'].replace("'configs/", f"'{ROOT}/configs/"))
    monkeypatch.chdir(ROOT)
    cfg = Config.fromfile(tmp_path / 'my_run.py')
    assert set(cfg.custom_imports['imports']) == set(NAMES)
    assert cfg.train_cfg.sampler == dict(type='mmal.CrowdedSampler', score_thr=0.2)
    assert cfg.train_cfg.oracle == dict(type='mmal.SloppyOracle', missing=0.2)
    assert cfg.train_cfg.initial == 80
    assert [hook.type for hook in cfg.custom_hooks] == ['mmal.StestHook', 'mmal.NotifyHook']
