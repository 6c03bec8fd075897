"""tools/dist_al_train.sh as a user calls it, on a processor."""

import re
import signal
import subprocess
import threading
import time

import pytest

from tests.tools.small_digits import OPTIONS, environment, failing_config, selections
from tests.zoo_configs import ROOT

SCRIPT = ROOT / 'tools' / 'dist_al_train.sh'


def start(cwd, *args, **env):
    return subprocess.Popen(list(map(str, (SCRIPT, *args))), cwd=cwd, env=environment(**env), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_two_machines_find_each_other_by_what_they_were_called_with(tmp_path):
    (tmp_path / 'here').mkdir()
    (tmp_path / 'my.py').write_text(f"_base_ = {str(ROOT / 'configs' / 'resnet_digits_isal.py')!r}\n")
    args = ['../my.py', 1, '--work-dir', '../run', '--cfg-options', *OPTIONS, 'train_cfg.rounds=2']
    both = [start(tmp_path / 'here', *args, NNODES='2', NODE_RANK=str(rank)) for rank in range(2)]
    outputs = [p.communicate(timeout=240)[0] for p in both]
    assert [p.returncode for p in both] == [0, 0], outputs[0][-3000:]
    assert len(selections(tmp_path / 'run')) == 1


@pytest.mark.slow
@pytest.mark.parametrize(('how', 'message'), [('raise', 'rank 1 was told to fail'), ('hang', 'imed out')])
def test_a_rank_that_fails_ends_all_with_its_message(tmp_path, how, message):
    process = start(tmp_path, failing_config(tmp_path, how), 2, '--work-dir', 'run', '--cfg-options', *OPTIONS)
    lines, failed_at = [], None
    for line in process.stdout:
        lines.append(line)
        failed_at = failed_at or (time.monotonic() if message in line else None)
    assert process.wait() == 1
    assert failed_at, ''.join(lines[-40:])
    assert time.monotonic() - failed_at < 60


@pytest.mark.slow
@pytest.mark.parametrize('lost', [0, 1])
def test_a_machine_that_is_lost_ends_the_others(tmp_path, lost):
    """Rank 0's holds the meeting point of all as well."""
    args = [failing_config(tmp_path, 'vanish', lost), 1, '--work-dir', 'run', '--cfg-options', *OPTIONS]
    both = [start(tmp_path, *args, NNODES='2', NODE_RANK=str(rank)) for rank in range(2)]
    output = []
    reader = threading.Thread(target=lambda: output.append(both[1 - lost].communicate()[0]))
    reader.start()  # a full pipe would hold it up
    assert both[lost].wait(timeout=240) == -signal.SIGKILL
    reader.join(timeout=60)
    assert not reader.is_alive()
    assert both[1 - lost].returncode == 1
    assert re.search('onnection (closed|reset) by peer', output[0])


def test_wrong_arguments_are_told(tmp_path):
    process = start(tmp_path, 'config.py')
    assert 'expected CONFIG GPUS' in process.communicate()[0]
    assert process.returncode == 2
