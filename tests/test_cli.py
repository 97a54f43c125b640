"""The command line: help with examples, exit codes, one message for a user's mistake."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from baler_energy import cli, files
from baler_energy.data.table import Table


def test_every_stage_has_help_with_an_example(capsys):
    for stage in cli.STAGES:
        with pytest.raises(SystemExit) as left:
            cli.main([stage, "--help"])
        assert left.value.code == 0
        said = capsys.readouterr().out
        assert f"baler-energy {stage}" in said.split("example", 1)[1], stage


def test_startup_imports_nothing_heavy():
    code = (
        "import sys; from baler_energy import cli\n"
        "for stage in cli.STAGES:\n"
        "    try: cli.main([stage, '--help'])\n"
        "    except SystemExit: pass\n"
        "print(sorted({'torch', 'matplotlib', 'codecarbon', 'uproot', 'awkward', 'pythia8mc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_wrong_input_exits_with_2_and_one_message(tmp_path, capsys):
    out = tmp_path / "table.npz"
    code = cli.main(["prepare", "--input", str(tmp_path / "nowhere.parquet"), "--rows", "all", "--out", str(out)])
    said = capsys.readouterr().err
    assert code == 2
    assert "nowhere.parquet" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [MemoryError, RuntimeError])
def test_too_little_memory_is_one_message(tmp_path, capsys, monkeypatch, kind):
    reason = "Unable to allocate 74.5 GiB for an array" + ", out of memory" * (kind is RuntimeError)

    def too_large(*_, **__):
        raise kind(f"{reason}\nwith details of torch")

    monkeypatch.setattr("baler_energy.stages.generate.generate", too_large)
    code = cli.main(["generate", "--source", "toy", "--rows", "9", "--seed", "1", "--out", str(tmp_path / "t.npz")])
    said = capsys.readouterr().err
    assert code == 3
    assert said == (f"baler-energy generate: not enough memory ({reason}). Use fewer rows or columns.\n")


def test_a_bug_that_is_no_lack_of_memory_is_not_hidden(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("baler_energy.stages.generate.generate", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["generate", "--source", "toy", "--rows", "9", "--seed", "1", "--out", str(tmp_path / "t.npz")])


#: Options with which a stage writes something, and whether it is a folder.
OUTPUTS = {"html": False, "schema": False, "readme": False, "glossary": False, "idle_cache": True}
#: Stages whose ``--out`` is a file; the others write a folder.
WRITE_A_FILE = ("hardware", "calibrate", "measure", "generate", "prepare", "repeats", "report")


@pytest.mark.parametrize("stage", cli.STAGES)
def test_every_output_is_checked_before_any_work(stage, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    (choices,) = [a.choices for a in cli._parser([stage])._actions if a.dest == "stage"]
    for action in choices[stage]._actions:
        if action.dest != "out" and action.dest not in OUTPUTS:
            continue
        is_folder = OUTPUTS.get(action.dest, stage not in WRITE_A_FILE)
        wrong, reason = ("file", "cannot be written") if is_folder else ("folder", "is a folder")
        assert cli.main([stage, action.option_strings[0], wrong]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"baler-energy {stage}: {wrong}: {reason}")


def test_options_are_not_abbreviated(capsys):
    with pytest.raises(SystemExit):
        cli.main(["study", "--config", "country=FRA"])
    assert "unrecognized arguments: --config country=FRA" in capsys.readouterr().err


def test_a_missing_device_exits_with_3(tmp_path, capsys):
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    table = tmp_path / "table.npz"
    assert cli.main(["generate", "--source", "toy", "--rows", "100", "--seed", "1", "--out", str(table)]) == 0
    code = cli.main(["train", "--data", str(table), "--device", "cuda", "--out", str(tmp_path / "run")])
    assert code == 3
    assert "--device cpu" in capsys.readouterr().err


def test_a_full_disk_is_reported_once_and_leaves_no_file(tmp_path, capsys, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "table.npz")

    monkeypatch.setattr(files.os, "fsync", full)
    out = tmp_path / "table.npz"
    assert cli.main(["generate", "--source", "toy", "--rows", "100", "--seed", "1", "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert "Free some space" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="a small disk can only be mounted by root")
def test_a_disk_that_is_really_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no mount here: {mounted.stderr.decode().strip()}")
    try:
        command = [sys.executable, "-m", "baler_energy.cli", "generate", "--source", "toy"]
        command += ["--rows", "10000", "--seed", "1", "--out", str(disk / "table.npz")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_file_and_a_column_may_be_named_like_the_end_of_the_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"--": [1.0, 2.5], "-m": [3.0, 4.5], "x": [5.0, 6.5]}).to_parquet("--")
    words = ["prepare", "--input=--", "--format", "parquet", "--rows", "all", "--out", "table.npz"]
    assert cli.main([*words, "--columns=--", "--columns", "x", "--columns=-m"]) == 0
    assert Table.read(Path("table.npz")).names == ("--", "x", "-m")
    assert cli._parser(["prepare"]).parse_args([*words, "--tree=--"]).tree == "--"
    with pytest.raises(SystemExit):
        cli.main([*words, "--format=--"])


@pytest.mark.parametrize("words", [["advise", "\udcff.root"], ["import", "--out", "out", "--", "\udcff.csv"]])
def test_a_name_that_no_file_can_hold_is_refused_before_any_work(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    Path(words[-1]).touch()
    assert cli.main(words) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"baler-energy {words[0]}: '\\udcff.") and "is not UTF-8" in said


def test_a_name_that_a_terminal_cannot_show_is_no_error():
    code = (
        "import sys\nfrom baler_energy import cli\nfrom baler_energy.stages import doctor\n"
        "doctor.run = lambda args: print('p\\u209c')\nsys.exit(cli.main())"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", code, "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "p\\u209c\n"


def test_what_an_error_of_the_system_says_is_not_lost(capsys, monkeypatch):
    def fail(args):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("baler_energy.stages.doctor.run", fail)
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().err == "baler-energy doctor: No usable temporary directory found in ['/tmp'].\n"
