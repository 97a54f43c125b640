"""Stage ``decompress``: reconstruct a table from a compressed file, measured."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from baler_energy.codecs.engines import engine_of, operation_of, options_with
from baler_energy.codecs.packing import Packing
from baler_energy.config.parameters import Training
from baler_energy.errors import InputError
from baler_energy.files import atomic_path, output_folder, refuse_source
from baler_energy.meters.options import add_session_arguments
from baler_energy.stages.file_names import RECONSTRUCTED
from baler_energy.stages.measured import Measuring, facts_of_work, open_work, warm_up_of, write_record
from baler_energy.stages.options import (
    PointOptions,
    add_point_arguments,
    configure_torch,
    point_options,
)
from baler_energy.stages.summaries import measured_summary
from baler_energy.variants import FORMATS, PREPARED
from baler_energy.vocabulary import Operation

if TYPE_CHECKING:
    from baler_energy.codecs.facts import Facts

__all__ = ["EPILOG", "HELP", "add_arguments", "decompress", "run"]

HELP = "reconstruct a table from a compressed file, and measure it"
EPILOG = """example:
  baler-energy decompress --compressed run/compress/table.baler --checkpoint run/train/checkpoint.pt \\
      --out run/decompress

writes reconstructed.npz (if the codec reads files: a file of the kind that was compressed), samples.parquet and,
last, measurement.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument(
        "--compressed", type=Path, required=True, metavar="FILE", help="file of `baler-energy compress` (.baler)"
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="checkpoint that it was compressed with; none for a transform that is not trained",
    )
    parser.add_argument("--out", type=output_folder, required=True, metavar="DIR", help="folder to write to")
    add_point_arguments(parser)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    refuse_source(args.out / RECONSTRUCTED, [path for path in (args.compressed, args.checkpoint) if path])
    print(decompress(args.compressed, args.checkpoint, args.out, point_options(args), Measuring.of(args)))


def decompress(compressed: Path, checkpoint: Path | None, out: Path, point: PointOptions, measuring: Measuring) -> str:
    """Reconstruct the table in `compressed`; write it, samples and record to `out`; return a summary.

    The measured operation begins with the file on disk (in the system's cache) and the network on its device. It reads,
    checks, decodes, rescales and rounds. With the engine ``reference``, it ends with the table in memory, which is
    written afterwards. ``fast`` never holds the table, so it writes it within the window.

    Raises
    ------
    InputError
        The file, the checkpoint or an option is wrong, or they do not match.
    UnavailableError
        The device or a meter is not available.
    """
    from baler_energy.codecs.container import Reader

    content = Reader(compressed)
    _check_fits(content.facts, point, compressed)
    engine_of(point).refuse(point, Training())
    device, startup_s = configure_torch(point), Packing.parse(point.packing).startup_s()
    back = out / _reconstructed_name(content.facts.file_format)
    with atomic_path(back) as target:
        asked = point.asked(compressed, target, device, checkpoint=checkpoint, content=content)
        with (
            operation_of(point, "decompress").decompressing(asked) as work,
            open_work(work, measuring, device, out) as session,
        ):
            outcome = session.run(work.operation, warm_up=warm_up_of(work, device))
            rows: int = work.finish(outcome.result)
            results = {"rows": rows, "coder_startup_s": startup_s, **facts_of_work(work, device, outcome.result)}
    source, columns = content.facts.origin.get("source"), len(content.facts.names)
    parameters = point.parameters(source=source, rows=rows, columns=columns)
    record = write_record(
        out, Operation.DECOMPRESS, parameters, outcome, results, file_format=content.facts.file_format
    )
    return measured_summary(back, f"{rows:,} rows, {columns} columns", record)


def _reconstructed_name(file_format: str) -> str:
    """Name of the reconstructed file, of the same kind as the original."""
    return f"{Path(RECONSTRUCTED).stem}{FORMATS[file_format].suffixes[0]}"


def _check_fits(facts: "Facts", point: PointOptions, path: Path) -> None:
    """Refuse options that contradict the file, which would make the record wrong, and files the engine cannot write."""
    packing, kind = facts.packing, facts.file_format
    if point.transform != facts.transform:
        raise InputError(
            f"{path}: was compressed with transform {facts.transform!r}, not {point.transform!r}. Use --transform "
            f"{facts.transform}."
        )
    if point.packing != packing:
        raise InputError(f"--packing {point.packing}: the file was written with {packing}. Use --packing {packing}.")
    if kind != PREPARED and not engine_of(point).reads_files:
        able = options_with(lambda engine: engine.reads_files)
        raise InputError(
            f"{path}: engine {point.engine!r} cannot write the kind of file that was compressed "
            f"({FORMATS[kind].kind}). Use {able} to reconstruct it."
        )
