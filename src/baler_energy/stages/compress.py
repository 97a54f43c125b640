"""Stage ``compress``: compress a table to a file, measured."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baler_energy.codecs.engines import engine_of, operation_of, options_with
from baler_energy.codecs.packing import Packing
from baler_energy.config.parameters import Training
from baler_energy.config.texts import FILES, one_of
from baler_energy.errors import InputError
from baler_energy.files import atomic_path, refuse_source
from baler_energy.formats.reading import Request
from baler_energy.meters.options import add_session_arguments
from baler_energy.progress import announce
from baler_energy.records import Measurement
from baler_energy.stages.file_names import COMPRESSED, RECORD, SAMPLES
from baler_energy.stages.file_options import add_file_arguments, request_of
from baler_energy.stages.measured import Measuring, facts_of_work, open_work, warm_up_of, write_record
from baler_energy.stages.options import (
    PointOptions,
    add_codec_file_arguments,
    add_point_arguments,
    configure_torch,
    point_options,
)
from baler_energy.stages.summaries import measured_summary
from baler_energy.variants import FORMATS, PREPARED
from baler_energy.vocabulary import Operation

if TYPE_CHECKING:
    from baler_energy.codecs.container import Sizes

__all__ = ["EPILOG", "HELP", "add_arguments", "compress", "run"]

HELP = "compress a table with a codec, and measure it"
EPILOG = f"""examples:
  baler-energy compress --data table.npz --checkpoint run/train/checkpoint.pt --out run/compress
  baler-energy compress --engine fast --packing float32+zstd --data events.root --tree Events \\
      --checkpoint run/train/checkpoint.pt --out run/compress

  baler-energy compress --transform identity --packing pcodec --data events.parquet --out run/compress

Many codecs also read {one_of(FILES, "and")} files of any size (docs/engines.md); decompress then writes a
file of the same kind.

writes table.baler, samples.parquet and, last, measurement.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    data_help = f"table of `baler-energy prepare`, or a {one_of(FILES)} file if the codec reads files"
    add_codec_file_arguments(parser, data_help=data_help)
    file = parser.add_argument_group("your own file (if the codec reads files)")
    add_file_arguments(
        file,
        formats=FORMATS,
        default_format="by the suffix and the contents",
        default_columns="those of the training, or all numeric ones without training",
    )
    add_point_arguments(parser)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    for name in (COMPRESSED, SAMPLES, RECORD):
        refuse_source(args.out / name, [args.data])
    measuring = Measuring.of(args)
    print(compress(args.data, args.checkpoint, args.out, point_options(args), measuring, request_of(args), args.format))


def compress(
    data: Path,
    checkpoint: Path | None,
    out: Path,
    point: PointOptions,
    measuring: Measuring,
    request: Request | None = None,
    file_format: str | None = None,
) -> str:
    """Compress the table in `data`; write the compressed file, samples and record to `out`; return a summary.

    The measured operation scales, encodes and writes. Syncing and renaming the file come after it. With the engine
    ``reference``, it begins with the table in memory and the network on its device. ``fast`` never holds the table,
    so it reads the file (from the system's cache) within the window. Before the window, it reads the file's
    description, and the whole file if its types are inferred from values (npz, HDF5).

    Raises `InputError` if table, checkpoint and options do not match, and `UnavailableError`.
    """
    request = request or Request()
    engine_of(point).refuse(point, Training())
    _check_reads_files(point, request, file_format)
    device, startup_s = configure_torch(point), Packing.parse(point.packing).startup_s()
    known = {"checkpoint": checkpoint, "request": request, "file_format": file_format}
    with atomic_path(out / COMPRESSED) as target:
        with (
            operation_of(point, "compress").compressing(point.asked(data, target, device, **known)) as work,
            open_work(work, measuring, device, out) as session,
        ):
            outcome = session.run(work.operation, warm_up=warm_up_of(work, device))
            sizes: Sizes = work.finish(outcome.result)
            facts = facts_of_work(work, device, outcome.result)
        for warning in work.warnings():
            announce(f"Warning: {warning}.")
    parameters = point.parameters(source=work.origin.get("source"), rows=sizes.rows, columns=len(work.dtypes))
    results = {
        "compressed_bytes": (out / COMPRESSED).stat().st_size,
        **_sizes(sizes, work.dtypes),
        "source_bytes": work.origin.get("source_bytes"),
        "checkpoint_bytes": None if checkpoint is None else checkpoint.stat().st_size,
        "coder_startup_s": startup_s,
        **facts,
    }
    record = write_record(out, Operation.COMPRESS, parameters, outcome, results, file_format=work.file_format)
    return measured_summary(out / COMPRESSED, _facts(record), record)


def _check_reads_files(point: PointOptions, request: Request, file_format: str | None) -> None:
    asks_for_file = file_format not in (None, PREPARED) or request != Request()
    if asks_for_file and not engine_of(point).reads_files:
        able = options_with(lambda engine: engine.reads_files)
        raise InputError(
            f"--engine {point.engine} only reads tables of `baler-energy prepare`. Use {able} for other files."
        )


def _facts(record: Measurement) -> str:
    """Compare the size of the compressed file with that of the columns in their own number types."""
    size, native, model = (record.results.get(f"{name}_bytes") for name in ("compressed", "native", "checkpoint"))
    assert isinstance(size, int) and isinstance(native, int)
    larger = " (no smaller than the data)" if size >= native else ""
    codec = "" if model is None else f"; the model takes another {model:,} B"
    before = f"{record.parameters['rows']:,} rows, {native:,} B in their own number types"
    return f"{before}, compressed to {size:,} B: ratio {native / size:.3g}{larger}{codec}"


def _sizes(sizes: "Sizes", dtypes: Sequence[str]) -> dict[str, int]:
    """Return the bytes of the latents and corrections, and of the table as float64 and in native types."""
    written = {name: value for name, value in asdict(sizes).items() if name != "rows"}
    row_bytes = sum(np.dtype(name).itemsize for name in dtypes)
    return written | {
        "input_float64_bytes": sizes.rows * len(dtypes) * 8,
        "native_bytes": sizes.rows * row_bytes,
    }
