"""A GPU without a GPU: tensors in the CPU's memory that say they are on 'cuda', and refuse what CUDA refuses.

A :class:`DeviceTensor` is an ordinary tensor of the CPU with a class of its own. Every torch function that gets one, or
that is asked for a tensor on 'cuda', passes through :func:`_call`, which

* refuses what CUDA refuses: tensors of both kinds in one operator, ``.numpy()``, generators of the other kind;
* marks results as being on the device;
* counts transfers to the host, see :mod:`tests.emulation.transfers`.

The kernels are those of the CPU, and so are mmcv's and torchvision's compiled operators: what is computed is the same
to the last digit. Forward-mode differentiation works, too.

What it cannot show: kernels of CUDA that compute something else or have no second derivative, memory, speed, and mixed
devices inside of a backward pass (gradients are marked when ``torch.autograd.grad`` returns them).
"""

import contextlib

import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_flatten, tree_map

from tests.emulation.transfers import record_transfer

DEVICE = torch.device('cuda', 0)
CPU = torch.device('cpu')

MIXES = {'copy_', '__deepcopy__', 'to', 'type_as', 'is_same_size', 'set_', 'data.__set__', '__reduce_ex__'}
"""Functions that may have tensors of both kinds."""

TAKES_NO_CPU_SCALAR = {'cat', 'stack', 'concat', 'hstack', 'vstack', 'mm', 'matmul', '__matmul__', 'bmm', 'addmm',
                       'linear', 'conv1d', 'conv2d', 'conv3d', 'nll_loss', 'cross_entropy', 'embedding', 'gather',
                       'scatter', 'scatter_', 'scatter_add_', 'index_select', 'index_add_', 'index_copy_', 'cdist',
                       'batch_norm'}
"""Operators for which even a CPU tensor without dimensions, which CUDA's others take, is on the wrong device."""


class WrongDeviceError(RuntimeError):
    """What CUDA would have refused."""


_Generator = torch.Generator


class DeviceGenerator(_Generator):
    """A generator of the device; its numbers are those of a generator of the CPU."""

    def __new__(cls):
        return super().__new__(cls, 'cpu')

    @property
    def device(self):
        return DEVICE


class _GeneratorType(type):

    def __call__(cls, device='cpu'):
        return DeviceGenerator() if means_device(device) else _Generator(device)

    def __instancecheck__(cls, instance):
        return isinstance(instance, _Generator)


class AnyGenerator(metaclass=_GeneratorType):
    """Takes the place of ``torch.Generator``: makes generators of both kinds."""


class DeviceTensor(torch.Tensor):
    """A tensor that says it is on the device."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return _call(func, args, kwargs or {})


class FakeDevice(TorchFunctionMode):
    """While it is active, 'cuda' is the fake device; without it nothing asks for one."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return _call(func, args, kwargs or {})


def is_on_device(value):
    return isinstance(value, DeviceTensor)


def means_device(device):
    """Whether an argument means the device and not the CPU."""
    if isinstance(device, int):
        return True
    return device is not None and torch.device(device).type == 'cuda'


def on_device(value):
    """Mark a tensor that was just made as one of the device: no view of it, which would change its graph."""
    if isinstance(value, torch.Tensor):
        value.__class__ = DeviceTensor
    return value


def on_cpu(value):
    """The same memory as a tensor of the CPU, still part of its graph."""
    if not is_on_device(value):
        return value
    with torch._C.DisableTorchFunctionSubclass():
        return value.as_subclass(torch.Tensor)


def _call(func, args, kwargs):
    name = getattr(func, '__name__', str(func))
    if name in ('__get__', '__set__'):  # of a property: the property tells which
        name = f'{_property_name(func)}.{name}'
    special = _SPECIAL.get(name)
    if special is not None:
        return special(func, args, kwargs)
    target = _wanted_device(kwargs)
    _refuse_mixture(name, args, kwargs)
    if name in _WAITS or (name in _WAITS_IF_ALONE and len(args) + len(kwargs) == 1):
        record_transfer(name, args)
    if target is not None:
        kwargs = dict(kwargs, device=CPU)
        kwargs.pop('pin_memory', None)
    to_device = means_device(target) if target is not None else any(map(is_on_device, leaves_of(args, kwargs)))
    needs_grad = target is not None and bool(kwargs.pop('requires_grad', False))
    result = _plain(func, args, kwargs)
    if not to_device:
        return tree_map(on_cpu, result) if target is not None else result
    result = tree_map(on_device, result)
    return result.requires_grad_() if needs_grad else result


def _plain(func, args, kwargs):
    with torch._C.DisableTorchFunctionSubclass():
        return func(*args, **kwargs)


def leaves_of(*values):
    """All values in nested tuples, lists and dicts."""
    return tree_flatten(values)[0]


def _wanted_device(kwargs):
    device = kwargs.get('device')
    return None if device is None else torch.device(device)


def _property_name(func):
    return (resolve_name(func) or getattr(func.__self__, '__name__', '')).removesuffix('.__get__').rsplit('.', 1)[-1]


def _refuse_mixture(name, args, kwargs):
    """Tensors of the CPU beside those of the device, and generators of the other kind."""
    leaves = leaves_of(args, kwargs)
    has_device = any(map(is_on_device, leaves)) or means_device(_wanted_device(kwargs))
    for generator in leaves:
        if isinstance(generator, _Generator) and (generator.device.type == 'cuda') != has_device:
            raise WrongDeviceError(f'{name}: expected a generator of the same device, found one of {generator.device}')
    if not any(map(is_on_device, leaves)) or name in MIXES:
        return
    for tensor in leaves:
        if not isinstance(tensor, torch.Tensor) or is_on_device(tensor):
            continue
        if tensor.dim() or name in TAKES_NO_CPU_SCALAR:
            raise WrongDeviceError(f'{name}: expected all tensors to be on the same device, found cuda and one of the '
                                   f'cpu of shape {tuple(tensor.shape)}')


def _get_item(func, args, kwargs):
    """An index of the CPU may be used on the device, but none of the device on the CPU."""
    tensor, index, *value = args
    indices = leaves_of(index)
    if not is_on_device(tensor) and any(map(is_on_device, indices)):
        if any(is_on_device(i) and i.dim() for i in indices):
            raise WrongDeviceError('index: expected indices on the cpu, as is the indexed tensor, found cuda')
        record_transfer('__index__', args)
    if any(isinstance(i, torch.Tensor) and i.dtype in (torch.bool, torch.uint8) and i.dim() for i in indices):
        record_transfer('index by a mask', args)
    if is_on_device(tensor) and any(isinstance(i, torch.Tensor) and not is_on_device(i) for i in indices):
        record_transfer('index of the cpu', args)
    by_tensors = any(isinstance(i, torch.Tensor) and i.dim() for i in indices)
    for v in value:
        mixed = isinstance(v, torch.Tensor) and is_on_device(v) != is_on_device(tensor)
        if mixed and by_tensors and v.dim():
            raise WrongDeviceError('index_put: expected values on the device of the indexed tensor')
    result = _plain(func, args, kwargs)
    return on_device(result) if is_on_device(tensor) else result


def _to(func, args, kwargs):
    """``to``: a dtype, a device or another tensor decides."""
    tensor, *rest = args
    to_device = is_on_device(tensor)
    plain_args = []
    for arg in rest:
        if isinstance(arg, torch.Tensor):
            to_device = is_on_device(arg)
        elif isinstance(arg, (str, torch.device)) or (isinstance(arg, int) and not isinstance(arg, bool)):
            to_device = means_device(arg)
            arg = CPU
        plain_args.append(arg)
    plain_kwargs = dict(kwargs)
    if kwargs.get('device') is not None:
        to_device = means_device(kwargs['device'])
        plain_kwargs['device'] = CPU
    if to_device and not is_on_device(tensor) and not _not_waited_for(args, kwargs):
        record_transfer('to', args, upload=True)
    return _moved(tensor, to_device, _plain(func, (tensor, *plain_args), plain_kwargs))


def _not_waited_for(args, kwargs):
    """Whether the host goes on while a copy to the device is made; positional: device, dtype, non_blocking."""
    return bool(kwargs.get('non_blocking')) or any(arg is True for arg in args[1:4])


def _moved(tensor, to_device, result):
    """A copy where the device changes, as between two memories."""
    if is_on_device(tensor) == to_device:
        return on_device(result) if to_device else result
    if is_on_device(tensor):
        record_transfer('cpu', (tensor, ))
    with torch._C.DisableTorchFunctionSubclass():
        result = result.clone() if result.data_ptr() == tensor.data_ptr() else result
    return on_device(result) if to_device else on_cpu(result)


def _cpu(func, args, kwargs):
    return _moved(args[0], False, _plain(func, args, kwargs))


def _cuda(func, args, kwargs):
    return _moved(args[0], True, args[0])


def _refuse_numpy(func, args, kwargs):
    if is_on_device(args[0]):
        raise WrongDeviceError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it first.")
    return _plain(func, args, kwargs)


def _deepcopy(func, args, kwargs):
    tensor, memo = args
    if not is_on_device(tensor):
        return _plain(func, args, kwargs)
    if id(tensor) not in memo:
        with torch._C.DisableTorchFunctionSubclass():
            copy = on_device(tensor.detach().clone())
        if isinstance(tensor, torch.nn.Parameter):
            copy = torch.nn.Parameter(copy, tensor.requires_grad)
        elif tensor.requires_grad:
            copy.requires_grad_()
        memo[id(tensor)] = copy
    return memo[id(tensor)]


def _copy(func, args, kwargs):
    target, source = args[:2]
    if is_on_device(source) and not is_on_device(target):
        record_transfer('copy_', args)
    _plain(func, args, kwargs)
    return target


def _made_of_data(func, args, kwargs):
    """``torch.tensor`` and its like: of numbers, or of another tensor."""
    data, *rest = args
    device = kwargs.get('device')
    to_device = means_device(device) if device is not None else any(map(is_on_device, leaves_of(data)))
    if any(map(is_on_device, leaves_of(data))) and not (to_device and is_on_device(data)):
        record_transfer('tensor', args)
    needs_grad = kwargs.get('requires_grad', False)
    kwargs = {key: value for key, value in kwargs.items() if key not in ('device', 'requires_grad', 'pin_memory')}
    result = _plain(func, (tree_map(on_cpu, data), *rest), kwargs)
    if to_device:
        record_transfer('tensor', args, upload=True)
        result = result.clone() if result is data else result
    result = on_device(result) if to_device else on_cpu(result)
    return result.requires_grad_() if needs_grad else result


def _new_tensor(func, args, kwargs):
    tensor, *data = args
    device = kwargs.get('device')
    to_device = is_on_device(tensor) if device is None else means_device(device)
    kwargs = {key: value for key, value in kwargs.items() if key != 'device'}
    result = _plain(func, (on_cpu(tensor), *data), kwargs)
    return on_device(result) if to_device else result


def _shaped_like(func, args, kwargs):
    """``view_as`` and its like: nothing but the shape of the other tensor is used."""
    result = _plain(func, args, kwargs)
    return on_device(result) if is_on_device(args[0]) else on_cpu(result)


def _same_kind(func, args, kwargs):
    """Whether a module may keep its parameter and exchange the memory behind it."""
    return is_on_device(args[0]) == is_on_device(args[1])


def _answers(value_on_device):
    def answer(func, args, kwargs):
        return value_on_device if is_on_device(args[0]) else _plain(func, args, kwargs)

    return answer


def _type(func, args, kwargs):
    """The name of the type, or a conversion to one."""
    if not is_on_device(args[0]):
        return _plain(func, args, kwargs)
    if len(args) == 1 and not kwargs:
        return _plain(func, args, kwargs).replace('torch.', 'torch.cuda.')
    plain = tuple(a.replace('torch.cuda.', 'torch.') if isinstance(a, str) else a for a in args)
    return on_device(_plain(func, plain, kwargs))


def _show(func, args, kwargs):
    return _plain(func, tuple(map(on_cpu, args)), kwargs)


def _type_as(func, args, kwargs):
    return _moved(args[0], is_on_device(args[1]), _plain(func, args, kwargs))


_SPECIAL = {
    '__getitem__': _get_item, '__setitem__': _get_item, 'to': _to, 'cpu': _cpu, 'cuda': _cuda, 'type_as': _type_as,
    'numpy': _refuse_numpy, '__array__': _refuse_numpy, '__deepcopy__': _deepcopy, 'copy_': _copy,
    'tensor': _made_of_data, 'as_tensor': _made_of_data, 'asarray': _made_of_data, 'new_tensor': _new_tensor,
    'type': _type, 'view_as': _shaped_like, 'expand_as': _shaped_like, 'reshape_as': _shaped_like,
    'device.__get__': _answers(DEVICE), 'is_cuda.__get__': _answers(True), 'is_cpu.__get__': _answers(False),
    'get_device': _answers(0), '_has_compatible_shallow_copy_type': _same_kind, '__repr__': _show,
    '__format__': _show}

_WAITS = {'item', 'tolist', 'nonzero', 'argwhere', 'masked_select', 'unique', '_unique2', 'unique_consecutive',
          'bincount', 'equal', 'allclose', 'is_nonzero', '__bool__', '__float__', '__int__', '__index__', '__complex__'}
"""Functions that need a number of the device on the host."""

_WAITS_IF_ALONE = {'where'}
"""The same, if they get nothing but the tensor."""


@contextlib.contextmanager
def fake_device():
    """Make 'cuda' the fake device. Its traces in torch and mmcv stay: enter it in a process of its own."""
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    torch.Generator = AnyGenerator
    torch.load = _load
    torch.cuda.current_device = lambda: 0
    torch.cuda.mem_get_info = lambda device=None: (2**33, 2**33)
    torch.cuda.memory_reserved = torch.cuda.memory_allocated = lambda device=None: 0
    _mark_results_of_mmcv()
    with FakeDevice():
        yield


_torch_load = torch.load


def _load(file, map_location=None, **kwargs):
    """``torch.load``: what is asked for on the device is read on the CPU, and marked."""
    if map_location is None or not means_device(map_location):
        return _torch_load(file, map_location=map_location, **kwargs)
    return tree_map(on_device, _torch_load(file, map_location=CPU, **kwargs))


def _mark_results_of_mmcv():
    """mmcv's compiled operators know no Python class: their results are marked here."""
    from mmcv import _ext

    def marking(operator):
        def call(*args, **kwargs):
            result = operator(*args, **kwargs)
            if any(map(is_on_device, leaves_of(args, kwargs))):
                return tree_map(on_device, result)
            return result

        return call

    for name in dir(_ext):
        operator = getattr(_ext, name)
        if callable(operator) and not name.startswith('__'):
            setattr(_ext, name, marking(operator))
