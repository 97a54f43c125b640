"""Profilers that are external programs: parsing their output, and errors if they are missing or fail."""

import json
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from baler_energy.errors import UnavailableError
from baler_energy.profilers import perf, pyspy, running, scalene


def _busy() -> int:
    return sum(len(str(n)) for n in range(50_000))


def test_an_operation_repeats_until_the_time_has_passed():
    calls: list[int] = []
    assert running.repeat(lambda: calls.append(1), 0.0) == 1
    assert running.repeat(lambda: calls.append(1), 0.02) == len(calls) - 1 > 1


def test_a_program_that_hangs_is_killed_with_its_children():
    done = running.run_group(["sh", "-c", "sleep 601 & sleep 601"], timeout_s=0.3)
    assert done.returncode == -9 and "within 0.3 s" in done.said
    assert _ended("601")


#: Runs a program until a signal interrupts the wait for it. In a process of its own, so that the signal cannot end the
#: tests; sent once the program's children run and the wait has begun, however busy the machine is.
INTERRUPTED = """
import signal
import sys
import threading
import time
import traceback

import psutil

from baler_energy.errors import UnavailableError
from baler_energy.profilers import running

def stop(*_):
    raise UnavailableError("too long")

def waits():
    frames = traceback.extract_stack(sys._current_frames()[threading.main_thread().ident])
    return any(frame.name == "communicate" for frame in frames)

def interrupt():
    while not (waits() and len(psutil.Process().children(recursive=True)) == 4):
        time.sleep(0.01)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)

signal.signal(signal.SIGALRM, stop)
threading.Thread(target=interrupt, daemon=True).start()
try:
    running.run_group(["sh", "-c", "sleep 602 & sleep 602"])
except UnavailableError as error:
    print(error)
"""


def test_a_program_is_killed_when_the_wait_is_interrupted():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "too long\n"), done.stderr
    assert _ended("602")


def _ended(seconds: str) -> bool:
    """Wait until a sleep of this length has been killed, well before it ends by itself."""
    for _ in range(300):
        if not any(process.info["cmdline"] == ["sleep", seconds] for process in psutil.process_iter(["cmdline"])):
            return True
        time.sleep(0.1)
    return False


def test_the_output_of_a_program_is_kept():
    assert running.run_group(["sh", "-c", "echo out; echo err >&2; exit 3"]) == running.Finished(3, "out err")


def test_a_missing_program_and_a_missing_package_are_reported_with_the_remedy():
    with pytest.raises(UnavailableError, match=r"no-such-program is not installed\. Buy one\."):
        running.program("no-such-program", "Buy one.")
    with pytest.raises(UnavailableError, match=r"no_such_package is not installed\. Buy one\."):
        running.require_module("no_such_package", "Buy one.")


def test_pyspy_sees_the_busy_function(tmp_path, monkeypatch):
    monkeypatch.setattr(pyspy, "repeat", partial(running.repeat, at_least_s=0.5))
    rows = pyspy.profile(_busy, tmp_path / "f.svg", tmp_path / "s.json")
    assert "<svg" in (tmp_path / "f.svg").read_text()[:400]
    assert json.loads((tmp_path / "s.json").read_text())["profiles"]
    functions = {row.name: row for row in rows if row.kind == "function"}
    assert functions["_busy"].total_share > 0.9 and functions["_busy"].file.endswith("test_programs.py")
    calls = [row for row in rows if row.kind == "call"]
    assert calls[0].stack == "_busy", "frames outside the operation are not shown"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.svg", "s.json"]


def test_pyspy_without_permission_is_reported_and_leaves_no_files(tmp_path, monkeypatch):
    refusing = tmp_path / "py-spy"
    refusing.write_text("#!/bin/sh\necho 'Permission Denied: Try running again with elevated permissions'\nexit 1\n")
    refusing.chmod(refusing.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(pyspy, "program", lambda *_: str(refusing))
    with pytest.raises(UnavailableError, match=r"Permission Denied.*ptrace_scope"):
        pyspy.profile(_busy, tmp_path / "f.svg", tmp_path / "s.json")
    assert [path.name for path in tmp_path.iterdir()] == ["py-spy"]


def _line(lineno: int, code: str, **values: float) -> dict[str, object]:
    names = ("n_cpu_percent_python", "n_cpu_percent_c", "n_sys_percent", "n_malloc_mb", "n_copy_mb_s")
    return {"lineno": lineno, "line": f"    {code}\n"} | dict.fromkeys(names, 0.0) | values


def test_scalenes_lines_have_their_parts_memory_and_copies():
    timed = [_line(7, "a = b @ c", n_cpu_percent_python=10.0, n_cpu_percent_c=60.0, n_sys_percent=5.0)]
    timed.append(_line(8, r"def f() -\u003e d:", n_cpu_percent_python=25.0))
    held = [_line(7, "a = b @ c", n_malloc_mb=24.0, n_copy_mb_s=3.0), _line(9, "e = d.copy()", n_malloc_mb=200.0)]
    times = {"elapsed_time_sec": 4.0, "repetitions": 2, "files": {f"{sys.path[-1]}/x/y.py": {"lines": timed}}}
    memory = {"elapsed_time_sec": 20.0, "repetitions": 2, "files": {f"{sys.path[-1]}/x/y.py": {"lines": held}}}
    rows = scalene.hotspots_of(times, memory)
    lines = {row.line: row for row in rows if row.kind == "line"}
    assert lines[7].self_share == pytest.approx(0.75) and lines[7].self_time_s == pytest.approx(1.5)
    assert (lines[7].memory_bytes, lines[7].bytes) == (12 * 2**20, 30 * 2**20)
    assert (lines[7].name, lines[7].file) == ("a = b @ c", "x/y.py")
    assert lines[9].self_share == 0 and lines[9].memory_bytes == 100 * 2**20
    assert lines[8].name == "def f() -> d:"
    assert lines[8].memory_bytes is None and lines[9].bytes is None, "no sample is not zero"
    parts = {row.kind: row.self_share for row in rows if row.line == 7 and row.kind != "line"}
    assert parts == pytest.approx({"python": 0.10, "native": 0.60, "system": 0.05})


def test_memory_that_scalene_did_not_measure_is_null_with_the_reason():
    times = {
        "elapsed_time_sec": 2.0,
        "repetitions": 1,
        "files": {"y.py": {"lines": [_line(7, "a = b", n_cpu_percent_c=60.0)]}},
    }
    (line, part) = scalene.hotspots_of(times, None, "it crashed")
    assert line.memory_bytes is None and line.bytes is None and line.reason == "it crashed"
    assert part.kind == "native" and part.reason is None


PROGRAM = scalene.Program("module", "argument", Path("repetitions"), 600.0)


def test_scalene_whose_memory_run_fails_keeps_the_times_and_reports_it(tmp_path, monkeypatch):
    program = scalene.Program("module", "argument", tmp_path / "repetitions", 600.0)
    program.repetitions.write_text("4")
    limits: list[float] = []

    def run(*words: str, timeout_s: float, folder: Path | None = None) -> running.Finished:
        if words[0] == "view":
            return running.Finished(1, "no browser")
        limits.append(timeout_s)
        if "--cpu-only" not in words:
            return running.Finished(-9, "it did not end")
        lines = [_line(7, "a = b", n_cpu_percent_c=60.0)]
        found = {"elapsed_time_sec": 2.0, "files": {"y.py": {"lines": lines}}}
        Path(words[words.index("-o") + 1]).write_text(json.dumps(found))
        return running.Finished(0, "")

    monkeypatch.setattr(scalene, "_run", run)
    line, part = scalene.profile(program, tmp_path / "s.json", tmp_path / "s.html")
    assert line.self_time_s == pytest.approx(0.3) and part.kind == "native"
    assert line.memory_bytes is None and line.reason.endswith("it said: it did not end")
    assert sum(limits[1:]) <= 0.9 * 600 and 3 * limits[0] <= 0.5 * 600, "all tries together fit into the limit"
    # A missing page is not a failure.
    assert (tmp_path / "s.json").is_file() and not (tmp_path / "s.html").exists()


def test_an_empty_scalene_profile_counts_as_missing(tmp_path, monkeypatch):
    tries = []

    def run(*words, **_):
        tries.append(words)
        Path(words[words.index("-o") + 1]).write_text("{}")
        return running.Finished(0, "")

    monkeypatch.setattr(scalene, "_run", run)
    with pytest.raises(UnavailableError, match="its profile is empty"):
        scalene.profile(PROGRAM, tmp_path / "s.json", tmp_path / "s.html")
    assert len(tries) > 1 and not (tmp_path / "s.json").exists()


def test_scalene_that_crashes_is_retried_and_then_reported(tmp_path, monkeypatch):
    tries: list[int] = []

    def crash(*_words: str, **_options: object) -> object:
        tries.append(1)
        return running.Finished(-11, "received signal SIGSEGV")

    monkeypatch.setattr(scalene, "_run", crash)
    with pytest.raises(UnavailableError, match=r"no profile in 3 tries; it said: received signal SIGSEGV"):
        scalene.profile(PROGRAM, tmp_path / "s.json", tmp_path / "s.html")
    assert len(tries) == 3 and not list(tmp_path.iterdir())


#: Follows perf's protocol: acknowledges commands, and writes the report when it is interrupted.
_PERF = """#!{python}
import signal, sys, time
words = sys.argv
control, answer = words[words.index("--control") + 1].removeprefix("fifo:").split(",")
report, events = words[words.index("--output") + 1], words[words.index("--event") + 1].split(",")
def end(*_):
    with open(report, "w") as file:
        for number, event in enumerate(events):
            file.write(f"{{(number + 1) * 1000 * seen.count(b'enable')}},,{{event}},1,100.00,,\\n")
    sys.exit(0)
signal.signal(signal.SIGINT, end)
seen = []
with open(control, "rb", buffering=0) as commands, open(answer, "wb", buffering=0) as answers:
    while True:
        command = commands.read(64)
        seen += command.split()
        answers.write(b"ack\\n")
        time.sleep(0.01)
"""


def _program(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_perf_counts_while_the_operation_repeats(tmp_path, monkeypatch):
    fake = _program(tmp_path / "perf", _PERF.format(python=sys.executable))
    monkeypatch.setattr(perf, "program", lambda *_: fake)
    monkeypatch.setattr(perf, "repeat", lambda operation: [operation() for _ in range(4)] and 4)
    calls: list[int] = []
    rows = {row.name: row for row in perf.profile(lambda: calls.append(1))}
    assert len(calls) == 4
    assert {name: row.calls for name, row in rows.items()} == {
        name: (number + 1) * 250 for number, name in enumerate(perf.EVENTS)
    }
    assert rows["LLC-load-misses"].bytes == 1000 * 64 and rows["cycles"].bytes is None


def test_events_of_user_space_and_of_two_kinds_of_cores_are_read():
    report = "3000,,instructions:u,1,100.00,,\n2000,,cycles:u,1,100.00,,\n40,,LLC-load-misses:u,1,100.00,,\n"
    rows = {row.name: row for row in perf.hotspots_of(report, 2)}
    assert rows["instructions (user space)"].calls == 1500 and rows["LLC-load-misses (user space)"].bytes == 20 * 64
    hybrid = "3000,,cpu_core/instructions/,1,1,,\n1000,,cpu_atom/instructions/,1,1,,\n9,,cpu_core/cycles/u,1,1,,\n"
    assert {row.name: row.calls for row in perf.hotspots_of(hybrid, 1)} == {
        "instructions": 4000,
        "cycles (user space)": 9,
    }
    hybrid += "5,,cpu_core/cache-misses/,1,1,,\n<not supported>,,cpu_atom/cache-misses/,0,1,,\n"
    hybrid += "7,,cpu_core/page-faults/,1,1,,\n<not counted>,,cpu_atom/page-faults/,0,0,,\n"
    counted = {row.name: row.calls for row in perf.hotspots_of(hybrid, 1)}
    assert "cache-misses" not in counted and counted["page-faults"] == 7


def test_counters_that_the_kernel_does_not_expose_are_reported():
    report = "<not supported>,,instructions,0,100.00,,\n<not supported>,,cycles,0,100.00,,\n12,,page-faults,1,1,,\n"
    with pytest.raises(UnavailableError, match=r"exposes no hardware counters.*perf_event_paranoid"):
        perf.hotspots_of(report, 3)
    with pytest.raises(UnavailableError, match="cannot count here: Access to performance monitoring is limited"):
        perf.hotspots_of("", 0, "Access to performance monitoring is limited.\nmore words")


def test_perf_on_this_machine_counts_or_reports_why_not():
    try:
        rows = {row.name: row for row in perf.profile(_busy)}
    except UnavailableError as error:
        assert "perf" in str(error)
    else:
        assert rows["instructions"].calls > 50_000
