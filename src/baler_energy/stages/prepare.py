"""Stage ``prepare``: write a checked table of float64 rows, from generated shards or from a user's file."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baler_energy.config.options import add_options, reader
from baler_energy.config.own_file import OwnFile
from baler_energy.config.parameters import HeldOut, Rows
from baler_energy.config.texts import FILES, one_of
from baler_energy.data.checks import check_columns
from baler_energy.data.ingest import tables_from_file, tables_from_shards
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.file_states import file_state
from baler_energy.files import from_json, output_file, refuse_source, write_json
from baler_energy.formats import FILE_FORMATS, Request
from baler_energy.progress import announce
from baler_energy.stages.file_options import add_file_arguments, request_of

__all__ = ["EPILOG", "HELD_OUT", "HELP", "add_arguments", "prepare_file", "prepare_generated", "run", "summary"]

HELP = f"write a checked table (npz) from generated shards or from a {one_of(FILES)} file"
EPILOG = """examples:
  baler-energy prepare --input shard-1.npz shard-2.npz --generated --rows 50000 --out table.npz
  baler-energy prepare --input events.root --tree Events --columns 'Jet_*' --rows 50000 --seed 1 --out table.npz
  baler-energy prepare --input events.root --layout leading --leading 2 --rows all --out table.npz

A smaller number of rows is a subset of a larger one. table.json, next to the table, describes it.
"""

#: Rows that no codec is trained on, for errors only.
HELD_OUT = "held-out.npz"
#: Options that only apply to a user's file.
_OF_A_FILE = tuple(name for name in OwnFile.model_fields if name not in ("source", "path"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument(
        "--input",
        nargs="+",
        action="extend",
        required=True,
        metavar="FILE",
        help="shards, or one file or URL (root://, http:// for ROOT)",
    )
    parser.add_argument("--generated", action="store_true", help="the inputs are shards of `baler-energy generate`")
    parser.add_argument("--rows", type=reader("rows", Rows), required=True, metavar="N|all", help="number of rows")
    parser.add_argument(
        "--out", type=output_file, required=True, help="the table to write (npz); also writes a json next to it"
    )
    parser.add_argument(
        "--held-out",
        type=reader("held_out", HeldOut),
        metavar="X",
        help="also write held-out.npz next to the table, with other rows, up to X times as many; with --rows all, they "
        "are left out of the table",
    )
    parser.add_argument(
        "--needed",
        type=_needed,
        default={},
        metavar="JSON",
        help='columns that the table must have, by what needs them: {"my plot": ["pt", "eta"]}',
    )
    file = parser.add_argument_group("your own file")
    add_file_arguments(file, formats=FILE_FORMATS, default_format="by the suffix", default_columns="all numeric ones")
    add_options(file, OwnFile, only=["sha256", "seed"], defaults={"seed": 0}, unset=["seed"])


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    rows = None if args.rows == "all" else args.rows
    if args.generated:
        foreign = [name for name in _OF_A_FILE if getattr(args, name) not in (None, Request().layout)]
        if foreign:
            raise InputError(f"--{foreign[0]}: cannot be combined with --generated.")
        prepare_generated(list(map(Path, args.input)), rows, args.out, held_out=args.held_out, needed=args.needed)
        return
    if len(args.input) > 1:
        raise InputError(f"--input: {len(args.input)} files; only shards (--generated) are merged, so give one file.")
    selected = {"rows": rows, "seed": args.seed or 0, "file_format": args.format, "sha256": args.sha256}
    prepare_file(args.input[0], request_of(args), args.out, held_out=args.held_out, needed=args.needed, **selected)


def prepare_generated(
    shards: Sequence[Path],
    rows: int | None,
    out: Path,
    *,
    held_out: float | None = None,
    needed: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Merge generated shards and write their first `rows` rows (None: all) to `out`, with a description next to it.

    The last rows, up to `held_out` times as many, are written to ``held-out.npz``; None: no such file.

    Raises
    ------
    InputError
        A shard is not valid, there are too few rows, or a column of `needed` (`check_columns`) is missing.
    """
    _check_out(out, held_out, shards)
    tables = tables_from_shards(shards, rows, held_out or 0.0)
    check_columns(tables[0].origin["label"], tables[0].names, needed or {})
    return _write(tables, out, held_out)


def prepare_file(
    source: str,
    request: Request,
    out: Path,
    *,
    rows: int | None,
    seed: int,
    held_out: float | None = None,
    file_format: str | None = None,
    sha256: str | None = None,
    needed: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Read a user's file and write the selected rows to `out`, with a description next to it.

    Parameters
    ----------
    source, request, rows, seed, file_format, sha256
        See `tables_from_file`.
    out
        The table to write. Its description, ``out`` with the suffix ``.json``, is written first.
    held_out
        Maximum number of rows to write to ``held-out.npz``, over those of the table; None: no such file.
    needed
        Columns that the table must have, by what requires them; see `check_columns`.

    Raises
    ------
    InputError
        The file, its columns or its values are not valid.
    UnavailableError
        The URL's protocol needs a package that is not installed.
    """
    _check_out(out, held_out, [source])
    selection: dict[str, Any] = {"rows": rows, "seed": seed, "held_out": held_out or 0.0}
    state = file_state(source)  # before the file is read
    tables = tables_from_file(source, request, **selection, file_format=file_format, sha256=sha256)
    check_columns(tables[0].origin["label"], tables[0].names, needed or {})
    return _write(tables, out, held_out, [state])


def summary(table: Table) -> dict[str, Any]:
    """Describe a table for its user: size, source, warnings, and each column's dtype and range."""
    low, high = table.data.min(axis=0), table.data.max(axis=0)
    # Divided first, so that the sum of huge values does not overflow.
    mean = (table.data / len(table.data)).sum(axis=0)
    columns = [
        {"name": name, "dtype": dtype, "min": float(low[i]), "max": float(high[i]), "mean": float(mean[i])}
        for i, (name, dtype) in enumerate(zip(table.names, table.dtypes, strict=True))
    ]
    size = {"rows": len(table.data), "float64_bytes": int(table.data.nbytes), "native_bytes": table.native_bytes}
    return {**size, "columns": columns, **table.origin}


def _check_out(out: Path, held_out: float | None, sources: Sequence[Path | str]) -> None:
    if out.suffix != ".npz":
        raise InputError(f"--out {out}: the table is an npz file, so its name must end in .npz.")
    if held_out is not None and out.name == HELD_OUT:
        raise InputError(f"--out {out}: the held-out rows are written to a file of this name. Use another name.")
    held = [] if held_out is None else [out.with_name(HELD_OUT)]
    for target in (out, out.with_suffix(".json"), *held):
        refuse_source(output_file(str(target)), sources)


def _write(tables: tuple[Table, Table], out: Path, held_out: float | None, source_states: Sequence[str] = ()) -> Table:
    table, rest = tables
    for warning in table.origin["warnings"]:
        announce(f"warning: {table.origin['label']}: {warning}.")
    if held_out is not None:
        rest.write(out.with_name(HELD_OUT))
    # The table is written last, so that it always has its description.
    write_json(out.with_suffix(".json"), summary(table) | {"source_states": list(source_states)})
    table.write(out)
    print(table.words(out))
    if held_out is not None:
        print(f"{out.with_name(HELD_OUT)}: {len(rest.data):,} other rows, for errors only")
    return table


def _needed(text: str) -> dict[str, list[str]]:
    try:
        found = from_json(text)
        return {str(key): [str(name) for name in columns] for key, columns in found.items()}
    except (ValueError, AttributeError, TypeError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON mapping of names to lists of columns") from None
