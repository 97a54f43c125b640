"""Lines: time in Python, native code and the kernel, memory and copy volume, by Scalene in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import baler_energy
from baler_energy.errors import BalerEnergyError, UnavailableError
from baler_energy.files import atomic_path
from baler_energy.profilers.hotspots import Hotspot, short_path, top
from baler_energy.profilers.running import require_module

__all__ = ["hotspots_of", "profile"]

_MB = 1024 * 1024
_REMEDY = "Install it with `pip install scalene`; it has no version for every system."
#: Scalene's names of the parts of a line's time (% of the run).
_PARTS = {"python": "n_cpu_percent_python", "native": "n_cpu_percent_c", "system": "n_sys_percent"}


def profile(module: str, argument: str, json_file: Path, html_file: Path) -> list[Hotspot]:
    """Run a module as a program under Scalene.

    Parameters
    ----------
    module, argument
        ``python -m MODULE ARGUMENT``; it calls Scalene's ``start`` and ``stop`` around what is to be profiled.
    json_file, html_file
        Where Scalene's profile and its page go.

    Returns
    -------
    list of Hotspot
        As of `hotspots_of`.

    Raises
    ------
    UnavailableError
        Scalene is not installed, or does not run here.
    """
    require_module("scalene", _REMEDY)
    package = Path(baler_energy.__file__).parent
    with atomic_path(json_file) as temporary:
        _run(
            *("run", "--off", "--no-stacks", "--no-async", "--cpu-sampling-rate", "0.005"),
            # Lines of ours only, wherever they are installed; what they call counts as theirs.
            *("--profile-all", "--profile-only", f"{package}{os.sep}", "-o", str(temporary)),
            *("-m", module, "---", argument),
        )
        if not temporary.is_file():
            raise UnavailableError("scalene wrote no profile: the profiled run was too short for its samples.")
        found = json.loads(temporary.read_text(encoding="utf-8"))
    # Scalene names its page itself, and puts it into the working directory.
    with tempfile.TemporaryDirectory(dir=html_file.parent) as folder:
        _run("view", "--standalone", str(json_file.absolute()), folder=Path(folder))
        Path(folder, "scalene-profile.html").replace(html_file)
    return hotspots_of(found)


def _run(*words: str, folder: Path | None = None) -> None:
    command = [sys.executable, "-m", "scalene", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BalerEnergyError(f"scalene {words[0]} failed (exit {done.returncode}): {said[-1] if said else 'no word'}")


def hotspots_of(found: Mapping[str, Any]) -> list[Hotspot]:
    """Take the lines with the largest share of the time, of the allocations and of the copies from Scalene's profile.

    Parameters
    ----------
    found
        Scalene's JSON.

    Returns
    -------
    list of Hotspot
        For each line a row of kind ``line``, with the memory that it allocated and the bytes that it copied (both
        estimated from samples, as Scalene does), and rows of kinds ``python``, ``native`` and ``system`` with the
        parts of its time. Scalene counts no calls.
    """
    elapsed_s = float(found["elapsed_time_sec"])
    lines = [line for line in _lines(found, elapsed_s) if line.self_time_s or line.memory_bytes or line.bytes]
    kept = {(line.file, line.line) for line in top(lines)}
    kept |= {(line.file, line.line) for line in sorted(lines, key=lambda line: line.bytes or 0)[-5:]}
    kept |= {(line.file, line.line) for line in sorted(lines, key=lambda line: line.memory_bytes or 0)[-5:]}
    parts = [part for part in _parts(found, elapsed_s) if (part.file, part.line) in kept]
    return top(line for line in lines if (line.file, line.line) in kept) + parts


def _each(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, file in found["files"].items():
        for line in file["lines"]:
            yield short_path(path), line


def _lines(found: Mapping[str, Any], elapsed_s: float) -> Iterator[Hotspot]:
    for file, line in _each(found):
        share = sum(line[key] for key in _PARTS.values()) / 100
        yield Hotspot(
            kind="line",
            name=line["line"].strip(),
            file=file,
            line=line["lineno"],
            self_share=share,
            total_share=share,
            self_time_s=share * elapsed_s,
            total_time_s=share * elapsed_s,
            memory_bytes=round(line["n_malloc_mb"] * _MB),
            bytes=round(line["n_copy_mb_s"] * _MB * elapsed_s),
        )


def _parts(found: Mapping[str, Any], elapsed_s: float) -> Iterator[Hotspot]:
    for file, line in _each(found):
        for kind, key in _PARTS.items():
            share = line[key] / 100
            if share > 0:
                seconds = {"self_time_s": share * elapsed_s, "total_time_s": share * elapsed_s}
                shares = {"self_share": share, "total_share": share}
                yield Hotspot(kind=kind, name=line["line"].strip(), file=file, line=line["lineno"], **shares, **seconds)
