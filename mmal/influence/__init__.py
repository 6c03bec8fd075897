"""Influence functions in plain torch: parameters, curvature, solvers, directional derivatives.

Nothing here imports mmengine, mmcv, mmdet or any other part of mmal. :class:`Influence` is the
whole of it in three calls; the rest are its parts.
"""

from .affine import AffineTape, NotAffine
from .api import Influence, build_curvature, mean_gradient
from .checks import check_model
from .curvature import Curvature, DoubleBackward, hvp
from .directional_derivative import agree, output_derivative, outputs_and_tangents
from .distributed_curvature import SharedCurvature
from .last_layer_curvature import AffineCurvature, NotLast
from .last_layers import find_last_layers
from .output_hessian import OutputHessian
from .parameters import flatten, gradient, matches, restrict_grad, select_parameters, unflatten
from .second_derivative import NotTwiceDifferentiable
from .solvers.base import Solution, cosine
from .solvers.cg import CG
from .solvers.dense import Dense
from .solvers.identity import Identity
from .solvers.lissa import LiSSA
from .solvers.power_iteration import largest_eigenvalue

__all__ = [
    'CG',
    'AffineCurvature',
    'AffineTape',
    'Curvature',
    'Dense',
    'DoubleBackward',
    'Identity',
    'Influence',
    'LiSSA',
    'NotAffine',
    'NotLast',
    'NotTwiceDifferentiable',
    'OutputHessian',
    'SharedCurvature',
    'Solution',
    'agree',
    'build_curvature',
    'check_model',
    'cosine',
    'find_last_layers',
    'flatten',
    'gradient',
    'hvp',
    'largest_eigenvalue',
    'matches',
    'mean_gradient',
    'output_derivative',
    'outputs_and_tangents',
    'restrict_grad',
    'select_parameters',
    'unflatten',
]
