"""Operators and GPU kernels, by torch.profiler."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity

from baler_energy.files import atomic_path
from baler_energy.profilers.hotspots import Hotspot, top

__all__ = ["hotspots_of", "profile", "trace"]

_S_PER_US = 1e-6


def profile(operation: Callable[[], object]) -> list[Hotspot]:
    """Run `operation` under torch.profiler and give the operators (and kernels) with the largest self time.

    FLOPs are torch's formulas, two per multiply-accumulate; it has them for the matrix products and a few operators
    more, and they are null for the others. Memory is of the device that the operator ran for.
    """
    with torch.profiler.profile(
        activities=_activities(), record_shapes=True, profile_memory=True, with_flops=True
    ) as profiler:
        operation()
    return hotspots_of(profiler.key_averages())


def trace(operation: Callable[[], object], trace_file: Path) -> None:
    """Run `operation` under torch.profiler and write its Chrome trace, which Perfetto opens.

    A training step is some thousand events, so give it a few batches only.
    """
    with torch.profiler.profile(activities=_activities()) as profiler:
        operation()
    with atomic_path(trace_file) as temporary:
        profiler.export_chrome_trace(str(temporary))


def hotspots_of(averages: Iterable[Any]) -> list[Hotspot]:
    """Take the operators and kernels with the largest self time from torch's averages over calls."""
    rows = [_facts(event) for event in averages]
    whole_s = {kind: sum(row["self_time_s"] for row in rows if row["kind"] == kind) or 1.0 for kind in _KINDS}
    return top(
        Hotspot(
            file=None,
            line=None,
            self_share=row["self_time_s"] / whole_s[row["kind"]],
            total_share=row["total_time_s"] / whole_s[row["kind"]],
            **row,
        )
        for row in rows
    )


_KINDS = ("operator", "kernel")


def _facts(event: Any) -> dict[str, Any]:
    kernel = event.device_type.name != "CPU"
    place = "device" if kernel else "cpu"
    memory = event.self_device_memory_usage if torch.cuda.is_available() else event.self_cpu_memory_usage
    return {
        "kind": "kernel" if kernel else "operator",
        "name": event.key,
        "calls": event.count,
        "self_time_s": getattr(event, f"self_{place}_time_total") * _S_PER_US,
        "total_time_s": getattr(event, f"{place}_time_total") * _S_PER_US,
        "memory_bytes": None if kernel else int(memory),
        # torch gives 0 where it has no formula.
        "flops": int(event.flops) or None,
    }


def _activities() -> list[ProfilerActivity]:
    gpu = [ProfilerActivity.CUDA] if torch.cuda.is_available() else []
    return [ProfilerActivity.CPU, *gpu]
