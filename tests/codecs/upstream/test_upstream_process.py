"""Upstream Baler's process: its requests, its output, and how it ends."""

import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import pytest

from baler_energy.codecs.upstream import install, runner
from baler_energy.codecs.upstream.config import Config, read_config
from baler_energy.codecs.upstream.process import started
from baler_energy.codecs.upstream.project import new_project, refuse_unsupported
from baler_energy.config.parameters import Parameters, Training
from baler_energy.errors import BalerEnergyError, InputError, UnavailableError

CONFIG = Config(input_path="", compression_ratio=2.0, model_name="AE", type_list=["float64"] * 4)


def project(root: Path, name: str = "full"):
    made = new_project(root, name, CONFIG)
    np.savez(made.data, data=np.arange(20.0).reshape(5, 4), names=np.array(list("abcd")))
    np.save(made.features, np.ones((2, 4)))
    return made


@pytest.fixture
def start(stand_in_baler, tmp_path):
    return lambda: started(tmp_path, device="cpu", threads=3)


def test_a_project_has_the_folders_that_baler_writes_to(tmp_path):
    made = new_project(tmp_path, "full", CONFIG)
    assert made.path == tmp_path / "workspaces" / "measured" / "full"
    assert read_config(made.config)["input_path"] == "workspaces/measured/full/data/full_data.npz"
    for name in ("training", "compressed_output", "decompressed_output"):
        assert (made.path / "output" / name).is_dir()


def test_a_mode_runs_from_the_projects_own_files(start, tmp_path, capfd):
    full, few = project(tmp_path), project(tmp_path, "few")
    with start() as baler:
        assert baler.facts == {
            "version": "0.1",
            "commit": None,
            "python": sys.version.split()[0],
            "torch": "0.0",
            "numpy": np.__version__,
            "cuda": False,
        }
        assert baler.startup_s > 0
        assert baler.perform(few, "compress", 1) == {"gpu_memory_peak_b": None}
        baler.perform(full, "compress", 1)
        baler.perform(full, "compress", 2)
        # The seed is set before each mode, but the number of threads only once.
        assert baler.last_output() == "100 %|=====| stand-in full compress [1, 1, 2] [3]"
    assert np.load(full.compressed)["data"].shape == (5, 2)
    # The output of the last request goes to the log.
    assert capfd.readouterr().err.splitlines() == ["100 %|=====| stand-in full compress [1, 1, 2] [3]"]


def test_a_failure_is_one_message_with_the_last_lines(start, tmp_path, monkeypatch):
    monkeypatch.setenv("STAND_IN_TROUBLE", "fails")
    full, few = project(tmp_path), project(tmp_path, "few")
    with start() as baler:
        with pytest.raises(BalerEnergyError, match=r"failed in mode train: ValueError: no such thing\.") as error:
            baler.perform(full, "train", 1)
        assert "ValueError: no such thing" in str(error.value).splitlines()[-1]
        baler.perform(few, "compress", 1)  # the process is still running
    with start() as baler, pytest.raises(BalerEnergyError, match="FileNotFoundError"):
        baler.perform(new_project(tmp_path, "empty", CONFIG), "compress", 1)


def test_a_death_is_one_message_with_the_last_lines(start, tmp_path, monkeypatch):
    monkeypatch.setenv("STAND_IN_TROUBLE", "dies")
    full = project(tmp_path)
    with start() as baler:
        said = r"was killed by SIGKILL \(out of memory\?\) in mode compress\. Its last lines:\n.*\n  the last words$"
        with pytest.raises(BalerEnergyError, match=said):
            baler.perform(full, "compress", 1)
        with pytest.raises(BalerEnergyError, match="was killed"):
            baler.perform(full, "compress", 1)


def test_an_interruption_ends_it(start, tmp_path, monkeypatch):
    monkeypatch.setenv("STAND_IN_TROUBLE", "hangs")
    full, log = project(tmp_path), tmp_path / "baler.log"

    def interrupted(doing: str) -> None:
        while "compress" not in log.read_text():
            time.sleep(0.02)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), start() as baler:
        child = psutil.Process(baler._process.pid)
        monkeypatch.setattr(baler, "_answer", interrupted)
        baler.perform(full, "compress", 1)
    assert not child.is_running()


OURS = """
import sys, time
from pathlib import Path
from baler_energy.codecs.upstream.process import started
from baler_energy.codecs.upstream.config import Folder
with started(Path(sys.argv[1]), device="cpu", threads=1) as baler:
    print(baler._process.pid, flush=True)
    baler.perform(Folder(Path(sys.argv[2])), "compress", 1)
"""


def test_it_does_not_outlive_a_killed_parent(stand_in_baler, tmp_path):
    full = project(tmp_path)
    environment = os.environ | {"STAND_IN_TROUBLE": "hangs"}
    command = [sys.executable, "-c", OURS, str(tmp_path), str(full.path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as ours:
        child = psutil.Process(int(ours.stdout.readline()))
        log, deadline_s = tmp_path / "baler.log", time.monotonic() + 600
        while "compress" not in log.read_text() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        ours.kill()
    _, alive = psutil.wait_procs([child], timeout=300)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_a_profile_comes_as_rows(start, tmp_path):
    full = project(tmp_path)
    with start() as baler:
        functions = baler.perform(full, "compress", 1, profile=True)["functions"]
    (main,) = [row for row in functions if row[0][2] == "main" and row[0][0] == str(Path("baler", "baler.py"))]
    place, (calls, recursive, self_s, total_s), callees = main
    assert (calls, recursive) == (1, 0) and 0 <= self_s <= total_s and callees
    assert not any(callee == place for _, _, others in functions for callee, _ in others)


def test_if_it_is_not_installed_the_message_explains_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(install.VARIABLE, raising=False)
    with pytest.raises(
        UnavailableError, match=r"/\.venv-upstream/bin/python does not exist\. Install it with `make upstream`"
    ):
        install.find()
    monkeypatch.setenv(install.VARIABLE, sys.executable)
    with pytest.raises(UnavailableError, match=r"(?s)No package metadata was found for baler.*make upstream"):
        install.find()
    (tmp_path / "no-python").write_text("#!/bin/sh\nexit 3\n")
    monkeypatch.setenv(install.VARIABLE, str(tmp_path / "no-python"))
    with pytest.raises(UnavailableError, match="no-python"):
        install.find()


def test_a_gpu_that_its_torch_does_not_find_is_unavailable(stand_in_baler, tmp_path):
    with pytest.raises(UnavailableError, match="TORCH_INDEX"), started(tmp_path, device="cuda", threads=1):
        pass


def test_it_is_found_with_its_version_and_commit(stand_in_baler, tmp_path, monkeypatch):
    known = {"version": "0.1", "commit": None, "python": sys.version.split()[0], "numpy": np.__version__}
    assert install.find() == install.Installation(stand_in_baler / "python", known | {"torch": version("torch")})
    (tmp_path / "baler-commit").write_text("0123abcd\n")
    monkeypatch.setattr(runner.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(runner.importlib.metadata, "version", lambda name: "0.1")
    described = json.loads(json.dumps(runner.describe()))
    assert described == known | {"commit": "0123abcd", "numpy": "0.1", "torch": "0.1"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": "128-64"}, "baler and baler-small"),
        ({"model": "skip-64"}, "Baler cannot read a network with a skip"),
        ({"shuffle": True}, "order"),
        ({"stop_at_loss": 0.1}, "by a patience"),
    ],
)
def test_unsupported_settings_are_refused(changes, named):
    known = Parameters(dataset="toy", rows=100, epochs=1, engine="upstream", model="baler-small")
    refuse_unsupported(known, Training())
    training = {name: value for name, value in changes.items() if name in Training.model_fields}
    others = {name: value for name, value in changes.items() if name not in training}
    with pytest.raises(InputError, match=named):
        refuse_unsupported(known.changed(**others), Training(**training))
