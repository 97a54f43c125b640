"""Stage ``derive``: compare quantities computed from columns before and after compression."""

import argparse
from pathlib import Path

from baler_energy.config.derived import DerivedQuantities, read_derived
from baler_energy.data.checks import check_columns
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import check_outputs, output_folder, write_parquet
from baler_energy.records import Measurement
from baler_energy.stages.file_names import DERIVED, DERIVED_HISTOGRAMS, RECORD
from baler_energy.temporaries import remove_temporaries

__all__ = ["EPILOG", "HELP", "add_arguments", "derive", "run"]

HELP = "compare quantities computed from columns, such as invariant masses, before and after compression"
EPILOG = """example:
  baler-energy derive --original table.npz --reconstructed run/decompress/reconstructed.npz --out run/derive \\
      --derived '{"m_mumu": {"invariant_mass": [["pt_1", "eta_1", "phi_1", 0.1057], ["pt_2", "eta_2", "phi_2", 0.1057]],
                             "windows": {"Z": [80, 100]}}}'

writes derived_histograms.parquet and, last, derived.parquet: a row per quantity, and one per window
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--original", type=Path, required=True, metavar="TABLE", help="table that was compressed")
    parser.add_argument(
        "--reconstructed", type=Path, required=True, metavar="TABLE", help="table of `baler-energy decompress`"
    )
    parser.add_argument(
        "--derived", required=True, metavar="JSON", help="the quantities, as in the key derived of a dataset"
    )
    parser.add_argument("--out", type=output_folder, required=True, metavar="DIR", help="folder to write to")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    derive(args.original, args.reconstructed, read_derived(args.derived), args.out)


def derive(original: Path, reconstructed: Path, derived: DerivedQuantities, out: Path) -> None:
    """Write comparisons and histograms of quantities of two tables, which have the same rows, to `out`.

    Raises
    ------
    InputError
        A table is missing or invalid, the two do not match, or a column that a quantity needs is missing.
    """
    import pandas as pd

    from baler_energy.analysis.derived import compare, derived_values, histograms  # brings vector and SciPy

    check_outputs(out, DERIVED, DERIVED_HISTOGRAMS)
    before, after = Table.read(original), Table.read(reconstructed)
    if before.names != after.names or before.data.shape != after.data.shape:
        raise InputError(
            f"{reconstructed}: columns or rows differ from those of {original}; these are different tables."
        )
    check_columns(str(original), before.names, {f"derived.{name}": one.columns for name, one in derived.items()})
    rows, bins = [], []
    for name, one in derived.items():
        first, second = (derived_values(table.data, table.names, one) for table in (before, after))
        rows += [{"quantity": name} | row for row in compare(first, second, one)]
        bins.append(histograms(first, second, one).assign(quantity=name))
    record = reconstructed.parent / RECORD
    start = Measurement.read(record).window.start if record.exists() else None
    for file, frame in ((DERIVED_HISTOGRAMS, pd.concat(bins)), (DERIVED, pd.DataFrame(rows))):
        write_parquet(out / file, frame, start)
    remove_temporaries(out)
    print(f"{out / DERIVED}: {', '.join(derived)} of {len(before.data):,} rows, before and after compression")
