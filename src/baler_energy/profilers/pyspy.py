"""Stacks of this process, sampled by py-spy: a flame graph (SVG) and a file for speedscope."""

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from baler_energy.errors import UnavailableError
from baler_energy.files import atomic_path
from baler_energy.profilers import tree
from baler_energy.profilers.base import Profiler
from baler_energy.profilers.hotspots import Hotspot, short_path, top
from baler_energy.profilers.running import ended, program, repeat, stop

__all__ = ["PROFILER", "hotspots_of", "profile"]

_REMEDY = "Install it with `pip install py-spy`."
_RATE_HZ = 200
#: The function that calls the profiled operation; frames outside it belong to this package, and are cut off.
_WATCHED = "repeat"


def profile(operation: Callable[[], object], svg_file: Path, speedscope_file: Path) -> list[Hotspot]:
    """Repeat `operation` while py-spy samples the stacks of this process, once for each format.

    Returns
    -------
    list of Hotspot
        As for `hotspots_of`.

    Raises
    ------
    UnavailableError
        py-spy is not installed, or is not allowed to attach to this process.
    """
    spy = program("py-spy", _REMEDY)
    _let_children_look()
    _record(spy, "flamegraph", operation, svg_file)
    _record(spy, "speedscope", operation, speedscope_file)
    return hotspots_of(json.loads(speedscope_file.read_text(encoding="utf-8")))


def _record(spy: str, form: str, operation: Callable[[], object], path: Path) -> None:
    with atomic_path(path) as temporary:
        command = [spy, "record", "--pid", str(os.getpid()), "--format", form, "--rate", str(_RATE_HZ)]
        # Include idle threads: on a GPU, training waits while another thread runs the backward pass.
        command += ["--function", "--idle"]
        with subprocess.Popen(
            [*command, "--output", str(temporary)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as watcher:
            try:
                assert watcher.stdout is not None
                # Its first line reports that it is sampling.
                said = [watcher.stdout.readline()]
                if "Sampling" in said[0]:
                    repeat(operation)
            except BaseException:  # it may not write after its temporary file has been removed
                stop(watcher)
                raise
            watcher.send_signal(signal.SIGINT)
            said += ended(watcher).splitlines()
        if watcher.returncode or not temporary.is_file():
            words = " ".join(line.strip() for line in said if line.strip())
            raise UnavailableError(
                f"py-spy could not attach to this process: {words} The kernel may only allow it for root: set `sysctl "
                "kernel.yama.ptrace_scope` to 1 or less."
            )


def _let_children_look() -> None:
    """Allow any process of this user to trace this one; by default, Linux's Yama only allows ancestors."""
    import ctypes

    set_tracer, anyone = 0x59616D61, -1  # PR_SET_PTRACER, PR_SET_PTRACER_ANY of linux/prctl.h
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(set_tracer, ctypes.c_long(anyone), 0, 0, 0)


def hotspots_of(found: Mapping[str, Any]) -> list[Hotspot]:
    """Extract functions and the call tree from a speedscope file.

    Parameters
    ----------
    found
        The file's JSON, with samples of all Python threads, including waiting ones.

    Returns
    -------
    list of Hotspot
        Functions by self time, then the call tree of the profiled operation. py-spy does not count calls.

    Raises
    ------
    UnavailableError
        The file has no sample of the operation.
    """
    frames: list[tree.Frame] = [(short_path(f["file"]), f["line"], f["name"]) for f in found["shared"]["frames"]]
    stacks = list(_stacks(found, frames))
    whole_s = sum(weight_s for _, weight_s in stacks)
    if not whole_s:
        raise UnavailableError("py-spy took no sample of the operation: it is too short, or always waiting.")
    self_s: Counter[tree.Frame] = Counter()
    total_s: Counter[tree.Frame] = Counter()
    for stack, weight_s in stacks:
        self_s[stack[-1]] += weight_s  # type: ignore[assignment]
        for frame in set(stack):
            total_s[frame] += weight_s  # type: ignore[assignment]
    functions = (
        Hotspot(
            kind="function",
            name=frame[2],
            file=frame[0],
            line=frame[1],
            self_share=self_s[frame] / whole_s,
            total_share=total_s[frame] / whole_s,
            self_time_s=float(self_s[frame]),
            total_time_s=float(total_s[frame]),
        )
        for frame in total_s
    )
    return top(functions) + tree.from_stacks(stacks)


def _stacks(found: Mapping[str, Any], frames: list[tree.Frame]) -> Iterator[tuple[list[tree.Frame], float]]:
    """Yield the stacks of samples inside the operation, from its outermost function, with their weights (s)."""
    for profile_ in found["profiles"]:
        for numbers, weight_s in zip(profile_["samples"], profile_["weights"], strict=True):
            stack = [frames[number] for number in numbers]
            names = [frame[2] for frame in stack]
            if _WATCHED in names and names.index(_WATCHED) + 1 < len(stack):
                yield stack[names.index(_WATCHED) + 1 :], float(weight_s)


PROFILER = Profiler(
    lambda job, out: profile(job.of_batches(job.max_batches), out / "flamegraph.svg", out / "speedscope.json")
)
