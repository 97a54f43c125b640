"""Hardware counters of the CPU over an operation, by Linux's perf: instructions, cycles, misses of the last cache."""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from baler_energy.errors import UnavailableError
from baler_energy.profilers.base import Profiler, Watched
from baler_energy.profilers.hotspots import Hotspot
from baler_energy.profilers.running import ended, program, repeat

__all__ = ["EVENTS", "PROFILER", "hotspots_of", "profile"]

#: perf's names of the events.
EVENTS = ("instructions", "cycles", "cache-misses", "LLC-load-misses", "page-faults", "context-switches")
_REMEDY = "It comes with the kernel's tools (linux-perf, linux-tools or perf); a cluster may have it as a module."
_EVENT = re.compile(r"(?:\w+/)?(?P<name>[\w-]+)[/:]*(?P<where>\w*)")
_LINE_SIZE = Path("/sys/devices/system/cpu/cpu0/cache/index0/coherency_line_size")
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")


def profile(operation: Callable[[], object]) -> list[Hotspot]:
    """Count the events of this process and its threads while it repeats `operation`.

    Returns
    -------
    list of Hotspot
        As of `hotspots_of`.

    Raises
    ------
    UnavailableError
        perf is not installed, may not count, or the machine has no counters for it (most virtual machines).
    """
    perf = program("perf", _REMEDY)
    with tempfile.TemporaryDirectory(prefix="baler-energy-") as folder:
        control, answer, report = (Path(folder, name) for name in ("control", "answer", "report"))
        os.mkfifo(control)
        os.mkfifo(answer)
        command = [perf, "stat", "--field-separator", ",", "--delay", "-1", "--event", ",".join(EVENTS)]
        command += ["--control", f"fifo:{control},{answer}", "--pid", str(os.getpid()), "--output", str(report)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as counting:
            try:
                count = _counted(operation, control, answer, counting)
            finally:
                counting.send_signal(signal.SIGINT)
                said = ended(counting)
        text = report.read_text(encoding="utf-8") if report.is_file() else ""
    return hotspots_of(text, count, said)


def _counted(operation: Callable[[], object], control: Path, answer: Path, counting: "subprocess.Popen[str]") -> int:
    """Let perf count while the operation repeats; 0 where perf ended by itself."""
    # Opened for reading and writing, so that no end waits for the other.
    commands, answers = os.open(control, os.O_RDWR), os.open(answer, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(commands, b"enable\n")
        if not _answered(answers, counting):
            return 0
        count = repeat(operation)
        os.write(commands, b"disable\n")
        return count if _answered(answers, counting) else 0
    finally:
        os.close(commands)
        os.close(answers)


def _answered(answers: int, counting: "subprocess.Popen[str]") -> bool:
    import select

    while counting.poll() is None:
        if select.select([answers], [], [], 0.05)[0]:
            with suppress(BlockingIOError):
                return b"ack" in os.read(answers, 64)
    return False


def hotspots_of(report: str, count: int, said: str = "") -> list[Hotspot]:
    """Take the counters from perf's report.

    Parameters
    ----------
    report
        Lines of value, unit, event, ...; the value of what cannot be counted is words in angle brackets.
    count
        How often the operation ran.
    said
        What perf said besides, for the reason.

    Returns
    -------
    list of Hotspot
        Events of one operation, "(user space)" behind those that the kernel lets be counted there only. A load that
        misses the last cache brings a line of it from memory: its ``bytes``, a lower bound, as stores and what
        prefetching brings are not among them, and null where the CPU does not count these loads.

    Raises
    ------
    UnavailableError
        No hardware event was counted.
    """
    events = _events(report, count) if count else {}
    if not any(name.startswith("instructions") for name in events):
        paranoid = _PARANOID.read_text(encoding="ascii").strip() if _PARANOID.is_file() else "unknown"
        why = said.strip().splitlines()[0] if said.strip() and not report else "the kernel exposes no hardware counters"
        raise UnavailableError(
            f"perf cannot count here: {why} (kernel.perf_event_paranoid is {paranoid}). A virtual machine needs a "
            "virtual PMU from its host; on a physical one `sysctl kernel.perf_event_paranoid=1` may allow it."
        )
    line_bytes = int(_LINE_SIZE.read_text(encoding="ascii")) if _LINE_SIZE.is_file() else 64
    return [
        Hotspot(
            kind="counter", name=name, calls=n, bytes=n * line_bytes if name.startswith("LLC-load-misses") else None
        )
        for name, n in events.items()
    ]


def _events(report: str, count: int) -> dict[str, int]:
    """Read events of one operation by name; those of a CPU with two kinds of cores are summed.

    perf writes ``instructions``, ``instructions:u`` (user space only) or, by kind of core, ``cpu_core/instructions/u``.
    """
    events: dict[str, int] = {}
    for line in report.splitlines():
        value, _, event, *_ = [*line.split(","), "", ""]
        found = _EVENT.fullmatch(event)
        if found and found["name"] in EVENTS and value.isdecimal():
            name = f"{found['name']} (user space)" if found["where"] == "u" else found["name"]
            events[name] = events.get(name, 0) + int(value)
    return {name: round(value / count) for name, value in events.items()}


def _profile_job(job: Watched, _out: Path) -> list[Hotspot]:
    return profile(job.of_batches(job.max_batches))


PROFILER = Profiler(_profile_job)
