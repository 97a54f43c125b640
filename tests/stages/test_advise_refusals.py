"""What stage advise refuses: files, pages and options that are wrong, and a time that is over."""

import numpy as np
import pandas as pd
import pytest
import uproot

from baler_energy.cli import main
from baler_energy.data import sampling
from baler_energy.errors import InputError
from baler_energy.stages import advise
from baler_energy.time_limit import TimeLimit

FAST = ("--meters", "process", "--min-window-s", 0, "--idle-s", 0, "--threads", 1, "--epochs", 1, "--limit-s", 600)


def test_nothing_is_begun_after_the_time_is_over(stage, jets, capsys):
    with pytest.raises(InputError, match="time ran out before a codec that meets the goal was found"):
        stage("advise", jets, *FAST[:-1], 0)


def test_reading_is_part_of_the_time(stage, jets, monkeypatch):
    now_s = 0.0
    real = sampling.sample_file

    def slow(*words, stop, **more):
        nonlocal now_s
        assert not stop()
        now_s = 50.0
        assert stop()
        now_s = 100.0
        return real(*words, stop=stop, **more)

    monkeypatch.setattr(advise, "TimeLimit", lambda limit_s: TimeLimit(limit_s, lambda: now_s))
    monkeypatch.setattr(sampling, "sample_file", slow)
    with pytest.raises(InputError, match="time ran out before a codec that meets the goal was found"):
        stage("advise", jets, *FAST[:-1], 100)


def truncated(path, source):
    content = source.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.parquet", "no such file"),
        ("folder.parquet", "is not a file"),
        ("notes.txt", "unknown suffix '.txt'"),
        ("few.npz", "has 20 rows; at least 200 are needed"),
        ("words.parquet", "has no numeric columns; these are not plain numbers: label"),
        ("words.root", "has no numeric branches; these are not plain numbers: label"),
        ("half.parquet", "is truncated, damaged or not a valid Parquet file"),
        ("half.root", "is truncated, damaged or not a valid ROOT file"),
        ("half.h5", "is truncated, damaged or not a valid HDF5 file"),
        ("half.npz", "is truncated, damaged or not a valid npz file"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(jets, repository, tmp_path, monkeypatch, capfd, name, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "notes.txt").write_text("nothing")
    np.savez("few.npz", data=np.ones((20, 2)), names=np.array(["a", "b"]))
    pd.DataFrame({"label": ["a"] * 300}).to_parquet("words.parquet")
    with uproot.recreate("words.root") as file:
        file.mktree("t", {"label": ["a"] * 300})
    truncated(tmp_path / "half.parquet", jets)
    for suffix in ("root", "h5", "npz"):
        truncated(tmp_path / f"half.{suffix}", repository / "tests" / "formats" / "fixtures" / f"jets.{suffix}")
    assert main(["advise", name]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith(f"baler-energy advise: {name}: ")
    assert reason in line.removeprefix(f"baler-energy advise: {name}: ")


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("folder", "is a folder"),
        ("file/advice.html", "cannot be written: Not a directory"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_any_work(jets, tmp_path, monkeypatch, capfd, page, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setattr(sampling, "sample_file", lambda *_, **__: pytest.fail("the file was read"))
    assert main(["advise", str(jets), "--html", page]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"baler-energy advise: {page}: {reason}. ")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file"}


def test_the_page_does_not_replace_the_file(jets, tmp_path, monkeypatch, capfd):
    (tmp_path / "mine.parquet").symlink_to(jets)
    monkeypatch.setattr(sampling, "sample_file", lambda *_, **__: pytest.fail("the file was read"))
    assert main(["advise", str(jets), "--html", str(tmp_path / "mine.parquet")]) == 2
    assert "mine.parquet: would be replaced, but is the file to read" in capfd.readouterr().err


@pytest.mark.parametrize("error", ["0", "1", "-0.1", "nan", "much"])
def test_an_error_is_a_share(stage, jets, error):
    with pytest.raises(SystemExit):
        stage("advise", jets, f"--error={error}")


@pytest.mark.parametrize("measure", ["value", "relative"])
def test_lossless_has_no_measure_of_an_error(capfd, measure):
    assert main(["advise", "a.parquet", "--lossless", "--measure", measure]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"baler-energy advise: --measure {measure}: not allowed with --lossless")


def test_lossless_has_no_error(capfd):
    with pytest.raises(SystemExit):
        main(["advise", "a.parquet", "--lossless", "--error", "0.01"])
    assert "argument --error: not allowed with argument --lossless" in capfd.readouterr().err


@pytest.mark.parametrize("limit_s", ["-1", "nan", "inf", "soon"])
def test_a_time_limit_is_a_number_of_seconds(stage, jets, capsys, limit_s):
    with pytest.raises(SystemExit):
        stage("advise", jets, f"--limit-s={limit_s}", *FAST[:-2])
    assert f"--limit-s: {limit_s!r} is not a number of at least 0" in capsys.readouterr().err
