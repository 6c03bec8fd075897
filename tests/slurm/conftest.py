import pytest

from tests.slurm.cluster import INSTALL, cluster, missing
from tests.tools.small_digits import environment


@pytest.fixture(scope='session')
def slurm():
    """Environment in which slurm's commands and ours work."""
    if programs := missing():
        pytest.exit(f'These tests start a small slurm cluster on this machine. Not installed: {", ".join(programs)}. '
                    f'Install them: {INSTALL}', returncode=2)
    with cluster() as env:
        yield environment(env)
