"""Stage ``generate``: a seeded shard of jets, from an event generator or of toy data."""

import argparse
from pathlib import Path

from baler_energy.errors import InputError
from baler_energy.files import output_file
from baler_energy.variants import GENERATORS, load

__all__ = ["EPILOG", "HELP", "add_arguments", "generate", "run"]

HELP = "generate a seeded shard of jets with the 24 columns of Baler's CMS example"
EPILOG = """examples:
  baler-energy generate --source pythia8 --rows 30000 --seed 1 --out shard-1.npz
  baler-energy generate --source toy --rows 1000 --seed 1 --out shard-1.npz
"""

#: Seeds must be below this, as in Pythia.
_SEED_LIMIT = 900_000_000
#: More than any memory holds.
_MOST_ROWS = 10**12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--source", choices=tuple(GENERATORS), required=True, help="event generator, or toy data")
    parser.add_argument("--rows", type=int, required=True, help="exact number of jets")
    parser.add_argument("--seed", type=int, required=True, help=f"from 0 to {_SEED_LIMIT - 1}; one per shard")
    parser.add_argument(
        "--pt-hat-min",
        type=float,
        metavar="GEV",
        help="minimum transverse momentum of the hard scatter, by default that of the event generator",
    )
    parser.add_argument("--out", type=output_file, required=True, help="the shard to write (npz)")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    generate(args.source, args.rows, args.seed, args.out, args.pt_hat_min)


def generate(source: str, rows: int, seed: int, out: Path, pt_hat_min_gev: float | None = None) -> None:
    """Write a shard of exactly `rows` jets to `out`, whole or not at all.

    Parameters
    ----------
    source
        A key of `GENERATORS`.
    rows, seed, out
        Number of jets, seed in [0, 900,000,000), file to write.
    pt_hat_min_gev
        Minimum transverse momentum of the hard scatter; None: the default of the source, if it has one.

    Raises
    ------
    InputError
        An option is out of range, or the source does not have it.
    UnavailableError
        The event generator is not installed.
    BalerEnergyError
        The event generator failed.
    """
    if not 1 <= rows <= _MOST_ROWS:
        raise InputError(f"--rows {rows}: must be from 1 to {_MOST_ROWS:,}.")
    if not 0 <= seed < _SEED_LIMIT:
        raise InputError(f"--seed {seed}: must be from 0 to {_SEED_LIMIT - 1}.")
    if pt_hat_min_gev is not None and not 1.0 <= pt_hat_min_gev <= 1000.0:
        raise InputError(f"--pt-hat-min {pt_hat_min_gev}: must be from 1 to 1000 GeV.")
    table = load(GENERATORS[source].module).generate(rows, seed, pt_hat_min_gev)
    table.write(out)
    print(table.words(out))
