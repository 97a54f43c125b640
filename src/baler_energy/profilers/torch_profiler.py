"""Operators, GPU kernels and copies, and the GPU's idle time, by torch.profiler."""

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

#: Number of batches in a trace, to limit it to a few megabytes; hotspots cover all profiled batches.
TRACED_BATCHES = 4
_S_PER_US = 1e-6
#: The whole to which the shares of each kind of row refer.
_WHOLES = {"operator": "cpu", "kernel": "gpu", "copy": "gpu", "idle": "gpu"}
#: Prefixes of CUDA's copies (host to device and back, within the device) and fills.
_COPIES = ("Memcpy", "Memset")


def profile(operation: Callable[[], object]) -> list[Hotspot]:
    """Run `operation` under torch.profiler and return the rows with the largest self time.

    Rows are operators and, on a GPU, kernels, copies and the idle time between them. FLOPs come from torch's formulas
    (two per multiply-accumulate), which cover matrix products and a few other operators; elsewhere they are null. An
    operator's memory is on the GPU if there is one, else on the CPU.
    """
    with torch.profiler.profile(
        activities=_activities(), record_shapes=True, profile_memory=True, with_flops=True
    ) as profiler:
        operation()
    return hotspots_of(profiler.key_averages(), profiler.events() or ())


def trace(operation: Callable[[], object], trace_file: Path) -> None:
    """Run `operation` under torch.profiler and write its Chrome trace, which Perfetto opens.

    A training step has thousands of events, so trace only a few batches.
    """
    with torch.profiler.profile(activities=_activities()) as profiler:
        operation()
    with atomic_path(trace_file) as temporary:
        profiler.export_chrome_trace(str(temporary))


def hotspots_of(averages: Iterable[Any], events: Iterable[Any] = ()) -> list[Hotspot]:
    """Extract the rows with the largest self time from torch's averages over calls.

    Parameters
    ----------
    averages
        torch's averages over calls.
    events
        torch's single events, which show when the GPU was idle.

    Returns
    -------
    list of Hotspot
        Shares of operators refer to all operators. Shares of kernels, copies and idle time refer to these three
        together.
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
    """Return whether a GPU event is only a named range, such as an optimizer step, which spans kernels and gaps."""
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
        # torch returns 0 if it has no formula.
        "flops": int(event.flops) or None,
    }


def _idle(events: Iterable[Any]) -> list[dict[str, Any]]:
    """Return a row with the time between the GPU's first and last event in which no stream was active ([]: none)."""
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
