"""Stage ``decompress``: a compressed file to the reconstructed table, measured."""

import argparse
from pathlib import Path

from baler_energy.meters.options import add_session_arguments
from baler_energy.stages.measured import (
    WARM_UP_BATCHES,
    Measuring,
    gpu_memory_peak_b,
    open_session,
    warmed_up,
    write_record,
)
from baler_energy.stages.options import (
    PointOptions,
    add_point_arguments,
    check_point,
    configure_torch,
    point_options,
)
from baler_energy.vocabulary import Operation

__all__ = ["EPILOG", "HELP", "RECONSTRUCTED", "add_arguments", "decompress", "run"]

HELP = "reconstruct a table from a compressed file, and measure it"
EPILOG = """example:
  baler-energy decompress --compressed run/compress/table.baler --checkpoint run/train/checkpoint.pt \\
      --out run/decompress

writes reconstructed.npz, samples.parquet and, last, measurement.json
"""

RECONSTRUCTED = "reconstructed.npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument(
        "--compressed", type=Path, required=True, metavar="FILE", help="file of `baler-energy compress` (.baler)"
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="checkpoint that it was compressed with"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    add_point_arguments(parser)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    decompress(args.compressed, args.checkpoint, args.out, point_options(args), Measuring.of(args))


def decompress(compressed: Path, checkpoint_path: Path, out: Path, point: PointOptions, measuring: Measuring) -> None:
    """Reconstruct the table in `compressed`; write it, samples and record to `out`.

    The measured operation begins with the file on disk (in the system's cache) and the network on its device, and
    ends with the table in memory: reading, checking, decoding, rescaling, rounding. Writing the table comes after.

    Raises
    ------
    InputError
        The file, the checkpoint or an option is wrong, or they do not fit together.
    UnavailableError
        The device or a meter is not there.
    """
    if point.engine == "upstream":
        from baler_energy.stages import upstream

        upstream.decompress(compressed, checkpoint_path, out, point, measuring)
        return
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.coder import Coder
    from baler_energy.codecs.baler.container import read_compressed

    checkpoint = Checkpoint.read(checkpoint_path)
    check_point(checkpoint, point, checkpoint_path)
    device = configure_torch(point)
    coder = Coder(checkpoint, device, point.batch_size)
    content = read_compressed(compressed)
    coder.check(content, compressed)
    rows, columns = len(content.latents), checkpoint.architecture.columns
    parameters = point.parameters(source=content.origin.get("source"), rows=rows, columns=columns)
    few = content.latents[: WARM_UP_BATCHES * point.batch_size].copy()
    del content  # the window's peak of memory is the operation's own

    with open_session(measuring, device, out) as session:
        outcome = session.run(
            lambda: coder.decompress(compressed), warm_up=warmed_up(lambda: coder.decode(few), device)
        )
        results = {"rows": rows, "torch_gpu_memory_peak_b": gpu_memory_peak_b(device)}
        outcome.result.write(out / RECONSTRUCTED)
        write_record(out, Operation.DECOMPRESS, parameters, outcome, results)
