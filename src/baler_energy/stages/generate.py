"""Stage ``generate``: a seeded shard of jets, from Pythia 8 or the toy generator."""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from baler_energy.errors import BalerEnergyError, InputError, UnavailableError
from baler_energy.variants import GENERATORS

__all__ = ["EPILOG", "HELP", "add_arguments", "generate", "run"]

HELP = "generate a seeded shard of jets with the 24 columns of Baler's CMS example"
EPILOG = """examples:
  baler-energy generate --source pythia8 --rows 30000 --seed 1 --out shard-1.npz
  baler-energy generate --source toy --rows 1000 --seed 1 --out shard-1.npz
"""

#: Default minimum transverse momentum of the hard scatter, in GeV.
_PT_HAT_MIN_GEV = 20.0
#: Seeds must be below this, as in Pythia.
_SEED_LIMIT = 900_000_000

_PACKAGES = ("pythia8mc", "fastjet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--source", choices=tuple(GENERATORS), required=True, help="event generator, or toy data")
    parser.add_argument("--rows", type=int, required=True, help="number of jets, exactly")
    parser.add_argument("--seed", type=int, required=True, help=f"from 0 to {_SEED_LIMIT - 1}; one per shard")
    parser.add_argument(
        "--pt-hat-min",
        type=float,
        default=_PT_HAT_MIN_GEV,
        metavar="GEV",
        help="pythia8: minimum transverse momentum of the hard scatter (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, help="the shard to write (npz)")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    generate(args.source, args.rows, args.seed, args.out, args.pt_hat_min)


def generate(source: str, rows: int, seed: int, out: Path, pt_hat_min_gev: float = _PT_HAT_MIN_GEV) -> None:
    """Write a shard of exactly `rows` jets to `out`, whole or not at all.

    Parameters
    ----------
    source
        ``pythia8`` or ``toy``.
    rows, seed, out
        Number of jets, seed in [0, 900,000,000), file to write.
    pt_hat_min_gev
        Minimum transverse momentum of the hard scatter; the toy ignores it.

    Raises
    ------
    InputError
        An option is out of range.
    UnavailableError
        The event generator is not installed.
    """
    if rows < 1:
        raise InputError(f"--rows {rows}: must be at least 1.")
    if not 0 <= seed < _SEED_LIMIT:
        raise InputError(f"--seed {seed}: must be from 0 to {_SEED_LIMIT - 1}.")
    if not 1.0 <= pt_hat_min_gev <= 1000.0:
        raise InputError(f"--pt-hat-min {pt_hat_min_gev}: must be from 1 to 1000 GeV.")
    if source == "toy":
        from baler_energy.data import toy

        toy.generate(rows, seed).write(out)
    else:
        _run_pythia8(rows, seed, pt_hat_min_gev, out)


def _run_pythia8(rows: int, seed: int, pt_hat_min_gev: float, out: Path) -> None:
    """Run the generator in a separate process: its packages are GPL, and its libraries stay out of this one."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UnavailableError(
            f"source 'pythia8' needs {' and '.join(missing)}, not installed here. Install with `pip install "
            "'baler-energy[pythia]'`, or use `source: toy`."
        )
    options = ["--rows", str(rows), "--seed", str(seed), "--pt-hat-min", str(pt_hat_min_gev), "--out", str(out)]
    finished = subprocess.run([sys.executable, "-m", GENERATORS["pythia8"], *options], check=False, stdout=sys.stderr)
    if finished.returncode != 0:
        raise BalerEnergyError(
            f"{out}: the event generator ended with code {finished.returncode}; its own message is above."
        )
