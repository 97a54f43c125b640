"""Principal components of scaled rows, in one pass over them.

Mean and covariance are computed block by block, with the update of Chan, Golub and LeVeque (Algorithms for computing
the sample variance, 1983). The components are the covariance's eigenvectors with the largest eigenvalues: the linear
codec with the least squared error (Eckart and Young 1936).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Components", "principal_components", "product"]

Floats = NDArray[np.float64]


class Components(NamedTuple):
    """Principal components of a table."""

    mean: Floats
    """(columns,): means of the scaled columns."""
    vectors: Floats
    """(latent, columns): orthonormal rows, in descending order of variance."""
    rows: int
    """Rows of the table."""


def principal_components(blocks: Iterable[Floats], columns: int, latent: int) -> Components:
    """Find the principal components of a table; memory is that of one block.

    Parameters
    ----------
    blocks
        Scaled rows (rows, columns), at least one row in each block.
    columns
        Columns of the table.
    latent
        Number of components to keep, at most `columns`.
    """
    rows, mean, scatter = 0, np.zeros(columns), np.zeros((columns, columns))
    for scaled in blocks:
        own, count = scaled.mean(axis=0), len(scaled)
        centred, shift = scaled - own, own - mean
        scatter += product(centred.T, centred) + np.outer(shift, shift) * (rows * count / (rows + count))
        mean += shift * (count / (rows + count))
        rows += count
    vectors = torch.linalg.eigh(torch.from_numpy(scatter)).eigenvectors.numpy()
    # eigh sorts by ascending eigenvalue. An eigenvector's sign is arbitrary: its largest entry is made positive.
    components = vectors[:, ::-1][:, :latent].T
    signs = np.sign(components[np.arange(latent), np.abs(components).argmax(axis=1)])
    return Components(mean, np.ascontiguousarray(components * signs[:, None]), rows)


def product(left: Floats, right: Floats) -> Floats:
    """Multiply matrices with torch, which keeps to the point's number of threads; NumPy would use every core."""
    result: Floats = torch.matmul(torch.from_numpy(np.ascontiguousarray(left)), torch.from_numpy(right)).numpy()
    return result
