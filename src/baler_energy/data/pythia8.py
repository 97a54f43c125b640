"""QCD jets at 8 TeV from Pythia 8, clustered by FastJet: ``python -m baler_energy.data.pythia8 --rows N ...``.

Both packages are optional and licensed under the GPL. Only this module imports them, and only in a separate process,
which `generate` starts.

Events: proton-proton collisions at 8 TeV, ``HardQCD:all`` above a minimum transverse momentum of the hard scatter, with
parton showers, multiparton interactions and hadronisation at Pythia's defaults. Particles with c tau > 10 mm are
stable. Jets: anti-kT, R = 0.5, pT > 3 GeV, from all visible particles within |eta| < 5, without neutrinos and without
muons beyond |eta| = 3, where there is no muon detector. The area is the jet's Voronoi area, which differs from jet to
jet (a constant column would have no range for min-max scaling).
"""

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.data.columns import JET_COLUMNS, JET_DTYPES, PARTICLE_KINDS, assemble
from baler_energy.data.table import Table
from baler_energy.errors import BalerEnergyError, InputError, UnavailableError
from baler_energy.progress import announce, progress
from baler_energy.signals import exit_code, guarding
from baler_energy.temporaries import temporary_folder

__all__ = ["LABEL", "generate", "main", "missing"]

LABEL = "QCD jets (Pythia 8)"

_PACKAGES = ("pythia8mc", "fastjet")
_RADIUS = 0.5
_JET_PT_MIN_GEV = 3.0
_ACCEPTANCE_ETA = 5.0
_HF_ETA = 3.0
# Default of the option ``pt_hat_min``, and its range.
_PT_HAT_MIN_GEV, _LOWEST_GEV, _HIGHEST_GEV = 20.0, 1.0, 1000.0
# An event has about 15 jets; batches are so small that the last one wastes little.
_EVENTS_PER_BATCH = 50
_PHOTON, _ELECTRON, _MUON, _NEUTRINOS = 22, 11, 13, (12, 14, 16)

Array = NDArray[Any]


def _generator(seed: int, pt_hat_min_gev: float) -> Any:
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    settings = (
        "Print:quiet = on",
        "Beams:eCM = 8000.",
        "HardQCD:all = on",
        f"PhaseSpace:pTHatMin = {pt_hat_min_gev!r}",
        "ParticleDecays:limitTau0 = on",
        "ParticleDecays:tau0Max = 10.",
        "Random:setSeed = on",
        f"Random:seed = {seed + 1}",  # with 0, Pythia takes the seed from the clock
    )
    for setting in settings:
        if not pythia.readString(setting):
            raise BalerEnergyError(f"Pythia 8 rejected the setting {setting!r}.")
    if not pythia.init():
        raise BalerEnergyError(f"Pythia 8 did not start with pt-hat-min {pt_hat_min_gev} GeV; its message is above.")
    return pythia


def _kinds(pdg: Array, charged: Array, eta: Array) -> Array:
    """Index of each particle's kind in `PARTICLE_KINDS`."""
    identity = np.abs(pdg)
    kinds = np.where(charged, PARTICLE_KINDS.index("charged_hadron"), PARTICLE_KINDS.index("neutral_hadron"))
    kinds[identity == _PHOTON] = PARTICLE_KINDS.index("photon")
    kinds[identity == _ELECTRON] = PARTICLE_KINDS.index("electron")
    kinds[identity == _MUON] = PARTICLE_KINDS.index("muon")
    electromagnetic = (identity == _PHOTON) | (identity == _ELECTRON)
    forward = np.abs(eta) > _HF_ETA
    kinds[forward] = PARTICLE_KINDS.index("hf_hadron")
    kinds[forward & electromagnetic] = PARTICLE_KINDS.index("hf_em")
    return kinds


def _visible(particles: Any, particle_data: Any) -> tuple[Array, Array, Array]:
    """Four-momenta (n, 4: px, py, pz, E in GeV), kinds (n,) and event numbers (n,) of a batch's visible particles."""
    import awkward

    events = np.repeat(np.arange(len(particles)), awkward.to_numpy(awkward.num(particles.id)))
    flat = awkward.flatten(particles)
    pdg = awkward.to_numpy(flat.id)
    final = np.flatnonzero((awkward.to_numpy(flat.status) > 0) & ~np.isin(np.abs(pdg), _NEUTRINOS))
    momenta = np.stack([awkward.to_numpy(flat.p[axis])[final] for axis in ("px", "py", "pz", "e")], axis=1)
    pdg, events = pdg[final], events[final]
    with np.errstate(divide="ignore"):
        eta = np.arcsinh(momenta[:, 2] / np.hypot(momenta[:, 0], momenta[:, 1]))
    species, inverse = np.unique(pdg, return_inverse=True)
    charged = np.array([particle_data.charge(int(code)) != 0 for code in species])[inverse]
    beyond_muons = (np.abs(pdg) == _MUON) & (np.abs(eta) > _HF_ETA)
    keep = (np.abs(eta) < _ACCEPTANCE_ETA) & ~beyond_muons
    return momenta[keep], _kinds(pdg, charged, eta)[keep], events[keep]


def _cluster(momenta: Array, kinds: Array, jet_definition: Any, area_definition: Any) -> Array:
    """Shape (jets, 24): the jets of one event, hardest first."""
    import fastjet

    particles = [fastjet.PseudoJet(*momentum) for momentum in momenta.tolist()]
    sequence = fastjet.ClusterSequenceArea(particles, jet_definition, area_definition)
    jets = fastjet.sorted_by_pt(sequence.inclusive_jets(_JET_PT_MIN_GEV))
    if not jets:
        return np.empty((0, len(JET_COLUMNS)))
    kinematics = np.array([(jet.pt(), jet.eta(), jet.phi_std(), max(jet.m(), 0.0), jet.area()) for jet in jets])
    # An input particle has the same index in the clustering history as in the input.
    members = [[part.cluster_hist_index() for part in jet.constituents()] for jet in jets]
    jet_of = np.repeat(np.arange(len(jets)), [len(indices) for indices in members])
    particle = np.fromiter(chain.from_iterable(members), dtype=np.int64, count=len(jet_of))
    cell = jet_of * len(PARTICLE_KINDS) + kinds[particle]
    shape = (len(jets), len(PARTICLE_KINDS))
    size = shape[0] * shape[1]
    energies = np.bincount(cell, weights=momenta[particle, 3], minlength=size).astype(np.float64).reshape(shape)
    multiplicities = np.bincount(cell, minlength=size).astype(np.float64).reshape(shape)
    return assemble(kinematics, energies, multiplicities)


def _events(seed: int, pt_hat_min_gev: float) -> Iterator[Array]:
    """Yield the jets of each event, without end."""
    import fastjet

    pythia = _generator(seed, pt_hat_min_gev)
    jet_definition = fastjet.JetDefinition(fastjet.antikt_algorithm, _RADIUS)
    area_definition = fastjet.AreaDefinition(fastjet.VoronoiAreaSpec())
    while True:
        batch = pythia.nextBatch(_EVENTS_PER_BATCH)
        if len(batch) == 0:
            raise BalerEnergyError("Pythia 8 failed on every event of a batch; its messages are above.")
        momenta, kinds, events = _visible(batch.prt, pythia.particleData)
        edges = np.searchsorted(events, np.arange(len(batch) + 1))
        for first, last in pairwise(edges.tolist()):
            yield _cluster(momenta[first:last], kinds[first:last], jet_definition, area_definition)


def missing() -> str | None:
    """Return which packages are missing here and how to install them; None: none is."""
    absent = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    return _needs(f"{' and '.join(absent)}, not installed here") if absent else None


def generate(rows: int, seed: int, pt_hat_min: float = _PT_HAT_MIN_GEV) -> Table:
    """Generate jets in a separate process, so that the packages' libraries stay out of this one.

    Parameters
    ----------
    rows
        Number of jets, exactly.
    seed
        Seed of Pythia. The same seed gives the same jets on the same type of CPU; jets from different types differ by
        less than 1e-6.
    pt_hat_min
        Minimum transverse momentum of the hard scatter (GeV).

    Returns
    -------
    Table
        Shape (rows, 24), in the order of the events.

    Raises
    ------
    InputError
        The minimum is out of range.
    UnavailableError
        Pythia 8 or FastJet is not installed.
    BalerEnergyError
        The process failed.
    """
    if not _LOWEST_GEV <= pt_hat_min <= _HIGHEST_GEV:
        raise InputError(f"--pt-hat-min {pt_hat_min}: must be from {_LOWEST_GEV:g} to {_HIGHEST_GEV:g} GeV.")
    if reason := missing():
        raise UnavailableError(reason)
    with temporary_folder() as folder:
        out = folder / "jets.npz"
        options = ["--rows", str(rows), "--seed", str(seed), "--pt-hat-min", str(pt_hat_min), "--out", str(out)]
        with guarding() as guard_from:
            code = exit_code([sys.executable, "-m", __name__, *options], guard_from, stdout=sys.stderr)
        if code != 0:
            raise BalerEnergyError(f"The event generator ended with code {code}; its own message is above.")
        return Table.read(out)


def _needs(packages: str) -> str:
    return (
        f"source 'pythia8' needs {packages}. Install with `pip install 'baler-energy[pythia]'`, or use `source: toy`."
    )


def _generated(rows: int, seed: int, pt_hat_min_gev: float) -> Table:
    """Generate jets in this process."""
    data = np.empty((rows, len(JET_COLUMNS)))
    jets = islice(chain.from_iterable(_events(seed, pt_hat_min_gev)), rows)
    for row, jet in enumerate(progress(jets, total=rows, label=f"generating jets, seed {seed}", unit="jets")):
        data[row] = jet
    origin = {
        "source": "pythia8",
        "label": LABEL,
        "seed": seed,
        "pt_hat_min_gev": pt_hat_min_gev,
        "source_bytes": None,
        "source_bytes_reason": "generated data has no source file",
        "warnings": [],
    }
    return Table(data, JET_COLUMNS, JET_DTYPES, origin)


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate a shard from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m baler_energy.data.pythia8", description=__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--pt-hat-min", type=float, required=True, metavar="GEV")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    try:
        _generated(args.rows, args.seed, args.pt_hat_min).write(args.out)
    except ImportError as error:
        announce(f"error: {_needs(f'the packages pythia8mc and fastjet ({error})')}")
        return UnavailableError.exit_code
    except BalerEnergyError as error:
        announce(f"error: {error}")
        return error.exit_code
    except MemoryError as error:
        announce(f"error: not enough memory ({error}). Generate fewer rows.")
        return UnavailableError.exit_code
    except OSError as error:
        announce(f"error: {args.out}: cannot be written: {error.strerror or error}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
