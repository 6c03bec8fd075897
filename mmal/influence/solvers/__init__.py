"""Solvers for s_test = (H + lambda I)^-1 v, one per file, all with ``solve(v, curvature)``."""

from .base import Solution, cosine
from .cg import CG
from .dense import Dense
from .identity import Identity
from .lissa import LiSSA
from .power_iteration import largest_eigenvalue

__all__ = ['CG', 'Dense', 'Identity', 'LiSSA', 'Solution', 'cosine', 'largest_eigenvalue']
