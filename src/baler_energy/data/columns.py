"""The 24 jet columns of Baler's CMS example, and how they follow from a jet's constituents.

The definitions are those of CMS particle-flow jets: the electromagnetic and muon energies and the charged and
neutral multiplicities are sums over kinds of constituents. The columns are therefore correlated and partly redundant,
as in recorded data.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["JET_COLUMNS", "JET_DTYPES", "PARTICLE_KINDS", "assemble"]

#: Kinds of constituents. HF is the forward calorimeter, |eta| > 3, which only measures hadronic and EM energy.
PARTICLE_KINDS = ("charged_hadron", "neutral_hadron", "photon", "electron", "muon", "hf_hadron", "hf_em")

_KINEMATICS = ("pt", "eta", "phi", "mass", "jet_area")
_ENERGIES = tuple(f"{kind}_energy" for kind in PARTICLE_KINDS)
_MULTIPLICITIES = tuple(f"{kind}_multiplicity" for kind in PARTICLE_KINDS)
_ENERGY_SUMS = ("charged_em_energy", "charged_muon_energy", "neutral_em_energy")
_MULTIPLICITY_SUMS = ("charged_multiplicity", "neutral_multiplicity")

#: Names in the order of Baler's example. Energies, pt and mass are in GeV, phi in rad in (-pi, pi].
JET_COLUMNS: tuple[str, ...] = _KINEMATICS + _ENERGIES + _MULTIPLICITIES + _ENERGY_SUMS + _MULTIPLICITY_SUMS

#: Native NumPy dtype of each column: float32, and int32 for multiplicities.
JET_DTYPES: tuple[str, ...] = tuple("int32" if name.endswith("_multiplicity") else "float32" for name in JET_COLUMNS)


def assemble(
    kinematics: NDArray[np.float64], energies: NDArray[np.float64], multiplicities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Assemble the 24 columns.

    Parameters
    ----------
    kinematics
        Shape (jets, 5): pt, eta, phi, mass, jet area.
    energies, multiplicities
        Shape (jets, 7): energy (GeV) and number of constituents of each of `PARTICLE_KINDS`.

    Returns
    -------
    ndarray
        Shape (jets, 24), float64; all values are exact in float32, as in recorded data.
    """
    charged_hadron, neutral_hadron, photon, electron, muon, hf_hadron, hf_em = range(len(PARTICLE_KINDS))
    charged = multiplicities[:, [charged_hadron, electron, muon]].sum(axis=1)
    neutral = multiplicities[:, [neutral_hadron, photon, hf_hadron, hf_em]].sum(axis=1)
    sums = [energies[:, electron], energies[:, muon], energies[:, photon] + energies[:, hf_em], charged, neutral]
    columns = np.concatenate([kinematics, energies, multiplicities, np.stack(sums, axis=1)], axis=1)
    return columns.astype(np.float32).astype(np.float64)
