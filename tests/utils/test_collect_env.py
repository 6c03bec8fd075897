import subprocess
import sys

from mmal.utils.collect_env import collect_env, package_versions


def test_environment_has_versions_device_processor_and_threads():
    environment = collect_env()
    assert package_versions().items() <= environment.items()
    assert {'torch', 'device', 'processor', 'threads'} <= set(environment)
    assert all(isinstance(value, str) for value in environment.values())


def test_versions_need_neither_torch_nor_mmengine():
    code = ('import sys; from mmal.utils.collect_env import package_versions; package_versions(); '
            'sys.exit(bool({"torch", "mmengine"} & set(sys.modules)))')
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0
