"""A curvature made of given matrices, one a mini-batch."""

import torch


class Matrices:
    """Mean curvature of mini-batches that are matrices."""

    kind = 'hessian'

    def __init__(self, matrices, names=None):
        self.matrices, self.evaluations = matrices, 0
        self.params = {n: torch.nn.Parameter(torch.zeros(1, dtype=torch.double)) for n in names or []}

    def __len__(self):
        return len(self.matrices)

    def product(self, vector, batch=None):
        chosen = self.matrices if batch is None else [self.matrices[batch]]
        self.evaluations += len(chosen)
        return sum(m @ vector for m in chosen) / len(chosen)


def problem(eigenvalues, n=6, noise=0.0, seed=0):
    """Mean matrix with a given spectrum, a curvature of n mini-batches around it, and a right-hand side."""
    g = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(len(eigenvalues), len(eigenvalues), generator=g, dtype=torch.double))
    H = q @ torch.diag(torch.tensor(eigenvalues, dtype=torch.double)) @ q.T
    shift = torch.randn(n, generator=g, dtype=torch.double) * noise
    return H, Matrices([H * (1 + s - shift.mean()) for s in shift]), torch.randn(len(H), generator=g,
                                                                                dtype=torch.double)


def exact(H, damping, v):
    return torch.linalg.solve(H + damping * torch.eye(len(H), dtype=H.dtype), v)
