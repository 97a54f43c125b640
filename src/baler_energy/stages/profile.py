"""Stage ``profile``: a profiler's traces of the operations; no energy is measured in such a run."""

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.codecs.baler.architecture import Architecture, latent_columns
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import atomic_path
from baler_energy.progress import say
from baler_energy.stages.options import (
    PointOptions,
    add_point_arguments,
    check_point,
    configure_torch,
    point_options,
    positive_int,
)

if TYPE_CHECKING:
    import torch

    from baler_energy.codecs.baler.coder import Coder
    from baler_energy.profilers.hotspots import Hotspot

__all__ = ["EPILOG", "HELP", "HOTSPOTS", "STATS", "TRACE", "TRACED_BATCHES", "add_arguments", "profile", "run"]

HELP = "profile operations (cProfile or torch.profiler); shares of time only, no energy"
EPILOG = """examples:
  baler-energy profile --data table.npz --operation train --profiler cprofile --out profiles/cprofile
  baler-energy profile --data table.npz --checkpoint run/train/checkpoint.pt --operation compress decompress \\
      --profiler torch --max-batches 50 --out profiles/torch

writes, in a folder for each operation, hotspots.parquet, and profile.pstats (snakeviz opens it) or trace.json
(ui.perfetto.dev opens it)
"""

STATS = "profile.pstats"
TRACE = "trace.json"
HOTSPOTS = "hotspots.parquet"
#: Batches in a trace, so that it stays at some megabytes; the hotspots are of all profiled batches.
TRACED_BATCHES = 4

_WARM_UP_BATCHES = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="table of `baler-energy prepare`")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="checkpoint of `baler-energy train`, to compress or decompress"
    )
    parser.add_argument(
        "--operation",
        nargs="+",
        choices=("train", "compress", "decompress"),
        required=True,
        help="what to profile, one after the other",
    )
    parser.add_argument("--profiler", choices=("cprofile", "torch"), required=True, help="what to profile it with")
    parser.add_argument(
        "--max-batches",
        type=positive_int,
        default=25,
        metavar="N",
        help="take at most so many batches of rows, and one epoch (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    add_point_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    # Silences the profiler's own messages of start and stop; read when torch is loaded.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    point = point_options(args)
    for operation in args.operation:
        out = args.out / operation
        profile(args.data, args.checkpoint, operation, args.profiler, args.max_batches, point, out)


def profile(
    data: Path,
    checkpoint: Path | None,
    operation: str,
    profiler: str,
    max_batches: int,
    point: PointOptions,
    out: Path,
) -> None:
    """Profile an operation on the first rows of a table; write hotspots, and statistics or a trace, to `out`.

    Training is of one epoch; to compress or decompress, `checkpoint` is needed. Raises `InputError` and
    `UnavailableError`.
    """
    device = configure_torch(point)
    table = Table.read(data)
    rows, columns = table.data.shape
    parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    with tempfile.TemporaryDirectory(prefix="baler-energy-") as folder:
        operations = _operations(operation, checkpoint, point, device, Path(folder))

        def of_batches(batches: int) -> Callable[[], object]:
            part = table.data[: batches * point.batch_size]
            return operations(Table(part, table.names, table.dtypes, table.origin))

        of_batches(_WARM_UP_BATCHES)()
        say(f"profile: {operation} of {min(max_batches, -(-rows // point.batch_size))} batches with {profiler}")
        hotspots = _PROFILERS[profiler](of_batches, max_batches, out)
    _write(out / HOTSPOTS, parameters | {"operation": operation, "profiler": profiler}, hotspots)
    say(f"profile: most self time in {hotspots[0].name}, {hotspots[0].self_share:.0%}")


#: Gives the operation on so many batches, everything before it done.
_OfBatches = Callable[[int], Callable[[], object]]


def _cprofile(of_batches: _OfBatches, max_batches: int, out: Path) -> "list[Hotspot]":
    from baler_energy.profilers import cprofile

    return cprofile.profile(of_batches(max_batches), out / STATS)


def _torch_profiler(of_batches: _OfBatches, max_batches: int, out: Path) -> "list[Hotspot]":
    from baler_energy.profilers import torch_profiler

    hotspots = torch_profiler.profile(of_batches(max_batches))
    torch_profiler.trace(of_batches(min(max_batches, TRACED_BATCHES)), out / TRACE)
    return hotspots


_PROFILERS = {"cprofile": _cprofile, "torch": _torch_profiler}


def _operations(
    operation: str, checkpoint: Path | None, point: PointOptions, device: "torch.device", folder: Path
) -> Callable[[Table], Callable[[], object]]:
    """Give what makes the operation on a table, everything before it done."""
    if operation == "train":
        return lambda table: _training(table, point, device)
    if checkpoint is None:
        raise InputError(f"--operation {operation} needs --checkpoint, a checkpoint of `baler-energy train`.")
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.coder import Coder

    codec = Checkpoint.read(checkpoint)
    check_point(codec, point, checkpoint)
    coder = Coder(codec, device, point.batch_size)
    if operation == "compress":
        return lambda table: _waiting(lambda: coder.compress(table, folder / "table.baler"), device)
    return lambda table: _waiting(_decompression(coder, table, folder), device)


def _training(table: Table, point: PointOptions, device: "torch.device") -> Callable[[], object]:
    from baler_energy.codecs.baler.training import TrainingSettings, train

    columns = table.data.shape[1]
    architecture = Architecture(columns, latent_columns(columns, point.compression_ratio))
    settings = TrainingSettings(1, point.batch_size, point.seed, point.precision)
    return _waiting(lambda: train(table.data, table.names, architecture, settings, device), device)


def _decompression(coder: "Coder", table: Table, folder: Path) -> Callable[[], object]:
    compressed = folder / f"{len(table.data)}.baler"
    coder.compress(table, compressed)
    return lambda: coder.decompress(compressed)


def _waiting(operation: Callable[[], object], device: "torch.device") -> Callable[[], object]:
    """Let an operation end with its work on the GPU."""
    if device.type != "cuda":
        return operation
    import torch

    def waiting() -> None:
        operation()
        torch.cuda.synchronize()

    return waiting


def _write(path: Path, parameters: Mapping[str, Any], hotspots: "list[Hotspot]") -> None:
    import pandas as pd

    frame = pd.DataFrame([{**parameters, **asdict(hotspot)} for hotspot in hotspots])
    whole = ("epochs", "line", "calls", "memory_bytes", "bytes", "flops")
    real = ("self_share", "total_share", "self_time_s", "total_time_s", "energy_j")
    text = ("source", "file", "stack", "energy_evidence", "reason")
    types = dict.fromkeys(whole, "Int64") | dict.fromkeys(real, "float64") | dict.fromkeys(text, "string")
    with atomic_path(path) as temporary:
        frame.astype(types).to_parquet(temporary, index=False)
