"""Stage ``import``: read results of other tools into the tidy schema, and derive findings from them."""

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from baler_energy.files import atomic_path, output_folder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EPILOG", "HELP", "add_arguments", "import_files", "run"]

HELP = "read and check results of other tools that measure energy, such as codecarbon"
EPILOG = """\
examples:
  baler-energy import emissions.csv --out imported
  baler-energy import published/*.csv published/*.log --out imported

The tool of a file is recognised by its content, not its name. Writes to --out: foreign.parquet, a row per reading
with its evidence (measured, modelled, unknown) and the reason, and findings.parquet, which is also printed: constant
powers, power per gigabyte, hosts, windows of one tool inside another's. Files are compared with each other: name all
files of a study at once. In running totals, such as codecarbon's flush() writes, each row gets its rise since the row
before; the findings say which rows were totals.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this stage."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a result of another tool")
    parser.add_argument("--out", type=output_folder, required=True, help="folder for the two tables")


def run(args: argparse.Namespace) -> None:
    """Run this stage."""
    print(import_files(args.files, args.out))


def import_files(files: Sequence[Path], out: Path) -> str:
    """Write ``foreign.parquet`` and ``findings.parquet``, each whole or not at all.

    Parameters
    ----------
    files
        Foreign files.
    out
        Folder for the tables.

    Returns
    -------
    str
        Message: what was read and found.

    Raises
    ------
    InputError
        A file cannot be read, see `read_foreign`, or has values that the schema does not allow.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from baler_energy.analysis.checked import check_table
    from baler_energy.analysis.schema import arrow_schema, check_columns
    from baler_energy.foreign import read_foreign

    foreign, findings = read_foreign(files)
    for name, table in (("foreign", foreign), ("findings", findings)):
        check_columns(name, list(table.columns))
        arrow = pa.Table.from_pandas(table, schema=arrow_schema(name), preserve_index=False)
        for file in foreign["file"].unique() if table is foreign else ():
            check_table(name, arrow.filter(pc.equal(arrow["file"], file)), Path(file))
        with atomic_path(out / f"{name}.parquet") as temporary:
            pq.write_table(arrow, temporary, compression="zstd", write_page_checksum=True)
    return _words(foreign, findings)


def _words(foreign: "pd.DataFrame", findings: "pd.DataFrame") -> str:
    energy = foreign[(foreign["quantity"] == "energy") & foreign["value"].notna()]
    kinds = ", ".join(f"{count} {kind}" for kind, count in energy["evidence"].value_counts().items())
    count = foreign["file"].nunique()
    lines = [f"{len(foreign)} readings of {count} file{'s' * (count != 1)}; energies: {kinds or 'none'}."]
    for row in findings.itertuples():
        lines += ["", f"{row.finding}: {row.subject}"]
        lines += [
            textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="  ")
            for text in (str(row.sentence), f"({row.file})")
        ]
    return "\n".join(lines)
