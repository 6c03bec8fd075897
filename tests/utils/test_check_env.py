from pathlib import Path

import pytest

from mmal.utils import check_env
from mmal.utils.check_env import Finding, findings, print_report

ROOT = Path(__file__).resolve().parents[2]


def test_this_environment_works():
    found = findings()
    assert not [f for f in found if f.fatal], print_report(found)


@pytest.fixture
def versions(monkeypatch):
    def fake(**installed):
        monkeypatch.setattr(check_env, '_version', lambda name: installed.get(name.replace('-', '_')))
    return fake


def test_two_stacks(versions):
    versions(onedl_mmcv='2.3.6', mmcv='2.1.0')
    (finding, ) = check_env._check_stacks()
    assert finding.fatal
    assert 'pip uninstall onedl-mmcv mmcv' in finding.fix
    versions(mmcv='2.1.0', mmdet='3.3.0')
    assert check_env._check_stacks() == []


@pytest.mark.parametrize(('module', 'look', 'words'), [
    ('torch', '_check_torch', 'torch cannot be imported'),
    ('torchvision', '_check_torchvision', 'does not match torch'),
    ('mmcv.ops', '_check_operators', 'no working compiled operators'),
    ('mmdet', '_check_libraries', 'mmdet cannot be imported'),
    ('cv2', '_check_libraries', 'cv2 cannot be imported')])
def test_what_cannot_be_imported_is_fatal_and_has_a_cure(monkeypatch, module, look, words):
    monkeypatch.setattr(check_env, '_import_error', lambda name: 'ImportError: no' if name == module else None)
    (finding, ) = getattr(check_env, look)()
    assert finding.fatal
    assert words in finding.message
    assert finding.fix


def test_setuptools_without_pkg_resources(monkeypatch, versions):
    monkeypatch.setattr(check_env.importlib.util, 'find_spec', lambda name: None)
    for installed, fatal in (({'mmengine': '0.10.7'}, True), ({'onedl_mmengine': '0.10.12'}, False)):
        versions(**installed)
        (finding, ) = check_env._check_pkg_resources()
        assert finding.fatal is fatal
        assert '<82' in finding.fix


@pytest.mark.parametrize(('cuda', 'words'), [('13.0', 'new enough for CUDA 13.0'), (None, 'build of torch with CUDA')])
def test_where_a_gpu_is_needed_none_is_fatal(monkeypatch, cuda, words):
    monkeypatch.setattr('torch.version.cuda', cuda)
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    fatal = [finding for finding in findings(needs_gpu=True) if finding.fatal]
    assert [finding.message for finding in fatal] == ['a GPU is needed here, and torch sees none']
    assert words in fatal[0].fix
    assert not [finding for finding in findings() if finding.fatal]


def test_the_stack_is_named_and_whether_it_is_as_pinned(versions):
    tested = {'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmdet': '3.3.0', 'mmpretrain': '1.2.0', 'torch': '2.1.2+cu121'}
    versions(**tested)
    (finding, ) = check_env._describe_stack()
    assert finding.message.startswith("openmmlab's stack: mmengine 0.10.7, ")
    assert finding.message.endswith('the versions that mmal names')
    assert not finding.fix
    versions(**tested | {'torch': '2.10.0', 'mmdet': '3.2.0'})
    (finding, ) = check_env._describe_stack()
    assert 'mmdet 3.3.0, torch 2.1;' in finding.fix


def test_the_pinned_versions_are_those_of_the_requirements():
    for stack, torch in (('onedl', 'torch'), ('openmmlab', 'openmmlab-torch')):
        lines = [*(ROOT / f'requirements/{stack}.txt').read_text().split(),
                 *(ROOT / f'requirements/{torch}.txt').read_text().split()]
        for package, version in zip((*check_env.STACKS[stack], 'torch'), check_env.PINNED[stack], strict=True):
            assert any(line == f'{package}=={version}' or line.startswith(f'{package}=={version}.') for line in lines)


def test_one_line_a_finding():
    text = print_report([Finding(True, 'bad', 'mend it'), Finding(False, 'slow', 'wait'), Finding(False, 'good')])
    assert text.splitlines() == ['STOP  bad. Mend it.', 'note  slow. Wait.', 'ok    good.']
