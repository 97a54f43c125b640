"""Stage ``apply``: compress, decompress and evaluate in one process."""

import argparse
from pathlib import Path

from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import refuse_source
from baler_energy.meters.options import add_session_arguments
from baler_energy.progress import announce
from baler_energy.stages.compress import compress
from baler_energy.stages.decompress import decompress
from baler_energy.stages.evaluate import evaluate
from baler_energy.stages.file_names import COMPRESSED, RECONSTRUCTED
from baler_energy.stages.measured import Measuring, shared_session
from baler_energy.stages.options import PointOptions, add_codec_file_arguments, add_point_arguments, point_options
from baler_energy.stages.round_trip import RoundTrip, round_trip
from baler_energy.vocabulary import Operation

__all__ = ["EPILOG", "HELP", "add_arguments", "apply", "run"]

HELP = "compress and decompress a table with a trained codec, measure each, and compute the errors"
EPILOG = """example:
  baler-energy apply --data table.npz --checkpoint run/train/checkpoint.pt --out run

does what `baler-energy compress`, `decompress` and `evaluate` do, one after the other in one process, and writes their
files to run/compress, run/decompress and run/evaluate. The meters start once, and both windows share one idle baseline.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    add_codec_file_arguments(parser)
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="TABLE",
        help="rows that the codec was not trained on; run/evaluate/summary.json includes their errors",
    )
    add_point_arguments(parser)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    print(apply(args.data, args.checkpoint, args.out, point_options(args), Measuring.of(args), args.held_out))


def apply(
    data: Path,
    checkpoint: Path | None,
    out: Path,
    point: PointOptions,
    measuring: Measuring,
    held_out: Path | None = None,
) -> str:
    """Compress the table in `data`, decompress it and evaluate the result; each step has its own folder in `out`.

    The evaluation includes the errors of a trained codec on the rows in `held_out`, if there are any. Returns a
    summary of each step.

    Raises
    ------
    InputError
        Table, checkpoint and options do not match, or one of them would be replaced.
    UnavailableError
        The device or a meter is not available.
    """
    compressed, back = out / Operation.COMPRESS / COMPRESSED, out / Operation.DECOMPRESS / RECONSTRUCTED
    for target in (compressed, back):
        refuse_source(target, [path for path in (data, checkpoint, held_out) if path])
    with shared_session(measuring) as together:
        said = [
            compress(data, checkpoint, compressed.parent, point, together),
            decompress(compressed, checkpoint, out / Operation.DECOMPRESS, point, together),
        ]
    others = _held_out_trip(held_out, checkpoint, point, out / "evaluate")
    said.append(evaluate(data, back, compressed, checkpoint, out / "evaluate", others))
    return "\n".join(said)


def _held_out_trip(table: Path | None, checkpoint: Path | None, point: PointOptions, out: Path) -> RoundTrip | None:
    """Apply the codec to held-out rows; None if there are none, if it was not trained, or if it cannot store them."""
    if table is None or checkpoint is None or not len(Table.read(table).data):
        return None
    try:
        return round_trip(table, checkpoint, point, out)
    except InputError as error:
        announce(f"Warning: the errors on held-out rows are null, because the codec cannot store these rows: {error}")
        return None
