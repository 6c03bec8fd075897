import pkgutil
import subprocess
import sys

from mmal.benchmark import stats
from tests.zoo_configs import ROOT

HOSTS = {'torch', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain'}


def test_no_module_loads_a_host_library():
    modules = [f'mmal.benchmark.stats.{module.name}' for module in pkgutil.iter_modules(stats.__path__)]
    assert 'mmal.benchmark.stats.selection' in modules
    code = (f'import sys, mmal.benchmark.results, {", ".join(modules)}; '
            f'print([m for m in sys.modules if m.split(".")[0] in {HOSTS}])')
    out = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == '[]'
