"""The stage ``measure``."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pandas as pd
import psutil
import pytest

from baler_energy.cli import main
from baler_energy.errors import InputError
from baler_energy.meters.lock import MachineLock
from baler_energy.meters.process import ProcessMeter
from baler_energy.meters.rapl import RaplMeter
from baler_energy.meters.session import Session
from baler_energy.meters.settings import SessionSettings
from baler_energy.records import Measurement, Reading
from baler_energy.stages import measure as stage
from baler_energy.vocabulary import Evidence, Flag, MeterName, Operation, Quantity

BURN = "import time\nt = time.process_time()\nwhile time.process_time() - t < 0.2: pass\n"


@pytest.fixture
def settings(tmp_path):
    return SessionSettings(min_window_s=0.1, idle_s=0.0, sample_interval_s=0.02, lock=tmp_path / "lock")


@pytest.fixture
def meters(tmp_path):
    return [RaplMeter(root=tmp_path / "no-powercap"), ProcessMeter()]


def test_a_command_runs_once_and_its_cpu_time_is_counted(meters, settings, tmp_path):
    mark = tmp_path / "mark"
    code = f"{BURN}open({str(mark)!r}, 'a').write('x')"
    record = stage.measure([sys.executable, "-c", code], meters, settings)
    assert record.operation is Operation.COMMAND
    assert record.iterations == 1
    assert mark.read_text() == "x"
    cpu = next(reading for reading in record.readings if reading.quantity is Quantity.CPU_TIME)
    assert cpu.value >= 0.2
    assert Flag.MODELLED_ONLY in record.flags
    assert sys.executable in record.parameters["command"]
    text = stage.summary(record)
    assert "CPU time" in text
    assert "no energy       cpu by rapl" in text


def test_repeat_fills_the_window(meters, settings, tmp_path):
    mark = tmp_path / "mark"
    record = stage.measure(["sh", "-c", f"echo x >> {mark}"], meters, settings, repeat=True)
    assert record.iterations == len(mark.read_text().split()) > 1
    assert record.window.duration_s >= 0.1


def test_a_command_that_runs_once_has_no_interval(meters, settings):
    text = stage.summary(stage.measure(["true"], meters, settings))
    assert "s in 1 run, from" in text and "per run" not in text


def test_repeated_runs_have_a_value_per_run_with_its_interval(meters, settings, three_iterations):
    record = stage.measure(["true"], meters, settings, repeat=True)
    times = record.iteration_times
    middle_s = times.median_s
    durations_s = [2 * times.lower_quartile_s - middle_s, middle_s, times.longest_s]
    # t(0.975, 2) = 4.303
    half_width_s = 4.3027 * statistics.stdev(durations_s) / 3**0.5
    assert record.results == {"duration_s:half_width": pytest.approx(half_width_s, rel=1e-3), "duration_s:n": 3}
    (line,) = [line for line in stage.summary(record).splitlines() if "per run" in line]
    shown = record.results["duration_s:half_width"]
    assert f"{record.window.duration_s / 3:.4g} s (+- {shown:.2g} s, 95 % t interval, n = 3)" in line


def test_only_energies_that_were_read_for_each_run_have_an_interval(meters, settings, three_iterations, monkeypatch):
    run = Session.run

    def with_energies(session, *arguments, **more):
        outcome = run(session, *arguments, **more)
        cpu = Reading.of(MeterName.RAPL, "cpu", Quantity.ENERGY, 9.0)
        ram = Reading.of(MeterName.CODECARBON, "ram", Quantity.ENERGY, 3.0, Evidence.MODELLED)
        row = {"time_s": 0.1, "meter": "rapl", "component": "cpu", "unit": "J", "evidence": "measured"}
        rows = pd.DataFrame([row | {"quantity": "iteration_energy", "value": value} for value in (2.5, 3.5)])
        return replace(outcome, readings=(cpu, ram), samples=pd.concat([outcome.samples, rows]), flags=())

    monkeypatch.setattr(Session, "run", with_energies)
    record = stage.measure(["true"], meters, settings, repeat=True)
    # t(0.975, 1) = 12.706, s = 0.7071
    assert record.results["energy_j:rapl/cpu:half_width"] == pytest.approx(12.706 * 0.5, rel=1e-4)
    lines = stage.summary(record).splitlines()
    after = {line.split()[4]: lines[number + 1] for number, line in enumerate(lines) if line.startswith("energy ")}
    assert after["measured"].split("per run")[1].strip() == "3 J (+- 6.4 J, 95 % t interval, n = 2)"
    assert after["modelled"].split("per run")[1].strip() == "1 J (no interval, as single runs were not read)"


def test_the_idle_measurement_is_announced(meters, settings, capsys):
    stage.measure(["true"], meters, replace(settings, idle_s=0.05))
    assert "Measuring idle power for 0.05 s before the operation starts" in capsys.readouterr().err
    stage.measure(["true"], meters, settings)
    assert "idle power" not in capsys.readouterr().err


def test_no_shell_interprets_the_arguments(meters, settings, capfd):
    stage.measure(["echo", "$HOME; false"], meters, settings)
    assert capfd.readouterr().out == "$HOME; false\n"


@pytest.mark.parametrize(("code", "expected"), [("exit 7", 7), ("kill -9 $$", 137)])
def test_a_failing_command_gives_its_exit_code(meters, settings, code, expected):
    with pytest.raises(stage.CommandFailedError) as failure:
        stage.measure(["sh", "-c", code], meters, settings)
    assert failure.value.exit_code == expected


def test_no_command_and_an_unknown_program(meters, settings):
    with pytest.raises(InputError, match="No command"):
        stage.measure([], meters, settings)
    with pytest.raises(InputError, match="no-such-program"):
        stage.measure(["no-such-program"], meters, settings)


def parse(*words):
    parser = argparse.ArgumentParser()
    stage.add_arguments(parser)
    return parser.parse_args(words)


def test_the_record_is_written_and_read_back(tmp_path, capsys):
    out = tmp_path / "new" / "measurement.json"
    stage.run(parse("--out", str(out), "--meters", "process", "--idle-s", "0", "--", "true", "--flag"))
    assert "duration" in capsys.readouterr().out
    record = Measurement.read(out)
    assert record.parameters["command"] == "true --flag"
    assert json.loads(out.read_text())["operation"] == "command"


def test_a_record_that_cannot_be_written_is_refused_before_the_command_runs(tmp_path, capsys):
    mark = tmp_path / "mark"
    code = main(["measure", "--out", str(tmp_path), "--meters", "process", "--idle-s", "0", "--", "touch", str(mark)])
    assert code == 2
    assert "is a folder" in capsys.readouterr().err
    assert not mark.exists()


def test_the_record_can_go_to_a_pipe(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert main(["measure", "--out", str(pipe), "--meters", "process", "--idle-s", "0", "--", "true"]) == 0
    reader.join(300)
    assert json.loads(read[0])["operation"] == "command"
    assert pipe.is_fifo()


#: Starts a child that handles SIGTERM as the argument says, and waits; at SIGTERM, writes whether the lock is held.
COMMAND = """
import fcntl, os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, sys, time\\n"
    "signal.signal(signal.SIGTERM, getattr(signal, sys.argv[1]))\\nprint(flush=True)\\ntime.sleep(600)", sys.argv[1]],
    stdout=-1)
child.stdout.readline()

def end(*_):
    with open(os.environ["BALER_ENERGY_LOCK"]) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            state = "free"
        except BlockingIOError:
            state = "held"
    with open("state", "w") as file:
        file.write(state)
    os._exit(1)

signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with open("pids.part", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename("pids.part", "pids")
time.sleep(600)
"""


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_command_ends_with_the_measurement_and_before_its_lock(tmp_path, number):
    code = (
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from baler_energy import signals\nsignals._GRACE_S = 0.5\n"
        "from baler_energy.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    words = ["measure", "--out", "out/m.json", "--meters", "process", "--idle-s", "0", "--"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *words, sys.executable, "-c", COMMAND, "SIG_IGN"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    ) as process:
        deadline_s = time.monotonic() + 600
        while not (tmp_path / "pids").exists() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        process.send_signal(number)
        if number is signal.SIGHUP:  # a terminal that is closed sends it twice
            process.send_signal(number)
        said = process.communicate(timeout=600)[1].decode()
    assert process.returncode == 128 + number
    assert "Traceback" not in said and "no half-written files were left" in said
    assert not any(alive(int(pid)) for pid in (tmp_path / "pids").read_text().split())
    assert (tmp_path / "state").read_text() == "held"
    assert not (tmp_path / "out").exists()


def test_nohup_is_respected(tmp_path):
    words = ["measure", "--meters", "process", "--idle-s", "0", "--", "sh", "-c", f"touch {tmp_path}/on; read line"]
    code = "import signal, sys\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\nfrom baler_energy.cli import main\n" \
        "sys.exit(main(sys.argv[1:]))"  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", code, *words], stdin=subprocess.PIPE) as process:
        deadline_s = time.monotonic() + 600
        while not (tmp_path / "on").exists() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        process.send_signal(signal.SIGHUP)
        process.communicate(b"\n", timeout=600)
    assert process.returncode == 0


def test_an_interrupt_leaves_no_partial_file(tmp_path):
    out, mark = tmp_path / "out" / "measurement.json", tmp_path / "started"
    code = (
        "import signal, sys\n"
        # If the tests run in the background, the shell makes their children ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from baler_energy.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    command = [
        "measure",
        "--out",
        out,
        "--meters",
        "process",
        "--idle-s",
        "0",
        "--",
        "sh",
        "-c",
        f"touch {mark}; exec sleep 60",
    ]
    with subprocess.Popen(
        [sys.executable, "-c", code, *command], start_new_session=True, stderr=subprocess.PIPE
    ) as process:
        deadline_s = time.monotonic() + 600
        while not mark.exists() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        message = process.communicate(timeout=600)[1].decode()
    assert process.returncode == 130
    assert "Traceback" not in message
    assert not out.parent.exists()


def test_the_command_does_not_outlive_a_killed_measurement_nor_its_lock(tmp_path):
    words = ["measure", "--meters", "process", "--idle-s", "0", "--"]
    command = [sys.executable, "-c", COMMAND, "SIG_DFL"]
    with subprocess.Popen([sys.executable, "-m", "baler_energy.cli", *words, *command], cwd=tmp_path) as process:
        deadline_s = time.monotonic() + 600
        while not (tmp_path / "pids").exists() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        process.kill()
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    while any(map(alive, pids)) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not any(map(alive, pids))
    assert (tmp_path / "state").read_text() == "held"
    with MachineLock():
        pass


def test_a_record_is_written_even_if_nobody_reads_the_summary(tmp_path):
    read, write = os.pipe()
    os.close(read)
    words = ["measure", "--out", "m.json", "--meters", "process", "--idle-s", "0", "--", "true"]
    with os.fdopen(write, "wb") as closed:
        command = [sys.executable, "-u", "-m", "baler_energy.cli", *words]
        done = subprocess.run(command, cwd=tmp_path, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=600)
    assert done.returncode == 1 and "Broken pipe" in done.stderr
    assert Measurement.read(tmp_path / "m.json").iterations == 1


def test_a_command_with_a_file_name_that_is_not_utf_8(meters, settings, tmp_path):
    name = os.fsdecode(b"\xe9v\xe9nements.root")
    record = stage.measure(["touch", str(tmp_path / name)], meters, settings)
    assert (tmp_path / name).exists()
    assert record.parameters["command"] == f"touch {tmp_path}/\ufffdv\ufffdnements.root"
    record.write(tmp_path / "m.json")
    assert Measurement.read(tmp_path / "m.json").parameters == record.parameters
