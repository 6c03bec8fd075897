import copyreg

import pytest

from mmal.distributed.rank_zero import run_on_rank_zero
from tests.processes import together


class ByKeyword(Exception):
    """Cannot be made again from its args, as errors of web clients."""

    def __init__(self, *, status):
        super().__init__(f'status {status}')


def said(error):
    def work():
        raise error
    try:
        run_on_rank_zero(work)
    except Exception as e:  # noqa: BLE001  that is what is asked
        return f'{type(e).__name__}: {e}'


class Local(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.file = open(__file__)  # noqa: SIM115  cannot be sent


@pytest.mark.parametrize(('make', 'there'), [
    (lambda: ValueError('x'), 'ValueError: x'), (lambda: ByKeyword(status=500), 'RuntimeError: ByKeyword: status 500'),
    (lambda: Local('x'), 'RuntimeError: Local: x')], ids=['plain', 'not made again', 'not sent'])
def test_an_error_reaches_all_processes(tmp_path, monkeypatch, make, there):
    from mmengine import dist

    for error in (ByKeyword, Local):  # dask, once imported, makes errors of every kind ones that can be sent
        monkeypatch.delitem(copyreg.dispatch_table, error, raising=False)

    def work():
        found = said(make())
        assert found == (there.removeprefix('RuntimeError: ') if dist.get_rank() == 0 else there)
        return found

    assert together(2, tmp_path / 'group', work)
