"""A run of two processes that people label: all of them end while it waits, and go on together."""

import os
import runpy
import shutil
import socket
import sys

import pytest

from mmal.fileio.checksummed import read_checksummed, write_checksummed
from mmal.fileio.text import read_json
from tests.oracles.test_human import boxes_in, label, of_people, said
from tests.processes import apart
from tests.zoo_configs import ROOT

pytestmark = pytest.mark.usefixtures('no_drawing')


def al_train(config, work_dir, folder):
    """Call al_train.py in two processes, as torchrun does; AssertionError unless both end with status 0."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]

    def work(rank):
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1',
                          MASTER_PORT=str(port))
        sys.argv = ['al_train.py', str(config), '--work-dir', str(work_dir), '--launcher', 'pytorch', '--resume']
        runpy.run_path(str(ROOT / 'tools' / 'al_train.py'), run_name='__main__')

    apart(2, folder, work)


def forget_the_query(work_dir):
    """Make a run one whose model is trained and evaluated, and has chosen nothing yet."""
    record = work_dir / 'round_00' / 'phases.json'
    write_checksummed(record, {k: v for k, v in read_checksummed(record).items() if k in ('train', 'evaluate')})
    shutil.rmtree(work_dir / 'round_00' / 'to_label')


def test_two_processes_wait_and_go_on_to_the_labeled_sets_of_one(make_cfg, run, dataset, tmp_path):
    """One process goes on from the model of the two: a batch of two processes is larger, and its model another."""
    cfg, two, one = of_people(make_cfg, dataset, rounds=2), tmp_path / 'two', tmp_path / 'one'
    cfg.dump(tmp_path / 'people.py')
    for batch in ('initial', 'round_00'):
        al_train(tmp_path / 'people.py', two, tmp_path / f'to_{batch}')
        assert said(two).count(f'images of batch {batch} wait for labels') == 1
        assert not (two / batch / 'labeled.json').exists()
        if batch == 'round_00':
            shutil.copytree(two, one)
        label(two / batch, dataset)
    al_train(tmp_path / 'people.py', two, tmp_path / 'to_the_end')
    forget_the_query(one)
    for _ in range(2):
        run(of_people(make_cfg, dataset, one, rounds=2))
        if not (one / 'round_00' / 'labeled.json').exists():
            label(one / 'round_00', dataset)
    assert len(read_json(two / 'round_00' / 'labeled.json')['images']) == 9
    for name in ('initial.json', 'round_00/labeled.json'):
        assert boxes_in(two, name) == boxes_in(one, name)
