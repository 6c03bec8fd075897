import subprocess
import sys

import torch

from mmal.utils.collect_env import collect_env, describe_gpus, package_versions


def test_environment_has_versions_device_processor_and_threads():
    environment = collect_env()
    assert package_versions().items() <= environment.items()
    assert {'torch', 'device', 'processor', 'threads'} <= set(environment)
    assert all(isinstance(value, str) for value in environment.values())


def test_versions_need_neither_torch_nor_mmengine():
    code = ('import sys; from mmal.utils.collect_env import package_versions; package_versions(); '
            'sys.exit(bool({"torch", "mmengine"} & set(sys.modules)))')
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0


def test_gpus_are_named_and_counted_with_the_flags_of_their_sums(monkeypatch):
    names = ['H100', 'A100', 'H100']
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: len(names))
    monkeypatch.setattr(torch.cuda, 'get_device_name', names.__getitem__)
    monkeypatch.setattr(torch.backends.cudnn, 'version', lambda: 91002)
    found = describe_gpus()
    assert found['gpu'] == '1 x A100, 2 x H100'
    assert {'cuda', 'cudnn', 'float32_matmul_precision', 'cudnn_tf32', 'cudnn_deterministic',
            'cudnn_benchmark'} <= set(found)
    assert all(isinstance(value, str) for value in found.values())


def test_without_a_gpu_none_is_described(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert describe_gpus() == {}
