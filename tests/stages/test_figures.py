"""Stage figures: files, reasons, stale files."""

import json
import runpy
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from baler_energy.cli import main
from baler_energy.figures.chapters import figures_of
from baler_energy.stages import figures


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    write = runpy.run_path(str(repository / "tests" / "figures" / "conftest.py"))["write_dataset"]
    written: Path = write(tmp_path_factory.mktemp("figures") / "dataset")
    return written


def test_each_figure_is_there_or_has_a_reason(dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "trust"
    assert main(["figures", "--dataset", str(dataset), "--chapter", "trust", "--out", str(out)]) == 0
    reasons = json.loads((out / "left_out.json").read_text(encoding="utf-8"))
    assert list(reasons) == ["meters", "calibration", "foreign"] and "two meters" in reasons["meters"]
    drawn = {figure.name for figure in figures_of("trust")} - set(reasons)
    assert {path.name for path in out.iterdir()} == {
        "left_out.json",
        *(f"{name}.{suffix}" for name in drawn for suffix in ("svg", "png", "html")),
    }
    assert "meters is left out" in capfd.readouterr().err


def test_stale_figures_are_removed_and_nothing_else(dataset: Path, tmp_path: Path) -> None:
    for name in ("meters.svg", "meters.png", "meters.html", "mine.svg", "notes.txt"):
        (tmp_path / name).write_text("old")
    figures.figures(dataset, "trust", tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert not {"meters.svg", "meters.png", "meters.html"} & names
    assert {"mine.svg", "notes.txt", "timeseries.svg"} <= names


def test_each_dataset_has_its_figures(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = runpy.run_path(str(repository / "tests" / "figures" / "conftest.py"))["write_dataset"]
    dataset = write(tmp_path / "dataset", second="muons")
    stale, kept = tmp_path / "trust" / "muons" / "meters.svg", tmp_path / "trust" / "mine" / "meters.svg"
    for path in (stale, kept):
        path.parent.mkdir(parents=True)
        path.write_text("old")
    figures.figures(dataset, "trust", tmp_path / "trust")
    drawn = {path.relative_to(tmp_path / "trust").as_posix() for path in (tmp_path / "trust").rglob("*.svg")}
    assert {"jets/timeseries.svg", "muons/timeseries.svg", "contamination.svg", "spread.svg"} <= drawn
    assert "timeseries.svg" not in drawn and "jets/contamination.svg" not in drawn
    assert kept.exists() and not stale.exists()
    hours = [figure for figure in figures_of("cost") if figure.name == "co2e_hours"]
    monkeypatch.setattr(figures, "figures_of", lambda chapter: hours)
    assert set(figures.figures(dataset, "cost", tmp_path / "cost")) == {"jets/co2e_hours", "muons/co2e_hours"}


def test_a_missing_dataset_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["figures", "--dataset", str(tmp_path / "none"), "--chapter", "cost", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "none/runs.parquet: no such file" in capfd.readouterr().err
    assert not list(tmp_path.rglob("*.svg"))


def test_an_unknown_chapter_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["figures", "--dataset", ".", "--chapter", "price", "--out", str(tmp_path)])
    assert "invalid choice: 'price'" in capfd.readouterr().err


def test_a_table_with_other_columns_is_refused(
    dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in dataset.glob("*.parquet"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    pq.write_table(pq.read_table(dataset / "runs.parquet").drop_columns("energy_j"), tmp_path / "runs.parquet")
    assert main(["figures", "--dataset", str(tmp_path), "--chapter", "cost", "--out", str(tmp_path / "out")]) == 1
    assert "energy_j" in capfd.readouterr().err
