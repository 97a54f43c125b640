"""Stage ``decompress``: a compressed file to the reconstructed table, measured."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.data.readers import FORMATS
from baler_energy.errors import InputError
from baler_energy.files import atomic_path
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

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.container import Facts, Reader

__all__ = ["EPILOG", "HELP", "RECONSTRUCTED", "add_arguments", "decompress", "reconstructed_name", "run"]

HELP = "reconstruct a table from a compressed file, and measure it"
EPILOG = """example:
  baler-energy decompress --compressed run/compress/table.baler --checkpoint run/train/checkpoint.pt \\
      --out run/decompress

writes reconstructed.npz (with --engine fast a file of the kind that was compressed), samples.parquet and, last,
measurement.json
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

    The measured operation begins with the file on disk (in the system's cache) and the network on its device: reading,
    checking, decoding, rescaling, rounding. With the engine ``reference`` it ends with the table in memory, and writing
    it comes after; ``fast`` writes it within the window, as it never holds it.

    Raises
    ------
    InputError
        The file, the checkpoint or an option is wrong, or they do not fit together.
    UnavailableError
        The device or a meter is not there.
    """
    if point.engine == "upstream":
        from baler_energy.stages.upstream import decompress as upstream

        upstream.decompress(compressed, checkpoint_path, out, point, measuring)
        return
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.coder import check_hash
    from baler_energy.codecs.baler.container import Reader

    checkpoint = Checkpoint.read(checkpoint_path)
    check_point(checkpoint, point, checkpoint_path)
    device = configure_torch(point)
    content = Reader(compressed)
    check_hash(content.facts, checkpoint, compressed)
    _check_fits(content.facts, point, compressed)
    rows, columns = content.rows, checkpoint.architecture.columns
    parameters = point.parameters(source=content.facts.origin.get("source"), rows=rows, columns=columns)
    work = _ENGINES[point.engine](compressed, checkpoint, point, device)

    with open_session(measuring, device, out) as session:
        with atomic_path(out / reconstructed_name(content.facts.layout)) as target:
            outcome = session.run(
                lambda: work.operation(target), warm_up=warmed_up(lambda: work.warm_up(_few(content, point)), device)
            )
            work.finish(outcome.result, target)
        results = {"rows": rows, "torch_gpu_memory_peak_b": gpu_memory_peak_b(device)}
        write_record(out, Operation.DECOMPRESS, parameters, outcome, results)


@dataclass(frozen=True)
class _Work:
    """An engine's operation with everything before it done."""

    operation: Callable[[Path], Any]
    warm_up: Callable[["NDArray[np.floating]"], object]
    """Decodes some latents."""
    finish: Callable[[Any, Path], None]
    """Writes what the operation left in memory."""


def _in_memory(compressed: Path, checkpoint: "Checkpoint", point: PointOptions, device: "torch.device") -> _Work:
    from baler_energy.codecs.baler.coder import Coder

    coder = Coder(checkpoint, device, point.batch_size)
    return _Work(lambda _: coder.decompress(compressed), coder.decode, lambda table, target: table.write(target))


def _streamed(compressed: Path, checkpoint: "Checkpoint", point: PointOptions, device: "torch.device") -> _Work:
    from baler_energy.codecs.baler.streaming import StreamingCoder

    coder = StreamingCoder(checkpoint, device)
    return _Work(lambda target: coder.decompress(compressed, target), coder.decode, lambda rows, target: None)


_ENGINES = {"reference": _in_memory, "fast": _streamed}


def reconstructed_name(layout: Mapping[str, Any]) -> str:
    """Name of the reconstructed file: of the kind that the table came in."""
    suffixes = {"table": ".npz"} | {name: suffixes[0] for name, suffixes in FORMATS.items()}
    return f"{Path(RECONSTRUCTED).stem}{suffixes[layout.get('format', 'table')]}"


def _few(content: "Reader", point: PointOptions) -> "NDArray[np.floating]":
    """Latents for a warm-up: of the first batches."""
    first = next(content.blocks(), None)
    return content.latents() if first is None else first.latents[: WARM_UP_BATCHES * point.batch_size]


def _check_fits(facts: "Facts", point: PointOptions, path: Path) -> None:
    """Refuse an option that contradicts the file, as the record would then be wrong, and files for the other engine."""
    packing, kind = facts.packing, facts.layout.get("format", "table")
    if point.packing != packing:
        raise InputError(f"--packing {point.packing}: the file was written with {packing}. Give --packing {packing}.")
    if point.engine != "fast" and kind != "table":
        raise InputError(f"{path}: was compressed from a {kind} file, which --engine fast makes again.")
