"""Stage ``parts``: measure each layer, each data movement and the whole operation, each in its own loop."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.analysis.totals import Total, relevant_flags, total
from baler_energy.codecs.baler.pruning.base import Pruning
from baler_energy.codecs.engines import engine_of, options_with, refuse_runtime
from baler_energy.config.measuring import Profile
from baler_energy.config.options import add_options
from baler_energy.data.table import Table
from baler_energy.meters.options import add_session_arguments
from baler_energy.meters.session import Outcome, Session
from baler_energy.profilers.base import set_environment
from baler_energy.profilers.hotspots import Hotspot, write_hotspots
from baler_energy.progress import announce, progress
from baler_energy.stages.file_names import HOTSPOTS
from baler_energy.stages.measured import Measuring
from baler_energy.stages.options import (
    PointOptions,
    add_codec_file_arguments,
    add_point_arguments,
    point_options,
)
from baler_energy.stages.profiled import Job
from baler_energy.temporaries import temporary_folder
from baler_energy.variants import PROFILERS
from baler_energy.vocabulary import OPERATIONS, Evidence, Quantity

if TYPE_CHECKING:
    from baler_energy.codecs.baler.layer_costs import Part

__all__ = ["EPILOG", "HELP", "add_arguments", "parts", "run"]

HELP = "measure each layer, each data movement and the machine's peaks, each in its own loop"
EPILOG = """example:
  baler-energy parts --data table.npz --checkpoint run/train/checkpoint.pt --out profiles/parts

writes hotspots.parquet to a folder each for train, compress, decompress, prepare (reading the table) and machine (its
peaks). Every loop follows the rules of a measured window (--min-window-s). The shares of operators within a part, and
the times of single batches, come from separate runs after all windows.
"""

#: Name of these rows in the column ``profiler``.
_PROFILER = "parts"
_GROUPS = {"data": "data", "layer": "layers", "optimizer": "optimizer"}
#: Batches that are timed for the percentiles.
_TIMED_BATCHES = 300
#: Side of the square matrices in the peak product, large enough to fill the device; bytes of the peak copy, too many
#: for any cache.
_SIDE = {"cpu": 1536, "cuda": 8192}
_COPIED_BYTES = {"cpu": 2**28, "cuda": 2**30}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    add_codec_file_arguments(parser)
    add_options(parser, Profile, only=["max_batches"])
    add_point_arguments(parser)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    set_environment()
    parts(args.data, args.checkpoint, args.max_batches, point_options(args), args.out, Measuring.of(args))


def parts(data: Path, checkpoint: Path, max_batches: int, point: PointOptions, out: Path, measuring: Measuring) -> None:
    """Measure the parts of train (one epoch), compress and decompress, reading the table, and the machine's peaks.

    Where the point's parts cannot be measured, each operation has one row of kind ``absent`` with the reason.

    Parameters
    ----------
    data, checkpoint
        The table and the trained codec.
    max_batches
        Most whole batches per operation; a table smaller than one batch is one batch.
    point, measuring
        The point of the grid; meters and settings of the windows.
    out
        Folder for ``OPERATION/hotspots.parquet``.

    Raises
    ------
    InputError
        Table, checkpoint and options do not match.
    UnavailableError
        The device is not available.
    """
    refuse_runtime(point, "measuring separate parts")
    with temporary_folder() as folder:
        whole_jobs = [Job(data, checkpoint, name, max_batches, point, folder) for name in OPERATIONS]
        parameters, reason = whole_jobs[0].parameters(), _refusal(point)
        for job in () if reason else whole_jobs:
            job.check()
        found = _none(reason) if reason else _found(whole_jobs, measuring)
    for name, rows in found.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        write_hotspots(out / name / HOTSPOTS, parameters | {"operation": name, "profiler": _PROFILER}, rows)
    print(f"{out}: {sum(map(len, found.values()))} rows, for {', '.join(found)}")


def _found(whole_jobs: list[Job], measuring: Measuring) -> dict[str, list[Hotspot]]:
    data, point, device = whole_jobs[0].data, whole_jobs[0].point, whole_jobs[0].device.type
    jobs = [_whole_batches(job) for job in whole_jobs]
    # All windows end before the first profiler starts, which would slow everything after it.
    with Session(measuring.meters, measuring.settings, **_synchronise(device)) as session:
        loops = _Loops(session, uses_gpu=device == "cuda")
        measured = [_measure(job, loops) for job in jobs]
        found = {"prepare": [_reading(data, loops)], "machine": _peaks(point.precision, device, loops)}
    for job, one in zip(jobs, measured, strict=True):
        found[job.operation] = [*_rows(job, one, loops), *_latencies(job)]
    return found


def _refusal(point: PointOptions) -> str | None:
    """Return why the parts of a point cannot be measured; None: they can."""
    if not engine_of(point).has_layers:
        able = options_with(lambda engine: engine.has_layers)
        return f"layers can only be measured with {able}, not with {point.engine or point.transform!r}."
    if Pruning.parse(point.pruning):
        return f"layers cannot be measured with pruning {point.pruning!r}, which changes the network during training."
    return None


def _none(reason: str) -> dict[str, list[Hotspot]]:
    """Return rows with the reason that there are no parts."""
    announce(f"parts: no values: {reason}")
    absent = Hotspot(kind="absent", name=_PROFILER, reason=reason)
    return {name: [absent] for name in (*OPERATIONS, *PROFILERS[_PROFILER].extra_operations)}


def _synchronise(device: str) -> dict[str, Any]:
    if device != "cuda":
        return {}
    import torch

    return {"synchronise": torch.cuda.synchronize}


#: Fields of a `Hotspot` from a measured window.
_Fields = dict[str, Any]


class _Loops:
    """Measured windows of one session; the first takes the idle baseline and sets the kind of energy for all."""

    def __init__(self, session: Session, *, uses_gpu: bool) -> None:
        self._session = session
        self._uses_gpu = uses_gpu
        self._first: Outcome[Any] | None = None
        self._basis: tuple[Evidence, str] | None = None

    def measure(self, operation: Callable[[], object]) -> _Fields:
        """Return time, energy and flags of one call.

        Energy is null if its kind (measured or modelled) or its components differ from those of the first window.
        """
        outcome = self._session.run(operation, warm_up=operation, baseline=self._first is None)
        if self._first is None:
            self._first = outcome
            for evidence in (Evidence.MODELLED, Evidence.MEASURED):
                if (chosen := self._total(outcome, evidence)) and chosen.has_processor:
                    self._basis = (evidence, chosen.scope)
        seconds = outcome.window.duration_s / outcome.iterations
        wrong, _ = relevant_flags(outcome.flags, outcome.readings, uses_gpu=self._uses_gpu)
        return {"self_time_s": seconds, "total_time_s": seconds, "flags": wrong} | self._energy(outcome)

    def idle_power_w(self) -> float | None:
        """Return the idle power of all components of the measured energy; None if energy is not measured."""
        if self._first is None or self._first.idle is None or self._basis is None:
            return None
        evidence, scope = self._basis
        readings = self._first.idle.readings
        idle = total(readings, Quantity.IDLE_POWER, Evidence.MEASURED, uses_gpu=self._uses_gpu)
        return idle.energy_j if idle and evidence == Evidence.MEASURED and idle.scope == scope else None

    def _energy(self, outcome: Outcome[Any]) -> _Fields:
        if self._basis is None:
            return {}
        evidence, scope = self._basis
        energy = self._total(outcome, evidence)
        if energy is None or energy.scope != scope:
            return {"reason": f"no {evidence.value} energy of {scope}, unlike in the first loop"}
        evidence_of = {"energy_evidence": evidence.value, "energy_scope": scope}
        return {"energy_j": energy.energy_j / outcome.iterations} | evidence_of

    def _total(self, outcome: Outcome[Any], evidence: Evidence) -> Total | None:
        return total(outcome.readings, Quantity.ENERGY, evidence, uses_gpu=self._uses_gpu)


@dataclass(frozen=True)
class _Measured:
    """Windows of one operation: the whole, and each of its parts."""

    whole: _Fields
    parts: "list[tuple[Part, _Fields]]"


def _measure(job: Job, loops: _Loops) -> _Measured:
    whole = loops.measure(job.of_batches(job.max_batches))
    pieces = _pieces(job)
    each = progress(pieces, total=len(pieces), label=f"parts of {job.operation}", unit="parts")
    return _Measured(whole, [(part, loops.measure(part.run)) for part in each])


def _reading(data: Path, loops: _Loops) -> Hotspot:
    """Measure reading the whole table, which is in the page cache after the first time."""
    table = Table.read(data)
    fields = loops.measure(lambda: Table.read(data))
    return Hotspot(kind="data", name="reading the table", calls=1, bytes=table.data.nbytes, **fields)


def _rows(job: Job, measured: _Measured, loops: _Loops) -> list[Hotspot]:
    """Make the rows of an operation: the whole, its static part, its parts with their operators, and the rest."""
    operation, whole = job.operation, measured.whole
    rows = [_part(part, operation, fields, whole["self_time_s"]) for part, fields in measured.parts]
    flops = sum(row.flops or 0 for row in rows if row.kind == "layer")
    one: _Fields = {"self_share": 1.0, "total_share": 1.0, "calls": 1, "stack": operation, "flops": flops}
    inside = [
        _within(operator, row)
        for row, (part, _) in zip(rows, measured.parts, strict=True)
        for operator in _operators(part)
    ]
    return [
        Hotspot(kind="whole", name=operation, **(whole | one)),
        *_static(operation, whole, loops.idle_power_w()),
        *rows,
        *inside,
        _rest(operation, whole, rows),
    ]


def _whole_batches(job: Job) -> Job:
    """Limit a job to the first whole batches of its table, so that all have the same shape."""
    rows = len(job.table.data)
    size = min(job.point.batch_size, rows)
    count = min(job.max_batches, rows // size)
    return replace(job, point=job.point.changed(batch_size=size), max_batches=count, rows=count * size)


def _pieces(job: Job) -> "list[Part]":
    from baler_energy.codecs.baler import layer_costs as pieces

    table, size = job.table, job.point.batch_size
    if job.operation == "train":
        return pieces.train_parts(table, job.architecture, job.settings, job.device)
    compressed = job.folder / "parts.baler"
    if job.operation == "compress":
        return pieces.compress_parts(job.codec, table, size, job.device, compressed)
    job.codec.compress(table, compressed)
    return pieces.decompress_parts(job.codec, compressed, size, job.device)


def _part(part: "Part", operation: str, fields: _Fields, whole_s: float) -> Hotspot:
    share = fields["self_time_s"] / whole_s
    shares: _Fields = {
        "self_share": share,
        "total_share": share,
        "stack": f"{operation};{_GROUPS[part.kind]};{part.name}",
    }
    work = {"calls": part.calls, "flops": part.flops, "bytes": part.bytes}
    return Hotspot(kind=part.kind, name=part.name, **(fields | shares | work))


def _operators(part: "Part") -> list[Hotspot]:
    """Profile a part in a separate run, for the shares of its operators; data movements are not profiled."""
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


def _static(operation: str, whole: _Fields, idle_power_w: float | None) -> list[Hotspot]:
    if idle_power_w is None or whole.get("energy_j") is None:
        return []
    energy = {name: whole[name] for name in ("energy_evidence", "energy_scope")}
    joules = idle_power_w * whole["self_time_s"]
    name = "idle power over its time"
    return [Hotspot(kind="static", name=name, stack=f"{operation};static", energy_j=joules, **energy)]


def _rest(operation: str, whole: _Fields, rows: list[Hotspot]) -> Hotspot:
    """Return what the whole takes beyond its parts."""
    seconds = whole["self_time_s"] - sum(row.self_time_s or 0.0 for row in rows)
    share = seconds / whole["self_time_s"]
    fields: _Fields = {"self_share": share, "total_share": share, "self_time_s": seconds, "total_time_s": seconds}
    missing = [row.name for row in rows if row.energy_j is None]
    if whole.get("energy_j") is not None and missing:
        fields["reason"] = f"energy of {', '.join(missing)} is missing"
    elif whole.get("energy_j") is not None:
        fields |= {name: whole[name] for name in ("energy_evidence", "energy_scope")}
        fields["energy_j"] = whole["energy_j"] - sum(row.energy_j or 0.0 for row in rows)
    name = "framework overhead"
    return Hotspot(kind="overhead", name=name, stack=f"{operation};{name}", **fields)


def _latencies(job: Job) -> list[Hotspot]:
    """Time single batches in a separate run, because reading the clock for each would disturb a window."""
    import numpy as np

    one = _one_batch(job)
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


def _one_batch(job: Job) -> Callable[[], object]:
    """Return an operation's step on one batch: a training step, or encoding or decoding in memory."""
    table = job.table
    batch = table.data[: job.point.batch_size]
    if job.operation == "compress":
        return lambda: job.codec.encode(batch)
    if job.operation == "decompress":
        latents = job.codec.encode(batch)
        return lambda: job.codec.decode(latents)
    import torch

    from baler_energy.codecs.baler.model import DTYPES
    from baler_energy.codecs.baler.training import new_optimizer, pass_over, started_model
    from baler_energy.codecs.normalisation import Normalisation

    scaled = Normalisation.of(table.data, table.names).normalise(table.data)
    model = started_model(job.architecture, job.settings, scaled).to(job.device)
    rows = torch.as_tensor(scaled[: len(batch)], dtype=DTYPES[job.point.precision], device=job.device)
    optimizer = new_optimizer(list(model.parameters()), job.settings)
    return lambda: pass_over(model, [(rows,)], optimizer)


def _peaks(precision: str, device: str, loops: _Loops) -> list[Hotspot]:
    """Measure the machine's peaks in the point's number format, with its threads.

    A product of two square matrices of side n takes 2 n^3 FLOP; a copy reads and writes each byte (STREAM's counting,
    McCalpin 1995).
    """
    import torch

    from baler_energy.codecs.baler.model import DTYPES

    announce("parts: peaks of the machine")
    side, count = _SIDE[device], _COPIED_BYTES[device]
    left, right = (torch.rand(side, side, dtype=DTYPES[precision], device=device) for _ in range(2))
    product = torch.empty_like(left)
    source = torch.ones(count // 8, dtype=torch.float64, device=device)
    target = torch.empty_like(source)
    matrix = loops.measure(lambda: torch.mm(left, right, out=product))
    copy = loops.measure(lambda: target.copy_(source))
    return [
        Hotspot(kind="peak", name="matrix product", calls=1, flops=2 * side**3, bytes=3 * left.nbytes, **matrix),
        Hotspot(kind="peak", name="memory copy", calls=1, bytes=2 * source.nbytes, **copy),
    ]
