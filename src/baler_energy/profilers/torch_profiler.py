"""Operators, and what the GPU did and when it waited, by torch.profiler."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity

from baler_energy.analysis.intervals import merge
from baler_energy.files import atomic_path
from baler_energy.profilers.base import Profiler, Watched
from baler_energy.profilers.hotspots import Hotspot, top

__all__ = ["PROFILER", "TRACED_BATCHES", "hotspots_of", "profile", "trace"]

#: Batches in a trace, so that it stays at some megabytes; the hotspots are of all profiled batches.
TRACED_BATCHES = 4
_S_PER_US = 1e-6
#: Kinds of rows whose shares have one whole.
_WHOLES = {"operator": "cpu", "kernel": "gpu", "copy": "gpu", "idle": "gpu"}
#: How CUDA's copies begin, between host and device, within the device, and filling it.
_COPIES = ("Memcpy", "Memset")


def profile(operation: Callable[[], object]) -> list[Hotspot]:
    """Run `operation` under torch.profiler and give the rows with the largest self time.

    These are operators and, on a GPU, its kernels, its copies and the time in which it waited between them. FLOPs are
    torch's formulas, two per multiply-accumulate; it has them for the matrix products and a few operators more, and
    they are null for the others. Memory is of the device that the operator ran for.
    """
    with torch.profiler.profile(
        activities=_activities(), record_shapes=True, profile_memory=True, with_flops=True
    ) as profiler:
        operation()
    return hotspots_of(profiler.key_averages(), profiler.events() or ())


def trace(operation: Callable[[], object], trace_file: Path) -> None:
    """Run `operation` under torch.profiler and write its Chrome trace, which Perfetto opens.

    A training step is some thousand events, so give it a few batches only.
    """
    with torch.profiler.profile(activities=_activities()) as profiler:
        operation()
    with atomic_path(trace_file) as temporary:
        profiler.export_chrome_trace(str(temporary))


def hotspots_of(averages: Iterable[Any], events: Iterable[Any] = ()) -> list[Hotspot]:
    """Take the rows with the largest self time from torch's averages over calls.

    Parameters
    ----------
    averages
        torch's averages over calls.
    events
        Its single events, which show when the GPU waited.

    Returns
    -------
    list of Hotspot
        Shares of operators are among the operators; those of kernels, copies and waiting are among these.
    """
    rows = [_facts(event) for event in averages if not _is_annotation(event)] + _idle(events)
    whole_s = dict.fromkeys(_WHOLES.values(), 0.0)
    for row in rows:
        whole_s[_WHOLES[row["kind"]]] += row["self_time_s"]
    return top(
        Hotspot(
            self_share=row["self_time_s"] / (whole_s[_WHOLES[row["kind"]]] or 1.0),
            total_share=row["total_time_s"] / (whole_s[_WHOLES[row["kind"]]] or 1.0),
            **row,
        )
        for row in rows
    )


def _is_annotation(event: Any) -> bool:
    """Say whether a GPU event only shows a named range, such as an optimizer step, which spans kernels and gaps."""
    return event.device_type.name != "CPU" and bool(event.is_user_annotation)


def _facts(event: Any) -> dict[str, Any]:
    on_gpu = event.device_type.name != "CPU"
    place = "device" if on_gpu else "cpu"
    memory = event.self_device_memory_usage if torch.cuda.is_available() else event.self_cpu_memory_usage
    kind = "operator" if not on_gpu else "copy" if event.key.startswith(_COPIES) else "kernel"
    return {
        "kind": kind,
        "name": event.key,
        "calls": event.count,
        "self_time_s": getattr(event, f"self_{place}_time_total") * _S_PER_US,
        "total_time_s": getattr(event, f"{place}_time_total") * _S_PER_US,
        "memory_bytes": None if on_gpu else int(memory),
        # torch gives 0 where it has no formula.
        "flops": int(event.flops) or None,
    }


def _idle(events: Iterable[Any]) -> list[dict[str, Any]]:
    """Give the time between the GPU's first and last event in which it had none, whatever the stream."""
    on_gpu = (e for e in events if e.device_type.name != "CPU" and not _is_annotation(e))
    spans = ((e.time_range.start, e.time_range.end) for e in on_gpu)
    gaps_us = [later[0] - earlier[1] for earlier, later in pairwise(merge(spans))]
    if not gaps_us:
        return []
    idle_s = sum(gaps_us) * _S_PER_US
    times = {"self_time_s": idle_s, "total_time_s": idle_s}
    return [{"kind": "idle", "name": "waiting", "calls": len(gaps_us), **times}]


def _activities() -> list[ProfilerActivity]:
    gpu = [ProfilerActivity.CUDA] if torch.cuda.is_available() else []
    return [ProfilerActivity.CPU, *gpu]


def _profile_job(job: Watched, out: Path) -> list[Hotspot]:
    hotspots = profile(job.of_batches(job.max_batches))
    trace(job.of_batches(min(job.max_batches, TRACED_BATCHES)), out / "trace.json")
    return hotspots


PROFILER = Profiler(_profile_job)
