"""Labels are brought in without waiting for a host library."""

import subprocess
import sys

from tests.test_architecture import HOSTS
from tests.zoo_configs import ROOT

CODE = f"""
import importlib, pkgutil, sys
import mmal.annotation
for module in pkgutil.walk_packages(mmal.annotation.__path__, 'mmal.annotation.'):
    importlib.import_module(module.name)
print([m for m in sys.modules if m.split('.')[0] in {HOSTS | {'label_studio_sdk'}}])
"""


def test_no_module_loads_a_host_library_or_the_sdk():
    out = subprocess.run([sys.executable, '-c', CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == '[]'
