"""The stage ``measure``."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from baler_energy.errors import InputError
from baler_energy.meters.process import ProcessMeter
from baler_energy.meters.rapl import RaplMeter
from baler_energy.meters.settings import SessionSettings
from baler_energy.records import Measurement
from baler_energy.stages import measure as stage
from baler_energy.vocabulary import Flag, Operation, Quantity

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
