"""Hardware counters of the CPU during an operation, by Linux's perf: instructions, cycles, last-level cache misses."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from baler_energy.errors import UnavailableError
from baler_energy.profilers.base import Profiler
from baler_energy.profilers.hotspots import Hotspot
from baler_energy.profilers.running import ended, program, repeat, stop
from baler_energy.temporaries import temporary_folder

__all__ = ["EVENTS", "PROFILER", "hotspots_of", "profile"]

#: perf's names of the events.
EVENTS = ("instructions", "cycles", "cache-misses", "LLC-load-misses", "page-faults", "context-switches")
_REMEDY = "It comes with the kernel's tools (linux-perf, linux-tools or perf); a cluster may have it as a module."
_UNSUPPORTED = "<not supported>"
_EVENT = re.compile(r"(?:\w+/)?(?P<name>[\w-]+)[/:]*(?P<where>\w*)")
_LINE_SIZE = Path("/sys/devices/system/cpu/cpu0/cache/index0/coherency_line_size")
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")


def profile(operation: Callable[[], object]) -> list[Hotspot]:
    """Count the events of this process and its threads while it repeats `operation`.

    Returns
    -------
    list of Hotspot
        As for `hotspots_of`.

    Raises
    ------
    UnavailableError
        perf is not installed or lacks permission, or the machine has no hardware counters (most virtual machines).
    """
    perf = program("perf", _REMEDY)
    with temporary_folder() as folder:
        control, answer, report = (folder / name for name in ("control", "answer", "report"))
        os.mkfifo(control)
        os.mkfifo(answer)
        command = [perf, "stat", "--field-separator", ",", "--delay", "-1", "--event", ",".join(EVENTS)]
        command += ["--control", f"fifo:{control},{answer}", "--pid", str(os.getpid()), "--output", str(report)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as counting:
            try:
                count = _counted(operation, control, answer, counting)
            except BaseException:
                stop(counting)
                raise
            counting.send_signal(signal.SIGINT)
            said = ended(counting)
        text = report.read_text(encoding="utf-8") if report.is_file() else ""
    return hotspots_of(text, count, said)


def _counted(operation: Callable[[], object], control: Path, answer: Path, counting: "subprocess.Popen[str]") -> int:
    """Let perf count while the operation repeats; return the number of repetitions, 0 if perf ended early."""
    # Opened for reading and writing, so that neither end blocks until the other opens.
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
    """Extract the counters from perf's report.

    Parameters
    ----------
    report
        Lines of value, unit, event, ...; for events that cannot be counted, the value is text in angle brackets.
    count
        How often the operation ran.
    said
        perf's other output, used for the error message.

    Returns
    -------
    list of Hotspot
        Events per operation; "(user space)" marks events that the kernel only counts there. For loads that miss the
        last-level cache, ``bytes`` is their number times the size of a cache line. This is a lower bound of the memory
        traffic, without stores and prefetching. There is no such row if the CPU does not count these loads.

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
    """Return the events per operation by name, summed over the kinds of cores of a hybrid CPU that can all count them.

    perf writes ``instructions``, ``instructions:u`` (user space only) or, by kind of core, ``cpu_core/instructions/u``.
    """
    events: dict[str, list[str]] = {}
    for line in report.splitlines():
        value, _, event, *_ = [*line.split(","), "", ""]
        found = _EVENT.fullmatch(event)
        if found and found["name"] in EVENTS:
            name = f"{found['name']} (user space)" if found["where"] == "u" else found["name"]
            events.setdefault(name, []).append(value)
    # Kinds of cores on which nothing ran are not counted, which is 0; a kind that is not supported leaves no sum.
    counted = {name: [*filter(str.isdecimal, values)] for name, values in events.items() if _UNSUPPORTED not in values}
    return {name: round(sum(map(int, values)) / count) for name, values in counted.items() if values}


PROFILER = Profiler(lambda job, _out: profile(job.of_batches(job.max_batches)))
