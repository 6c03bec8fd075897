"""Influence functions in plain torch: parameters, curvature, solvers, directional derivatives.

Nothing here imports mmengine, mmcv, mmdet or any other part of mmal.
"""

from .curvature import hvp
from .directional import head_outputs_and_tangents, output_derivative, per_sample_derivative
from .params import flatten, gradient, restrict_grad, select_parameters, unflatten
from .solvers import LiSSA, Solution, cosine

__all__ = [
    'LiSSA', 'Solution', 'cosine', 'flatten', 'gradient', 'head_outputs_and_tangents', 'hvp', 'output_derivative',
    'per_sample_derivative', 'restrict_grad', 'select_parameters', 'unflatten'
]
