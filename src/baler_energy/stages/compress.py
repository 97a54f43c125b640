"""Stage ``compress``: a table to a compressed file, measured."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from baler_energy.data.table import Table
from baler_energy.files import atomic_path
from baler_energy.meters.options import add_session_arguments
from baler_energy.progress import say
from baler_energy.stages.measured import (
    WARM_UP_BATCHES,
    Measuring,
    gpu_memory_peak_b,
    open_session,
    warmed_up,
    write_record,
)
from baler_energy.stages.options import PointOptions, add_point_arguments, check_point, configure_torch, point_options
from baler_energy.vocabulary import Operation

if TYPE_CHECKING:
    from baler_energy.codecs.baler.checkpoint import Checkpoint

__all__ = ["COMPRESSED", "EPILOG", "HELP", "add_arguments", "compress", "run"]

HELP = "compress a table with a trained codec, and measure it"
EPILOG = """example:
  baler-energy compress --data table.npz --checkpoint run/train/checkpoint.pt --out run/compress

writes table.baler, samples.parquet and, last, measurement.json
"""

COMPRESSED = "table.baler"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="table of `baler-energy prepare`")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="checkpoint of `baler-energy train`"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    add_point_arguments(parser)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    compress(args.data, args.checkpoint, args.out, point_options(args), Measuring.of(args))


def compress(data: Path, checkpoint_path: Path, out: Path, point: PointOptions, measuring: Measuring) -> None:
    """Compress the table in `data`; write the compressed file, samples and record to `out`.

    The measured operation begins with the table in memory and the network on its device, and ends with the written
    file: scaling, encoding, writing. Making the file durable (fsync) and giving it its name come after.

    Raises `InputError` where table, checkpoint and options do not fit together, and `UnavailableError`.
    """
    if point.engine == "upstream":
        from baler_energy.stages import upstream

        upstream.compress(data, checkpoint_path, out, point, measuring)
        return
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.coder import Coder

    table = Table.read(data)
    checkpoint = Checkpoint.read(checkpoint_path)
    check_point(checkpoint, point, checkpoint_path)
    _warn_of_constants(table, checkpoint)
    device = configure_torch(point)
    rows, columns = table.data.shape
    parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    coder = Coder(checkpoint, device, point.batch_size)
    few = Table(table.data[: WARM_UP_BATCHES * point.batch_size], table.names, table.dtypes, table.origin)

    with open_session(measuring, device, out) as session:
        with atomic_path(out / COMPRESSED) as target:
            outcome = session.run(
                lambda: coder.compress(table, target), warm_up=warmed_up(lambda: coder.compress(few, target), device)
            )
        results = {
            "compressed_bytes": (out / COMPRESSED).stat().st_size,
            "input_float64_bytes": table.data.nbytes,
            "native_bytes": table.native_bytes,
            "source_bytes": table.origin.get("source_bytes"),
            "checkpoint_bytes": checkpoint_path.stat().st_size,
            "torch_gpu_memory_peak_b": gpu_memory_peak_b(device),
        }
        write_record(out, Operation.COMPRESS, parameters, outcome, results)


def _warn_of_constants(table: Table, checkpoint: "Checkpoint") -> None:
    if table.names != checkpoint.names:
        return
    minimum, constant = checkpoint.normalisation.features[0], checkpoint.normalisation.constant
    lost = [
        name
        for number, name in enumerate(table.names)
        if constant[number] and bool((table.data[:, number] != minimum[number]).any())
    ]
    if lost:
        say(f"Warning: {', '.join(lost)}: constant in training, not here; these values are lost. Train on this table.")
