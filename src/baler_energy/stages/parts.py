"""Stage ``parts``: what each layer and each movement of data costs, in measured loops beside the whole operation."""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.analysis.totals import Total, total
from baler_energy.codecs.baler.architecture import Architecture, latent_columns
from baler_energy.data.table import Table
from baler_energy.meters.options import add_session_arguments
from baler_energy.meters.session import Outcome, Session
from baler_energy.profilers.hotspots import Hotspot
from baler_energy.progress import progress, say
from baler_energy.stages.measured import Measuring
from baler_energy.stages.options import PointOptions, add_point_arguments, point_options, positive_int
from baler_energy.stages.profile import HOTSPOTS, write_hotspots
from baler_energy.stages.profiled import Job
from baler_energy.vocabulary import Evidence, Quantity

if TYPE_CHECKING:
    from baler_energy.codecs.baler.parts import Part

__all__ = ["EPILOG", "HELP", "PROFILER", "add_arguments", "parts", "run"]

HELP = "measure each layer, each movement of data and the machine's peaks, each in a loop of its own"
EPILOG = """example:
  baler-energy parts --data table.npz --checkpoint run/train/checkpoint.pt --out profiles/parts

writes, in a folder for each of train, compress, decompress, prepare (reading the table) and machine (its peaks),
hotspots.parquet. Every loop obeys the rules of a measured window (--min-window-s); none is a profiled run.
"""

#: Name of these rows in the column ``profiler``.
PROFILER = "parts"
_OPERATIONS = ("train", "compress", "decompress")
_GROUPS = {"data": "data", "layer": "layers", "optimizer": "optimizer"}
#: Batches whose single times give the percentiles.
_TIMED_BATCHES = 300
#: Sides of the square matrices of the peak product, large enough to fill the device, and bytes of the peak copy,
#: which no cache holds.
_SIDE = {"cpu": 1536, "cuda": 8192}
_COPIED_BYTES = {"cpu": 2**28, "cuda": 2**30}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="table of `baler-energy prepare`")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="checkpoint of `baler-energy train`"
    )
    parser.add_argument(
        "--max-batches",
        type=positive_int,
        default=25,
        metavar="N",
        help="take at most so many whole batches of rows, and one epoch (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    add_point_arguments(parser)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    parts(args.data, args.checkpoint, args.max_batches, point_options(args), args.out, Measuring.of(args))


def parts(data: Path, checkpoint: Path, max_batches: int, point: PointOptions, out: Path, measuring: Measuring) -> None:
    """Measure the parts of train (one epoch), compress and decompress, reading the table, and the machine's peaks.

    Parameters
    ----------
    data, checkpoint
        The table and the trained codec.
    max_batches
        Whole batches that an operation has; a table below one batch is one batch.
    point, measuring
        The point of the grid; meters and settings of the windows.
    out
        Folder that gets ``OPERATION/hotspots.parquet``.

    Raises
    ------
    InputError
        Table, checkpoint and options do not fit together.
    UnavailableError
        The device is not there.
    """
    with tempfile.TemporaryDirectory(prefix="baler-energy-") as folder:
        found: dict[str, list[Hotspot]] = {}
        jobs = {name: Job(data, checkpoint, name, max_batches, point, Path(folder)) for name in _OPERATIONS}
        first = next(iter(jobs.values()))
        parameters = first.parameters()
        synchronise: dict[str, Any] = {}
        if first.device.type == "cuda":
            import torch

            synchronise = {"synchronise": torch.cuda.synchronize}
        with Session(measuring.meters, measuring.settings, **synchronise) as session:
            loops = _Loops(session, uses_gpu=first.device.type == "cuda")
            for name, job in jobs.items():
                found[name] = _operation(job, loops)
            reading = loops.measure(lambda: Table.read(data))
            found["prepare"] = [_row("data", "reading the table", reading, calls=1, bytes=first.table.data.nbytes)]
            found["machine"] = _peaks(point.precision, first.device.type, loops)
    for name, rows in found.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        write_hotspots(out / name / HOTSPOTS, parameters | {"operation": name, "profiler": PROFILER}, rows)


class _Loops:
    """Measured windows of one session; the first takes the idle baseline for all."""

    def __init__(self, session: Session, *, uses_gpu: bool) -> None:
        self._session = session
        self._uses_gpu = uses_gpu
        self.idle_power_w: float | None = None
        self._begun = False

    def measure(self, operation: Callable[[], object]) -> dict[str, Any]:
        """Give time, energy and flags of one call, as fields of a `Hotspot`."""
        outcome = self._session.run(operation, warm_up=operation, baseline=not self._begun)
        if not self._begun and outcome.idle is not None:
            idle = total(outcome.idle.readings, Quantity.IDLE_POWER, Evidence.MEASURED, uses_gpu=self._uses_gpu)
            energy = self._total(outcome, Evidence.MEASURED)
            # Only where every component of the energy has a baseline, as for runs.
            self.idle_power_w = idle.energy_j if idle and energy and idle.scope == energy.scope else None
        self._begun = True
        seconds = outcome.window.duration_s / outcome.iterations
        fields: dict[str, Any] = {"self_time_s": seconds, "total_time_s": seconds}
        for evidence in (Evidence.MEASURED, Evidence.MODELLED):
            if energy := self._total(outcome, evidence):
                fields |= {"energy_j": energy.energy_j / outcome.iterations, "energy_evidence": evidence.value}
                break
        return fields | {"flags": ",".join(outcome.flags)}

    def _total(self, outcome: Outcome[Any], evidence: Evidence) -> Total | None:
        return total(outcome.readings, Quantity.ENERGY, evidence, uses_gpu=self._uses_gpu)


def _row(kind: str, name: str, measured: dict[str, Any], **fields: Any) -> Hotspot:
    return Hotspot(kind=kind, name=name, **(measured | fields))


def _operation(job: Job, loops: _Loops) -> list[Hotspot]:
    """Measure an operation, its parts, and the times of single batches."""
    table = _whole_batches(job)
    small = replace(job, point=replace(job.point, batch_size=min(job.point.batch_size, len(table.data))))
    small.__dict__["table"] = table
    whole = loops.measure(small.of_batches(job.max_batches))
    rows = []
    pieces = _pieces(small, table)
    for part in progress(pieces, total=len(pieces), label=f"parts of {job.operation}", unit="parts"):
        rows += _part(part, job.operation, loops.measure(part.run), whole["self_time_s"])
    flops = sum(row.flops or 0 for row in rows if row.kind == "layer")
    one = {"self_share": 1.0, "total_share": 1.0, "calls": 1, "stack": job.operation}
    return [
        _row("whole", job.operation, whole, flops=flops, **one),
        *_static(job.operation, whole, loops.idle_power_w),
        *rows,
        _rest(job.operation, whole, [row for row in rows if row.kind in _GROUPS]),
        *_latencies(small, table),
    ]


def _whole_batches(job: Job) -> Table:
    """First rows of the table: whole batches only, so that all have the same shape."""
    size = job.point.batch_size
    count = max(1, min(job.max_batches, len(job.table.data) // size))
    return job.part(count)


def _pieces(job: Job, table: Table) -> "list[Part]":
    from baler_energy.codecs.baler import parts as pieces
    from baler_energy.codecs.baler.training import TrainingSettings

    size, columns = job.point.batch_size, table.data.shape[1]
    if job.operation == "train":
        architecture = Architecture(columns, latent_columns(columns, job.point.compression_ratio))
        settings = TrainingSettings(1, size, job.point.seed, job.point.precision)
        return pieces.train_parts(table, architecture, settings, job.device)
    compressed = job.folder / "parts.baler"
    if job.operation == "compress":
        return pieces.compress_parts(job.coder, table, size, job.device, compressed)
    job.coder.compress(table, compressed)
    return pieces.decompress_parts(job.coder, compressed, size, job.device)


def _part(part: "Part", operation: str, measured: dict[str, Any], whole_s: float) -> list[Hotspot]:
    """Make the row of a part, and rows of the operators in it: its time, shared out as torch's profiler saw them."""
    stack = f"{operation};{_GROUPS[part.kind]};{part.name}"
    share = measured["self_time_s"] / whole_s
    shares = {"self_share": share, "total_share": share}
    row = _row(
        part.kind, part.name, measured, stack=stack, calls=part.calls, flops=part.flops, bytes=part.bytes, **shares
    )
    return [row, *(_within(operator, row) for operator in _operators(part))]


def _operators(part: "Part") -> list[Hotspot]:
    """Profile a part, in a run of its own; what is no operator of torch has none."""
    from baler_energy.profilers import torch_profiler

    if part.kind == "data":
        return []
    rows = torch_profiler.profile(part.run)
    kinds = {"kernel"} if any(row.kind == "kernel" for row in rows) else {"operator"}
    chosen = [row for row in rows if row.kind in kinds]
    whole_s = sum(row.self_time_s or 0.0 for row in chosen)
    return [
        replace(row, self_share=(row.self_time_s or 0.0) / whole_s)
        for row in chosen
        if (row.self_time_s or 0.0) > 0.02 * whole_s
    ]


def _within(operator: Hotspot, part: Hotspot) -> Hotspot:
    share = (operator.self_share or 0.0) * (part.self_share or 0.0)
    seconds = (operator.self_share or 0.0) * (part.self_time_s or 0.0)
    return Hotspot(
        kind=operator.kind,
        name=operator.name,
        stack=f"{part.stack};{operator.name}",
        calls=operator.calls,
        self_share=share,
        total_share=share,
        self_time_s=seconds,
        total_time_s=seconds,
    )


def _static(operation: str, whole: dict[str, Any], idle_power_w: float | None) -> list[Hotspot]:
    if idle_power_w is None or whole.get("energy_evidence") != Evidence.MEASURED:
        return []
    energy = {"energy_j": idle_power_w * whole["self_time_s"], "energy_evidence": Evidence.MEASURED.value}
    return [Hotspot(kind="static", name="idle power over its time", stack=f"{operation};static", **energy)]


def _rest(operation: str, whole: dict[str, Any], rows: list[Hotspot]) -> Hotspot:
    """Give what the whole takes beyond its parts."""
    seconds = whole["self_time_s"] - sum(row.self_time_s or 0.0 for row in rows)
    share = seconds / whole["self_time_s"]
    fields: dict[str, Any] = {"self_share": share, "total_share": share, "self_time_s": seconds}
    evidence = whole.get("energy_evidence")
    if evidence and all(row.energy_evidence == evidence for row in rows):
        rest_j = whole["energy_j"] - sum(row.energy_j or 0.0 for row in rows)
        fields |= {"energy_j": rest_j, "energy_evidence": evidence}
    name = "framework overhead"
    return Hotspot(kind="overhead", name=name, stack=f"{operation};{name}", total_time_s=seconds, **fields)


def _latencies(job: Job, table: Table) -> list[Hotspot]:
    """Time single batches, in a run of their own, as reading the clock at each would disturb a window."""
    import numpy as np

    one = _one_batch(job, table)
    for _ in range(10):
        one()
    times = []
    for _ in range(_TIMED_BATCHES):
        start_s = time.perf_counter()
        one()
        times.append(time.perf_counter() - start_s)
    return [
        Hotspot(
            kind="latency",
            name=f"p{percent}",
            calls=_TIMED_BATCHES,
            self_time_s=float(np.percentile(times, percent)),
            total_time_s=float(np.percentile(times, percent)),
        )
        for percent in (50, 99)
    ]


def _one_batch(job: Job, table: Table) -> Callable[[], object]:
    """Give an operation's step on one batch: a training step, or encoding or decoding from memory to memory."""
    batch = table.data[: job.point.batch_size]
    if job.operation == "compress":
        return lambda: job.coder.encode(batch)
    if job.operation == "decompress":
        latents = job.coder.encode(batch)
        return lambda: job.coder.decode(latents)
    import torch

    from baler_energy.codecs.baler.model import DTYPES
    from baler_energy.codecs.baler.normalisation import Normalisation
    from baler_energy.codecs.baler.training import TrainingSettings, new_model, pass_over

    columns = batch.shape[1]
    architecture = Architecture(columns, latent_columns(columns, job.point.compression_ratio))
    settings = TrainingSettings(1, len(batch), job.point.seed, job.point.precision)
    model = new_model(architecture, settings).to(job.device)
    scaled = Normalisation.of(table.data, table.names).normalise(batch)
    rows = torch.as_tensor(scaled, dtype=DTYPES[job.point.precision], device=job.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    return lambda: pass_over(model, [(rows,)], optimizer)


def _peaks(precision: str, device: str, loops: _Loops) -> list[Hotspot]:
    """Measure what the machine reaches at best in the point's number format and with its threads.

    A product of two square matrices of side n is 2 n^3 FLOP; a copy reads and writes each byte (STREAM's counting,
    McCalpin 1995).
    """
    import torch

    from baler_energy.codecs.baler.model import DTYPES

    say("parts: peaks of the machine")
    side, count = _SIDE[device], _COPIED_BYTES[device]
    left, right = (torch.rand(side, side, dtype=DTYPES[precision], device=device) for _ in range(2))
    product = torch.empty_like(left)
    source = torch.ones(count // 8, dtype=torch.float64, device=device)
    target = torch.empty_like(source)
    matrix = loops.measure(lambda: torch.mm(left, right, out=product))
    copy = loops.measure(lambda: target.copy_(source))
    return [
        _row("peak", "matrix product", matrix, calls=1, flops=2 * side**3, bytes=3 * left.nbytes),
        _row("peak", "memory copy", copy, calls=1, bytes=2 * source.nbytes),
    ]
