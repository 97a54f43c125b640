"""The stage ``peer``."""

import argparse
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baler_energy.analysis.peers import peer_rows
from baler_energy.data import toy
from baler_energy.errors import InputError
from baler_energy.meters.lock import LOCK_VARIABLE
from baler_energy.records import Measurement
from baler_energy.stages import peer as stage
from baler_energy.stages import train
from baler_energy.stages.file_names import PEER_RESULT


def python(code):
    return [sys.executable, "-c", code]


def parse(*words):
    parser = argparse.ArgumentParser()
    stage.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


# the process with a limit


def test_a_command_that_ends_well():
    assert stage.run_limited(python("print('fine')"), 60.0) is None


def test_a_command_that_fails_gives_its_last_lines():
    reason = stage.run_limited(python("import sys; print('first'); sys.exit('the tool broke')"), 60.0)
    assert reason == "ended with exit code 1: first the tool broke"


def test_a_command_that_a_signal_kills():
    assert "signal 9" in stage.run_limited(python("import os; os.kill(os.getpid(), 9)"), 60.0)


def test_a_wrong_input_is_the_users_error():
    code = "import sys; print('baler-energy train: --seed -1: must be 0.', file=sys.stderr); sys.exit(2)"
    with pytest.raises(InputError, match=r"^--seed -1: must be 0\.$"):
        stage.run_limited(python(code), 60.0)


def alive(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("limit", [True, False])
def test_its_children_end_with_it(tmp_path, limit):
    mark = tmp_path / "pid"
    # A shell starts its child long before the limit on any machine.
    code = f"sleep 600 & echo $! > {mark}; {'sleep 600' if limit else 'exit 0'}"
    reason = stage.run_limited(["sh", "-c", code], 3.0 if limit else 600.0)
    assert reason == ("did not finish within 3 s" if limit else None)
    deadline = time.monotonic() + 300
    while alive(int(mark.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int(mark.read_text()))


def test_its_children_end_with_the_stage(tmp_path):
    code = (
        "from baler_energy.signals import terminable\nfrom baler_energy.stages.peer import run_limited\n"
        "with terminable():\n    run_limited(['sh', '-c', 'sleep 600 & echo $! > part; mv part pid; wait'], 600.0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 300
        while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.terminate()
    assert not alive(int((tmp_path / "pid").read_text()))


# the stage


def test_the_training_gets_all_options_and_the_tool(tmp_path):
    args = parse(
        *("--tool", "zeus", "--data", "t.npz", "--out", tmp_path, "--epochs", 7, "--shuffle", "--threads", 3),
        *("--learning-rate", 0.002, "--run-id=-odd id", "--meters", "process", "perun", "--idle-s", 0),
    )
    command = stage._command(args, tmp_path / "child")
    assert command[1:4] == ["-m", "baler_energy.cli", "train"]
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    passed = parser.parse_args(command[4:])
    own = {"out": tmp_path / "child", "meters": ["process", "zeus"], "recommended": False}
    expected = vars(args) | own
    assert vars(passed) == {key: expected[key] for key in vars(passed)}
    assert passed.shuffle
    assert passed.plateau_patience is None


def test_a_tool_that_cannot_run_is_a_result(pipeline, tmp_path, capfd, monkeypatch):
    # Python imports this module at its start: no process finds the tool, even where it is installed.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pyJoules'] = None\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    out = tmp_path / "peer"
    quick = ("--device", "cpu", "--threads", 1, "--batch-size", 64, "--epochs", 2, "--run-id", "a point")
    stage.run(parse("--tool", "pyjoules", "--data", pipeline.table, "--out", out, "--meters", "process", *quick))
    result = json.loads((out / PEER_RESULT).read_text())
    assert result["measurement"] is None
    assert "pyJoules" in result["reason"]
    assert result["parameters"]["rows"] == 300
    assert [path.name for path in out.iterdir()] == [PEER_RESULT]
    assert "pyjoules" in capfd.readouterr().err
    (row,) = peer_rows(result)
    assert (row["run_id"], row["value"], row["batch_size"]) == ("a point", None, 64)


def test_the_wait_for_another_measurement_is_not_part_of_the_time_limit(tmp_path, monkeypatch):
    """The machine is locked before the training starts, and until it has ended; the training has another lock."""
    shared_lock = os.environ[LOCK_VARIABLE]

    def run_limited(command, limit_s, variables, kept):
        assert variables[LOCK_VARIABLE] != shared_lock
        assert os.fstat(kept).st_ino == Path(shared_lock).stat().st_ino
        with Path(shared_lock).open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "no result"

    toy.generate(30, 1).write(tmp_path / "table.npz")
    monkeypatch.setattr(stage, "run_limited", run_limited)
    stage.run(parse("--tool", "zeus", "--data", tmp_path / "table.npz", "--out", tmp_path / "peer"))
    assert json.loads((tmp_path / "peer" / PEER_RESULT).read_text())["reason"] == "no result"


def test_the_record_of_the_training_is_kept(pipeline, tmp_path, monkeypatch):
    record = Measurement.read(pipeline.checkpoint.parent / "measurement.json")

    def run_limited(command, limit_s, *_):
        out = next(word for word in command if word.startswith("--out="))
        record.write(tmp_path / out.partition("=")[2] / "measurement.json")

    monkeypatch.setattr(stage, "run_limited", run_limited)
    stage.run(parse("--tool", "zeus", "--data", pipeline.table, "--out", tmp_path / "peer"))
    result = json.loads((tmp_path / "peer" / PEER_RESULT).read_text())
    assert Measurement.model_validate(result["measurement"]) == record
    assert result["reason"] is None
    assert (result["tool"], result["operation"]) == ("zeus", "train")
    assert result["parameters"] == record.parameters


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf"])
def test_a_wrong_time_limit(tmp_path, limit):
    with pytest.raises(InputError, match="time-limit-s"):
        stage.run(parse("--tool", "zeus", "--data", "t", "--out", tmp_path, f"--time-limit-s={limit}"))


def test_an_old_result_does_not_outlive_a_failure(tmp_path):
    (tmp_path / PEER_RESULT).write_text("{}")
    with pytest.raises(InputError):
        quick = ("--meters", "process", "--device", "cpu")
        stage.run(parse("--tool", "zeus", "--data", tmp_path / "none.npz", "--out", tmp_path, *quick))
    assert not (tmp_path / PEER_RESULT).exists()


def test_a_result_that_cannot_be_written_is_refused_before_the_training(pipeline, tmp_path, monkeypatch):
    (tmp_path / PEER_RESULT).mkdir()
    monkeypatch.setattr(stage, "run_limited", lambda *_: pytest.fail("it was trained"))
    with pytest.raises(InputError, match=r"peer\.json: is a folder"):
        stage.run(parse("--tool", "zeus", "--data", pipeline.table, "--out", tmp_path))
