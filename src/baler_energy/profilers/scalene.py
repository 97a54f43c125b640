"""Lines: time in Python, native code and the kernel, memory and copy volume, by Scalene in a separate process."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import baler_energy
from baler_energy.errors import UnavailableError
from baler_energy.files import atomic_path, discard
from baler_energy.profilers import scalene_program
from baler_energy.profilers.base import Profiler, Watched
from baler_energy.profilers.hotspots import Hotspot, short_path
from baler_energy.profilers.running import Finished, require_module, run_group
from baler_energy.progress import announce
from baler_energy.temporaries import temporary_folder

__all__ = ["PROFILER", "Program", "hotspots_of", "profile"]

_MB = 1024 * 1024
_TRIES = 3
#: Number of lines kept for each of time, memory and copies.
_KEPT = 15
_REMEDY = "Install it with `pip install scalene`; it is not available for every system."
#: Scalene's names of the parts of a line's time (% of the run).
_PARTS = {"python": "n_cpu_percent_python", "native": "n_cpu_percent_c", "system": "n_sys_percent"}


@dataclass(frozen=True)
class Program:
    """The program that Scalene profiles: ``python -m MODULE ARGUMENT``.

    Parameters
    ----------
    module, argument
        The program calls Scalene's ``start`` and ``stop`` around the profiled operation.
    repetitions
        File to which it writes how often it ran the operation.
    time_limit_s
        Time limit (s) of all tries together.
    """

    module: str
    argument: str
    repetitions: Path
    time_limit_s: float


def profile(program: Program, json_file: Path, html_file: Path) -> list[Hotspot]:
    """Run a program under Scalene: once for the time of lines, and once for their memory.

    Parameters
    ----------
    program
        The program.
    json_file, html_file
        Output files for Scalene's profile with memory (without, if that run failed) and its HTML page.

    Returns
    -------
    list of Hotspot
        As for `hotspots_of`.

    Raises
    ------
    UnavailableError
        Scalene is not installed, or does not run here.
    """
    require_module("scalene", _REMEDY)
    discard(json_file)
    discard(html_file)
    with temporary_folder(json_file) as folder:
        times, memory = folder / "times.json", folder / "memory.json"
        started_s = time.monotonic()
        reason = _watch(program, times, 0.5 * program.time_limit_s, "--cpu-only", "--cpu-sampling-rate", "0.005")
        if reason:
            raise UnavailableError(reason)
        found = [_read(times, program)]
        # Leave some time for the page, so that the caller's limit does not cost the times already measured.
        left_s = 0.9 * program.time_limit_s - (time.monotonic() - started_s)
        reason = _watch(program, memory, left_s)
        if reason is None:
            found.append(_read(memory, program))
        shown = times if reason else memory
        _make_page(shown, html_file)
        _keep(shown, json_file)
    return hotspots_of(found[0], found[1] if len(found) > 1 else None, reason)


def _watch(program: Program, json_file: Path, time_limit_s: float, *options: str) -> str | None:
    """Profile into `json_file`; return None, or why there is no profile.

    Scalene replaces the program's memory allocator and interrupts it with a timer. This makes torch's training crash or
    hang in about one of ten runs (github.com/pytorch/pytorch/issues/57185), so it gets several tries.
    """
    package = Path(baler_energy.__file__).parent
    said = ""
    for _ in range(_TRIES):
        done = _run(
            *("run", "--off", "--no-stacks", "--no-async", *options),
            # Only this package's lines, wherever it is installed; calls to other code count for the calling line.
            *("--profile-all", "--profile-only", f"{package}{os.sep}", "-o", str(json_file)),
            *("-m", program.module, "---", program.argument),
            timeout_s=time_limit_s / _TRIES,
        )
        if done.returncode == 0 and "elapsed_time_sec" in _profile(json_file):
            return None
        said = done.said or "nothing, and its profile is empty"
    return f"Scalene wrote no profile in {_TRIES} tries; it said: {said}"


def _read(json_file: Path, program: Program) -> dict[str, Any]:
    """Read a profile, and add the number of repetitions of the operation."""
    return _profile(json_file) | {"repetitions": int(program.repetitions.read_text(encoding="ascii"))}


def _profile(json_file: Path) -> dict[str, Any]:
    """Return Scalene's profile; {} if the file is missing. A profile without samples is empty, too."""
    if not json_file.is_file():
        return {}
    found: dict[str, Any] = json.loads(json_file.read_text(encoding="utf-8"))
    return found


def _make_page(json_file: Path, html_file: Path) -> None:
    """Make Scalene's HTML page of a profile; only print a message if that fails."""
    # Scalene chooses the name of its page, and writes it to the working directory.
    done = _run("view", "--standalone", json_file.name, folder=json_file.parent, timeout_s=60)
    page = json_file.with_name("scalene-profile.html")
    if done.returncode or not page.is_file():
        announce(f"Scalene wrote no HTML page of its profile: {done.said}")
        return
    _keep(page, html_file)


def _keep(made: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.move(made, temporary)


def _run(*words: str, timeout_s: float, folder: Path | None = None) -> Finished:
    return run_group([sys.executable, "-m", "scalene", *words], folder=folder, timeout_s=max(1.0, timeout_s))


def hotspots_of(times: Mapping[str, Any], memory: Mapping[str, Any] | None, reason: str | None = None) -> list[Hotspot]:
    """Extract the lines with the most time, allocations or copies from Scalene's profiles.

    Parameters
    ----------
    times
        Scalene's JSON of a run without memory profiling, plus ``repetitions``.
    memory
        The same for a run with memory profiling; None if that failed.
    reason
        Why memory is unknown.

    Returns
    -------
    list of Hotspot
        Values per operation. Each line has a row of kind ``line``, with the bytes that it allocated and copied (Scalene
        estimates both from samples; null if no sample hit the line), and rows of kinds ``python``, ``native`` and
        ``system`` with the parts of its time. Scalene does not count calls.
    """
    elapsed_s = float(times["elapsed_time_sec"]) / times["repetitions"]
    parts = {place: _parts(line) for place, line in _each(times)}
    texts = {place: _code(line) for found in (times, memory or times) for place, line in _each(found)}
    allocated = {} if memory is None else _bytes(memory, "n_malloc_mb", 1.0)
    # Scalene reports copies as a rate.
    copied = {} if memory is None else _bytes(memory, "n_copy_mb_s", float(memory["elapsed_time_sec"]))
    largest = {
        place
        for values in ({place: sum(part.values()) for place, part in parts.items()}, allocated, copied)
        for place in sorted(values, key=values.__getitem__, reverse=True)[:_KEPT]
        if values[place]
    }
    rows = []
    for place in largest:
        known = {"name": texts[place], "file": place[0], "line": place[1]}
        time_of = parts.get(place, {})
        bytes_of = {"memory_bytes": allocated.get(place), "bytes": copied.get(place)}
        why = reason or (None if any(bytes_of.values()) else "no memory sample hit this line")
        rows.append(_row("line", sum(time_of.values()), elapsed_s, known | bytes_of, why))
        rows += [_row(kind, share, elapsed_s, known) for kind, share in time_of.items() if share]
    return sorted(rows, key=lambda row: row.self_share or 0.0, reverse=True)


def _row(kind: str, share: float, elapsed_s: float, known: Mapping[str, Any], reason: str | None = None) -> Hotspot:
    seconds = share * elapsed_s
    times = {"self_share": share, "total_share": share, "self_time_s": seconds, "total_time_s": seconds}
    return Hotspot(kind=kind, reason=reason, **times, **known)  # type: ignore[arg-type]


def _each(found: Mapping[str, Any]) -> Iterator[tuple[tuple[str, int], Mapping[str, Any]]]:
    for path, file in found["files"].items():
        for line in file["lines"]:
            yield (short_path(path), int(line["lineno"])), line


def _code(line: Mapping[str, Any]) -> str:
    """Return the text of a line, without Scalene's escapes of HTML characters."""
    return re.sub(r"\\u00(3c|3e|26)", lambda found: chr(int(found[1], 16)), str(line["line"])).strip()


def _parts(line: Mapping[str, Any]) -> dict[str, float]:
    """Return the shares of the run's time that a line spent in Python, native code and the kernel."""
    return {kind: line[key] / 100 for kind, key in _PARTS.items()}


def _bytes(found: Mapping[str, Any], key: str, factor: float) -> dict[tuple[str, int], int]:
    """Return the bytes per operation of the lines that have samples."""
    scale = _MB * factor / found["repetitions"]
    return {place: round(line[key] * scale) for place, line in _each(found) if line[key]}


def _profile_job(job: Watched, out: Path) -> list[Hotspot]:
    program = Program(scalene_program.__name__, job.dumps(), job.repetitions, job.time_limit_s)
    return profile(program, out / "scalene.json", out / "scalene.html")


PROFILER = Profiler(_profile_job, elsewhere=True)
