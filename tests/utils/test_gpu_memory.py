"""What can be said of a GPU's memory without one: the errors, and that nothing is asked where there is none."""

import pytest
import torch

from mmal.errors import InputError
from mmal.utils import gpu_memory

TORCH = torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...\nmore lines')
FULL = [TORCH, RuntimeError('CUDA error: out of memory\nCUDA kernel errors might be ...'),
        RuntimeError('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`'),
        RuntimeError('cuDNN error: CUDNN_STATUS_ALLOC_FAILED')]
OTHER = [RuntimeError('CUDA error: device-side assert triggered'), RuntimeError('DefaultCPUAllocator: out of memory'),
         RuntimeError('NCCL error'), ZeroDivisionError('out of memory')]


@pytest.mark.parametrize('error', FULL, ids=str)
def test_a_full_gpu_names_the_settings_that_help(error):
    with pytest.raises(InputError) as raised, gpu_memory.explain_full_gpu('scoring', 'Lower batch_size.'):
        raise error
    first_line = str(error).splitlines()[0]
    assert str(raised.value) == f'The memory of the GPU is full in scoring: {first_line} Lower batch_size.'
    assert raised.value.__cause__ is error


@pytest.mark.parametrize('error', OTHER, ids=str)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as raised, gpu_memory.explain_full_gpu('scoring', 'Lower batch_size.'):
        raise error
    assert raised.value is error


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_all_is_zero():
    gpu_memory.reset_peak()
    assert gpu_memory.peak_bytes() == gpu_memory.passing_bytes() == 0
