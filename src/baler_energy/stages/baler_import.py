"""Stage ``baler-import``: convert a project of upstream Baler to our checkpoint and compressed file."""

import argparse
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baler_energy.codecs.upstream.config import EXTRA, Folder, read_config
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import atomic_path, output_folder, read_npz
from baler_energy.stages.file_names import CHECKPOINT, COMPRESSED

if TYPE_CHECKING:
    from baler_energy.codecs.baler.checkpoint import Checkpoint

__all__ = ["EPILOG", "HELP", "add_arguments", "baler_import", "run"]

#: Where the needed files are in a project.
_NEEDED = """\
It needs, in workspaces/WORKSPACE/PROJECT:
  config/PROJECT_config.py
  output/compressed_output/model.pt, from `--mode train` of Baler
  output/training/normalization_features.npy, from the same training; not needed if apply_normalization is False
  for the column names: output/compressed_output/compressed.npz, or the input that the configuration names, or --data"""
HELP = "convert a Baler project: its model and its compressed file"
EPILOG = f"""\
examples:
  baler-energy baler-import workspaces/CMS_workspace/CMS_project_v1 --out imported
  baler-energy baler-import workspaces/mine/jets --data table.npz --out imported

writes checkpoint.pt and, if Baler has compressed something, table.baler, for use with `baler-energy compress` and
`baler-energy decompress`.

{_NEEDED}

Baler's model and latents do not contain the columns' number types, which decide what is rounded to whole numbers. They
are taken from --data, else from the configuration's type_list, else from the project's input (a column of whole
numbers counts as integer), else they are float64. The configuration is parsed, never executed.
"""

#: Configuration values that can be imported. Others fail in Baler itself, or are not for tables.
_KNOWN: dict[str, tuple[Any, ...]] = {
    "data_dimension": (1,),
    "model_name": ("AE", "FPGA_prototype_model"),
    "custom_norm": (False,),
    "separate_model_saving": (False,),
    "save_error_bounded_deltas": (False,),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this stage."""
    parser.add_argument("project", type=Path, metavar="PROJECT_DIR", help="workspaces/WORKSPACE/PROJECT of Baler")
    parser.add_argument("--out", type=output_folder, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="TABLE",
        help="table of `baler-energy prepare` with the same columns, for their types",
    )


def run(args: argparse.Namespace) -> None:
    """Run this stage."""
    print(baler_import(args.project, args.out, args.data))


def baler_import(project: Path, out: Path, data: Path | None = None) -> str:
    """Write the checkpoint and, if the project has one, the compressed file, each whole or not at all.

    Parameters
    ----------
    project
        Folder of the Baler project.
    out
        Folder for our files.
    data
        Prepared table with the same columns, for their types.

    Returns
    -------
    str
        Message: what was read.

    Raises
    ------
    InputError
        A file is missing or wrong, files do not match, or Baler was used in a way that cannot be imported.
    """
    from baler_energy.codecs.baler.in_memory import write_latents
    from baler_energy.codecs.upstream import files

    folder = Folder(project)
    config = _checked(folder, data)
    table = Table.read(data) if data else None
    names, dtypes, types_from = (table.names, table.dtypes, str(data)) if table else _columns(folder, config)
    scaled = config.get("apply_normalization") is not False
    normalisation = files.read_features(folder.features) if scaled else files.unscaled(len(names))
    checkpoint = files.read_checkpoint(folder.model, normalisation, names, dtypes)
    origin = {"source": "file", "label": folder.name} | _origin(table.origin if table else config.get(EXTRA))
    latents = files.read_latents(folder.compressed, checkpoint) if folder.compressed.exists() else None
    checkpoint.write(out / CHECKPOINT)
    if latents is not None:
        with atomic_path(out / COMPRESSED) as temporary:
            write_latents(temporary, latents, checkpoint, origin)
    return _words(checkpoint, None if latents is None else len(latents), types_from, out)


def _checked(folder: Folder, data: Path | None) -> dict[str, Any]:
    """Return the configuration of a project that has all needed files.

    Raises
    ------
    InputError
        A file is missing, or the configuration cannot be imported; the message lists everything at once.
    """
    config: dict[str, Any] = {}
    wrong = []
    if folder.config.exists():
        try:
            config = _config(folder)
        except InputError as error:
            wrong.append(str(error))
    needed = {folder.config: "the configuration", folder.model: "the trained network"}
    if config.get("apply_normalization") is not False:
        needed[folder.features] = "minimum and range of each column"
    if data is not None:
        needed[data] = "the table of --data"
    missing = [f"{path}: no such file: {what}" for path, what in needed.items() if not path.exists()]
    source = _input(folder, config)
    if data is None and not folder.compressed.exists() and not (source and source.is_file()):
        missing.append(
            f"{folder.compressed}: no such file, nor the input {source or '(input_path in the configuration)'}: the "
            "column names. Use --data with a prepared table of these columns instead."
        )
    if wrong or missing:
        listed = "\n  ".join([f"{folder.path}: cannot be imported:", *wrong, *missing])
        raise InputError(f"{listed}\n{_NEEDED}" if missing else listed)
    return config


def _input(folder: Folder, config: dict[str, Any]) -> Path | None:
    """Return the path of the project's input, if its configuration has one."""
    given = config.get("input_path")
    return folder.root / given if isinstance(given, str) else None


def _config(folder: Folder) -> dict[str, Any]:
    config = read_config(folder.config)
    for key, known in _KNOWN.items():
        # In a project that we exported, the input may already be scaled; `baler_export` explains why.
        if config.get(key, known[0]) not in known and not (key == "custom_norm" and EXTRA in config):
            raise InputError(
                f"{folder.config}: {key} = {config[key]!r} cannot be imported, only {' or '.join(map(repr, known))}."
            )
    return config


def _columns(folder: Folder, config: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return the columns' names and types, and where the types come from."""
    from baler_energy.codecs.upstream import files

    extra, source = config.get(EXTRA), _input(folder, config)
    dtypes = extra.get("dtypes") if isinstance(extra, dict) else config.get("type_list")
    if folder.compressed.exists():
        names = files.column_names(read_npz(folder.compressed, ("names",))["names"], folder.compressed)
    else:
        assert source is not None  # `_checked` found it
        names = files.read_table(source).names
    if dtypes is not None:
        return names, _native(dtypes, folder.config), str(folder.config)
    if source and source.is_file():
        table = files.read_table(source)
        if table.names != names:
            pairs = zip_longest(table.names, names, fillvalue="no column")
            own, other = next(pair for pair in pairs if pair[0] != pair[1])
            raise InputError(
                f"{source}: has {own!r} where {folder.compressed} has {other!r}: another file was compressed. Put that "
                "one in its place, or remove this one."
            )
        return names, table.dtypes, str(source)
    return names, ("float64",) * len(names), "no file (all assumed float64)"


def _native(types: Any, path: Path) -> tuple[str, ...]:
    """Parse a list of types as Baler passes them to NumPy."""
    known = []
    for word in types if isinstance(types, list | tuple) else (types,):
        try:
            dtype = np.dtype(word if isinstance(word, str) else object)
        except (TypeError, ValueError):
            dtype = np.dtype(object)
        if dtype.kind not in "fiub":
            raise InputError(f"{path}: {word!r} among the columns' types is not a number type such as 'float64'.")
        known.append(dtype.name)
    return tuple(known)


def _origin(known: Any) -> dict[str, str]:
    """Return source and label from a table's origin, or from the configuration of a project that we exported."""
    facts = known if isinstance(known, dict) else {}
    return {key: facts[key] for key in ("source", "label") if isinstance(facts.get(key), str)}


def _words(checkpoint: "Checkpoint", rows: int | None, types_from: str, out: Path) -> str:
    architecture = checkpoint.architecture
    integers = sum(np.dtype(dtype).kind in "iub" for dtype in checkpoint.dtypes)
    hidden = "-".join(map(str, architecture.hidden))
    lines = [
        f"{out / CHECKPOINT}: {architecture.columns} columns, hidden layers {hidden}, {architecture.latent} latents",
        f"{out / COMPRESSED}: {rows:,} rows" if rows is not None else "nothing was compressed yet: no compressed.npz",
        f"types from {types_from}: {integers} of {architecture.columns} columns are integers, which are rounded",
    ]
    return "\n".join(lines)
