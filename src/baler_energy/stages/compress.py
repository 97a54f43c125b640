"""Stage ``compress``: a table to a compressed file, measured."""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baler_energy.data.readers import FORMATS, Request
from baler_energy.data.table import Table
from baler_energy.errors import InputError
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
from baler_energy.stages.options import (
    PointOptions,
    add_codec_file_arguments,
    add_point_arguments,
    check_point,
    configure_torch,
    point_options,
)
from baler_energy.vocabulary import Operation

if TYPE_CHECKING:
    import torch

    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.coder import Sizes

__all__ = ["COMPRESSED", "EPILOG", "HELP", "add_arguments", "compress", "run"]

HELP = "compress a table with a trained codec, and measure it"
EPILOG = """examples:
  baler-energy compress --data table.npz --checkpoint run/train/checkpoint.pt --out run/compress
  baler-energy compress --engine fast --packing float32+zstd --data events.root --tree Events \\
      --checkpoint run/train/checkpoint.pt --out run/compress

The engine fast reads ROOT, Parquet, HDF5 and npz files, too, of any size, and decompress makes a file of the same kind.

writes table.baler, samples.parquet and, last, measurement.json
"""

COMPRESSED = "table.baler"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    data_help = "table of `baler-energy prepare`; with --engine fast also a ROOT, Parquet, HDF5 or npz file"
    add_codec_file_arguments(parser, data_help=data_help)
    file = parser.add_argument_group("a file of your own (--engine fast); its columns are those of the training")
    file.add_argument("--format", choices=("table", *FORMATS), help="default: by the suffix and the contents")
    file.add_argument("--tree", help="ROOT tree, or HDF5 dataset or group; default: the only one")
    file.add_argument(
        "--layout",
        choices=("objects", "leading"),
        default="objects",
        help="ROOT: a row per object, or a row per event with its first K objects (default: %(default)s)",
    )
    file.add_argument("--leading", type=int, metavar="K", help="how many objects, for --layout leading")
    add_point_arguments(parser)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    request = Request(None, args.tree, args.layout, args.leading)
    compress(args.data, args.checkpoint, args.out, point_options(args), Measuring.of(args), request, args.format)


def compress(
    data: Path,
    checkpoint_path: Path,
    out: Path,
    point: PointOptions,
    measuring: Measuring,
    request: Request | None = None,
    file_format: str | None = None,
) -> None:
    """Compress the table in `data`; write the compressed file, samples and record to `out`.

    The measured operation ends with the written file: scaling, encoding, writing. Making the file durable (fsync) and
    giving it its name come after. With the engine ``reference`` it begins with the table in memory and the network on
    its device; ``fast`` reads the table from its file (in the system's cache) within the window, as it never holds it.
    Before that it reads the file's description, and all of a file (npz, HDF5) in which only the values tell the types.

    Raises `InputError` where table, checkpoint and options do not fit together, and `UnavailableError`.
    """
    if point.engine == "upstream":
        _refuse_other_files(point, request or Request(), file_format)
        from baler_energy.stages.upstream import compress as upstream

        upstream.compress(data, checkpoint_path, out, point, measuring)
        return
    from baler_energy.codecs.baler.checkpoint import Checkpoint

    checkpoint = Checkpoint.read(checkpoint_path)
    check_point(checkpoint, point, checkpoint_path)
    device = configure_torch(point)
    asked = _Asked(data, checkpoint, point, device, request or Request(), file_format)
    with (
        _ENGINES[point.engine](asked) as work,
        open_session(measuring, device, out) as session,
    ):
        with atomic_path(out / COMPRESSED) as target:
            outcome = session.run(
                lambda: work.operation(target), warm_up=warmed_up(lambda: work.warm_up(target), device)
            )
        for warning in work.warnings():
            say(f"Warning: {warning}.")
        rows, columns = outcome.result.rows, len(checkpoint.names)
        parameters = point.parameters(source=work.origin.get("source"), rows=rows, columns=columns)
        results = {
            "compressed_bytes": (out / COMPRESSED).stat().st_size,
            **_sizes(outcome.result, checkpoint),
            "source_bytes": work.origin.get("source_bytes"),
            "checkpoint_bytes": checkpoint_path.stat().st_size,
            "torch_gpu_memory_peak_b": gpu_memory_peak_b(device),
        }
        write_record(out, Operation.COMPRESS, parameters, outcome, results)


def _sizes(sizes: "Sizes", checkpoint: "Checkpoint") -> dict[str, int]:
    """Give the bytes of the latents and corrections, and of the table as float64 and in its native types."""
    written = {name: value for name, value in asdict(sizes).items() if name != "rows"}
    row_bytes = sum(np.dtype(name).itemsize for name in checkpoint.dtypes)
    float64_bytes = sizes.rows * len(checkpoint.names) * 8
    return written | {"input_float64_bytes": float64_bytes, "native_bytes": sizes.rows * row_bytes}


@dataclass(frozen=True)
class _Asked:
    """What is to be compressed, with what."""

    data: Path
    checkpoint: "Checkpoint"
    point: PointOptions
    device: "torch.device"
    request: Request
    file_format: str | None


@dataclass(frozen=True)
class _Work:
    """An engine's operation with everything before it done: it writes the compressed file to a path."""

    operation: Callable[[Path], "Sizes"]
    warm_up: Callable[[Path], object]
    origin: Mapping[str, Any]
    warnings: Callable[[], list[str]]
    """What the user should know of it, after it has run."""


def _refuse_other_files(point: PointOptions, request: Request, file_format: str | None) -> None:
    if file_format not in (None, "table") or request != Request():
        raise InputError(f"--engine {point.engine} takes a table of `baler-energy prepare`; --engine fast others.")


@contextmanager
def _in_memory(asked: _Asked) -> Iterator[_Work]:
    from baler_energy.codecs.baler.coder import Coder

    _refuse_other_files(asked.point, asked.request, asked.file_format)
    table, point = Table.read(asked.data), asked.point
    coder = Coder(asked.checkpoint, asked.device, point.batch_size, point.packing)
    few = Table(table.data[: WARM_UP_BATCHES * point.batch_size], table.names, table.dtypes, table.origin)

    def warnings() -> list[str]:
        minimum, constant = asked.checkpoint.normalisation.features[0], asked.checkpoint.normalisation.constant
        return _lost([table.names[n] for n in np.flatnonzero(constant) if (table.data[:, n] != minimum[n]).any()])

    yield _Work(
        lambda target: coder.compress(table, target), lambda target: coder.compress(few, target), table.origin, warnings
    )


@contextmanager
def _streamed(asked: _Asked) -> Iterator[_Work]:
    from dataclasses import replace

    from baler_energy.codecs.baler.streaming import StreamingCoder
    from baler_energy.data.blocks import open_source

    point = asked.point
    request = replace(asked.request, columns=asked.checkpoint.names)
    coder = StreamingCoder(asked.checkpoint, asked.device, point.packing)
    few = WARM_UP_BATCHES * point.batch_size
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", str(asked.data)) and not asked.data.exists():
        raise InputError(f"{asked.data}: URLs are read by `baler-energy prepare`; compress takes files.")
    with open_source(asked.data, request, asked.file_format) as source:
        yield _Work(
            lambda target: coder.compress(source, target),
            lambda target: coder.compress(source, target, few),
            source.origin,
            lambda: [*source.origin.get("warnings", ()), *_lost(sorted(coder.lost)), *_rounded(sorted(coder.rounded))],
        )


_ENGINES = {"reference": _in_memory, "fast": _streamed}


def _lost(columns: list[str]) -> list[str]:
    words = "constant in training, not here; these values are lost. Train on this table"
    return [f"{', '.join(columns)}: {words}"] if columns else []


def _rounded(columns: list[str]) -> list[str]:
    words = "holds integers beyond 2^53, which float64 rounds"
    return [f"{', '.join(columns)}: {words}"] if columns else []
