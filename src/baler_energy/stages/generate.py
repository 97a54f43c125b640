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

#: Seeds must be below this for every source, as in Pythia.
_SEED_LIMIT = 900_000_000
#: More than any memory holds.
_MOST_ROWS = 10**12
#: Options that some generators have.
_OPTIONS = {name: meaning for kind in GENERATORS.values() for name, meaning in kind.options.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--source", choices=tuple(GENERATORS), required=True, help="event generator, or toy data")
    parser.add_argument("--rows", type=int, required=True, help="exact number of jets")
    parser.add_argument("--seed", type=int, required=True, help=f"from 0 to {_SEED_LIMIT - 1}; one per shard")
    for name, meaning in _OPTIONS.items():
        words = f"{meaning}, by default that of the event generator"
        parser.add_argument(_option(name), type=float, metavar="X", help=words)
    parser.add_argument("--out", type=output_file, required=True, help="the shard to write (npz)")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    options = {name: value for name in _OPTIONS if (value := getattr(args, name)) is not None}
    generate(args.source, args.rows, args.seed, args.out, **options)


def generate(source: str, rows: int, seed: int, out: Path, **options: float) -> None:
    """Write a shard of exactly `rows` jets to `out`, whole or not at all.

    Parameters
    ----------
    source
        A key of `GENERATORS`.
    rows, seed, out
        Number of jets, seed, file to write.
    **options
        Options of the source (`GeneratorKind.options`), by default its own values.

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
    kind = GENERATORS[source]
    if foreign := [_option(name) for name in options if name not in kind.options]:
        raise InputError(f"{', '.join(foreign)}: not supported by source {source!r}. Leave it out.")
    table = load(kind.module).generate(rows, seed, **options)
    table.write(out)
    print(table.words(out))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
