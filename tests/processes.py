"""Run a function in several real processes of one group, or a program in a child of this process."""

import os
import pickle
import runpy
import subprocess
import sys
import traceback
from datetime import timedelta
from pathlib import Path

import torch.distributed


def apart(world, folder, work):
    """What ``work(rank)`` gives in rank 0 of several processes; AssertionError if any of them fails."""
    folder.mkdir(exist_ok=True)
    children = []
    for rank in range(world):
        child = os.fork()
        if not child:
            code = 1
            try:
                result = work(rank)
                (folder / f'result_{rank}').write_bytes(pickle.dumps(result if rank == 0 else None))
                code = 0
            except BaseException:  # noqa: BLE001  told below
                (folder / f'error_{rank}').write_text(traceback.format_exc())
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * world, ''.join(p.read_text() for p in sorted(folder.glob('error_*')))
    return pickle.loads((folder / 'result_0').read_bytes())


def together(world, folder, work):
    """What ``work()`` gives in rank 0 of a gloo group of ``world`` processes; AssertionError if any of them fails."""
    def member(rank):
        torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank,
                                             world_size=world, timeout=timedelta(seconds=60))
        return work()

    try:
        return apart(world, folder, member)
    finally:
        (folder / 'store').unlink(missing_ok=True)


def program(script, *args, cwd, **env):
    """What ``python script args`` ends with, called in a fork of this process, which has imported what takes seconds.

    It is for what a fresh interpreter adds nothing to. ``subprocess`` tells whether a program finds all it needs.
    """
    files = [Path(cwd) / f'.{name}_of_{os.getpid()}' for name in ('stdout', 'stderr')]
    child = os.fork()
    if not child:
        status = 1
        try:
            for number, file in enumerate(files, 1):
                os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.stdout, sys.stderr = os.fdopen(1, 'w'), os.fdopen(2, 'w')
            os.environ.update(env)
            os.chdir(cwd)
            status = _status(script, args)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    stdout, stderr = (file.read_text() for file in files)
    for file in files:
        file.unlink()
    return subprocess.CompletedProcess([script, *args], status, stdout, stderr)


def _status(script, args):
    """What the interpreter would end with, and print at the end."""
    sys.argv = [str(script), *map(str, args)]
    try:
        runpy.run_path(str(script), run_name='__main__')
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:  # noqa: BLE001  as the interpreter does
        traceback.print_exc()
        return 1
    return 0
