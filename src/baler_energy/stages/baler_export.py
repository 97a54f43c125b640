"""Stage ``baler-export``: write our checkpoint, compressed file and table as a project for upstream Baler."""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baler_energy.codecs.upstream.config import Config, Folder, config_text, exact_ratio, type_list
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import naming_target, output_folder, write_text
from baler_energy.temporaries import temporary_folder

if TYPE_CHECKING:
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.container import Reader

__all__ = ["EPILOG", "HELP", "add_arguments", "baler_export", "run"]

HELP = "write a project that Baler can run: model, configuration, compressed file, data"
EPILOG = """\
examples:
  baler-energy baler-export --checkpoint run/train/checkpoint.pt --data table.npz --out workspaces/mine/jets
  baler-energy baler-export --checkpoint run/train/checkpoint.pt --compressed run/compress/table.baler \\
      --out workspaces/mine/jets

From the folder that holds workspaces, `python -m baler --project mine jets --mode decompress`, with the Python that has
Baler (after `make upstream`: .venv-upstream/bin/python), reads the compressed file, and `--mode compress` compresses
the data.

Baler scales a table by its own minima and ranges when it compresses, and by those of the training when it decompresses.
Where these differ, or a column has a single value (Baler divides by 0), the data are written already scaled, and the
configuration says so (custom_norm), so that Baler's output is correct and in the data's units.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this stage."""
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="checkpoint of `baler-energy train`"
    )
    parser.add_argument("--compressed", type=Path, metavar="FILE", help="file of `baler-energy compress` (.baler)")
    parser.add_argument("--data", type=Path, metavar="TABLE", help="table of `baler-energy prepare`")
    parser.add_argument(
        "--out",
        type=output_folder,
        required=True,
        metavar="PROJECT_DIR",
        help="new folder workspaces/WORKSPACE/PROJECT",
    )


def run(args: argparse.Namespace) -> None:
    """Run this stage."""
    print(baler_export(args.checkpoint, args.out, args.compressed, args.data))


def baler_export(checkpoint_path: Path, out: Path, compressed: Path | None = None, data: Path | None = None) -> str:
    """Write a project, whole or not at all.

    Parameters
    ----------
    checkpoint_path
        The trained codec, with a network that Baler supports.
    out
        ``.../workspaces/WORKSPACE/PROJECT``, a new folder.
    compressed, data
        File compressed with this checkpoint; table with the same columns.

    Returns
    -------
    str
        Message: what was written and how to run it.

    Raises
    ------
    InputError
        A file is wrong, the files do not match, Baler does not support the network, or `out` is not a new project.
    """
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.upstream import files

    folder = Folder(out)
    folder.check()
    if os.path.lexists(out):
        raise InputError(f"{out}: already exists. Remove it, or choose another project.")
    checkpoint = Checkpoint.read(checkpoint_path)
    content = _compressed(compressed, checkpoint) if compressed else None
    table = _table(data, checkpoint) if data else None
    config = _config(folder, checkpoint, content.facts.origin if content else table.origin if table else {})
    if table and not _scaled_alike(table, checkpoint):
        config = replace(config, custom_norm=True)
        table = replace(table, data=checkpoint.normalisation.normalise(table.data))
    with _whole(folder) as whole:
        write_text(whole.config, config_text(config))
        files.write_model(whole.model, checkpoint)
        files.write_features(whole.features, checkpoint.normalisation)
        # Baler's decompress also opens the input, but uses nothing from it.
        empty = Table(np.empty((0, len(checkpoint.names))), checkpoint.names, checkpoint.dtypes)
        files.write_table(whole.data, table or empty)
        if content:
            files.write_latents(whole.compressed, content.latents(), checkpoint)
    return _words(folder, content, table, config, padded=files.is_padded(checkpoint.architecture))


def _compressed(path: Path, checkpoint: "Checkpoint") -> "Reader":
    from baler_energy.codecs.container import Reader
    from baler_energy.codecs.packing import Packing

    content = Reader(path)
    content.facts.check_made_with(checkpoint, path)
    if Packing.parse(content.facts.packing).error_bound is not None:
        raise InputError(
            f"{path}: contains corrections for an error bound ({content.facts.packing}), which Baler cannot "
            "apply. Compress without a bound."
        )
    return content


def _table(path: Path, checkpoint: "Checkpoint") -> Table:
    table = Table.read(path)
    if table.names != checkpoint.names:
        raise InputError(
            f"{path}: has the columns {', '.join(table.names)}, but the checkpoint was trained on "
            f"{', '.join(checkpoint.names)}."
        )
    return table


def _scaled_alike(table: Table, checkpoint: "Checkpoint") -> bool:
    """Whether Baler would scale this table as the training did, without dividing by 0."""
    own = type(checkpoint.normalisation).of(table.data, table.names)
    return np.array_equal(own.features, checkpoint.normalisation.features) and not own.constant.any()


def _config(folder: Folder, checkpoint: "Checkpoint", origin: Mapping[str, Any]) -> Config:
    from baler_energy.codecs.upstream.files import model_name

    architecture = checkpoint.architecture
    known = {key: origin[key] for key in ("source", "label") if key in origin}
    return Config(
        input_path=folder.data.absolute().relative_to(folder.root).as_posix(),
        compression_ratio=exact_ratio(architecture.columns, architecture.latent),
        model_name=model_name(architecture),
        type_list=type_list(checkpoint.dtypes),
        extra={"dtypes": list(checkpoint.dtypes), **known},
    )


@contextmanager
def _whole(folder: Folder) -> Iterator[Folder]:
    """Yield a temporary folder of the same name next to `folder`; if the block succeeds, it becomes `folder`."""
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder.path) as temporary:
        whole = Folder(temporary / folder.name)
        # Baler does not create folders when it runs.
        for path in (whole.losses, whole.compressed, whole.decompressed, whole.path / "output" / "plotting" / "plot"):
            path.parent.mkdir(parents=True)
        with naming_target(folder.path, whole.path):
            yield whole
        whole.path.rename(folder.path)


def _words(folder: Folder, content: "Reader | None", table: Table | None, config: Config, *, padded: bool) -> str:
    workspace = folder.path.absolute().parent.name
    command = f"python -m baler --project {workspace} {folder.name} --mode"
    lines = [f"{folder.path}: {config.model_name}, compression ratio {config.compression_ratio:g}"]
    if padded:
        lines.append("network: narrower than Baler's, so padded with zeros, which makes Baler no faster")
    if config.custom_norm:
        lines.append("data: scaled, as Baler would scale them differently from the training; do not train on them")
    lines.append(f"to run in {folder.root}, with Baler installed:")
    if table:
        lines.append(f"  {command} compress")
    if table or content:
        lines.append(f"  {command} decompress")
    if not table:
        lines.append(f"to compress: replace the empty {folder.data.name}, or export with --data")
    return "\n".join(lines)
