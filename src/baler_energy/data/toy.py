"""Seeded toy jets from NumPy, with the columns of Baler's CMS example.

They are not physics. They have the shape of jet data (a steep pt spectrum, energy divided among kinds of constituents,
integer multiplicities that grow with energy, consistent sums), so that the workflow runs where the event generator has
no wheels, and tests are fast. Everything made from them is labelled as toy data.
"""

import numpy as np
from numpy.typing import NDArray

from baler_energy.data.columns import JET_COLUMNS, JET_DTYPES, assemble
from baler_energy.data.table import Table

__all__ = ["LABEL", "generate", "missing"]

LABEL = "toy data"

_PT_MIN_GEV = 3.0
_RADIUS = 0.5
_HF_ETA = 3.0
# Mean shares of a central and a forward jet's energy, and mean energy (GeV) of a constituent, by kind in column order.
_CENTRAL_SHARES = np.array([0.62, 0.10, 0.25, 0.02, 0.01, 0.0, 0.0])
_FORWARD_SHARES = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.72, 0.28])
_CONSTITUENT_GEV = np.array([2.2, 3.5, 1.2, 1.5, 6.0, 14.0, 7.0])
# Probability that a kind is present: leptons are rare in jets.
_PRESENCE = np.array([0.98, 0.75, 0.97, 0.12, 0.03, 0.97, 0.90])


def _shares(rng: np.random.Generator, eta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (jets, 7): share of the energy in each kind; rows sum to one, absent kinds are exactly zero."""
    # A jet near the edge of the forward calorimeter has constituents on both sides.
    forward = np.clip((np.abs(eta) - _HF_ETA + 0.4 * _RADIUS) / (0.8 * _RADIUS), 0.0, 1.0)[:, None]
    means = (1.0 - forward) * _CENTRAL_SHARES + forward * _FORWARD_SHARES
    present = (rng.random(means.shape) < _PRESENCE) & (means > 0)
    weights = np.where(present, rng.standard_gamma(np.maximum(6.0 * means, 0.05)) + 1e-3, 0.0)
    main = np.argmax(means, axis=1)
    rows = np.arange(len(eta))
    weights[rows, main] += 0.02  # no jet is empty
    shares: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return shares


def missing() -> None:
    """Return None: nothing but NumPy is required."""


def generate(rows: int, seed: int) -> Table:
    """Make a table of toy jets.

    Parameters
    ----------
    rows
        Number of jets.
    seed
        Seed of NumPy's default generator; the same seed gives the same table.

    Returns
    -------
    Table
        Shape (rows, 24). The seven energies sum to sqrt((pt cosh eta)^2 + mass^2) within float32 rounding; a kind only
        has constituents if it has energy, and vice versa.
    """
    rng = np.random.default_rng(seed)
    pt = _PT_MIN_GEV * (1.0 + rng.pareto(2.6, rows))
    eta = np.clip(rng.normal(0.0, 2.1, rows), -4.9, 4.9) + rng.uniform(-0.05, 0.05, rows)
    phi = rng.uniform(-np.pi, np.pi, rows)
    mass = pt * np.clip(rng.lognormal(np.log(0.13), 0.35, rows), 0.01, 0.6)
    area = np.pi * _RADIUS**2 * np.clip(1.0 - 0.2 / pt + rng.normal(0.0, 0.12, rows), 0.3, 2.0)
    energy = np.hypot(pt * np.cosh(eta), mass)
    energies = energy[:, None] * _shares(rng, eta)
    counts = 1.0 + rng.poisson((energies / (_CONSTITUENT_GEV * np.cosh(eta)[:, None] ** 0.6)) ** 0.75)
    multiplicities = np.where(energies > 0, counts, 0.0)
    data = assemble(np.stack([pt, eta, phi, mass, area], axis=1), energies, multiplicities)
    origin = {
        "source": "toy",
        "label": LABEL,
        "seed": seed,
        "source_bytes": None,
        "source_bytes_reason": "toy data has no source file",
        "warnings": [],
    }
    return Table(np.ascontiguousarray(data), JET_COLUMNS, JET_DTYPES, origin)
