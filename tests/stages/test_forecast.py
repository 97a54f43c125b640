"""Stages forecast and hardware: what they print of a machine with a known law, and which mistakes they refuse."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forecasts import JOB, Capture, intervals, printed, refused
from known_law import ENERGY, IDLE_W, TIME, cost, known_runs, point, write_dataset

from baler_energy.analysis.hardware import Hardware
from baler_energy.analysis.schema import arrow_schema
from baler_energy.analysis.work import work
from baler_energy.cli import main
from baler_energy.errors import InputError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("known") / "dataset", noise=0.01)


@pytest.fixture(scope="module")
def hardware(dataset: Path) -> Path:
    path = dataset.parent / "known.json"
    assert main(["hardware", "--dataset", str(dataset), "--out", str(path)]) == 0
    return path


def test_a_known_law_is_forecast_with_its_interval(capsys: Capture, hardware: Path) -> None:
    said = printed(capsys, *JOB, "--hardware", hardware, "--country", "CHE", "--pue", "1.2")
    amounts = work(point(rows=5_000_000, epochs=100), "train")
    seconds = cost(TIME, amounts)
    joules = cost(ENERGY, amounts) + IDLE_W * seconds
    (time, low, high), (energy, *_), (grams, *_) = intervals(said, "train")
    assert time == pytest.approx(seconds, rel=0.05) and low <= seconds <= high
    assert energy == pytest.approx(joules, rel=0.05)
    assert grams == pytest.approx(joules / 3.6e6 * 34.84 * 1.2, rel=0.05)
    assert len(intervals(said, "compress")) == len(intervals(said, "decompress")) == 3
    for words in (
        *("5,000,000 rows x 24 columns", "epochs 100", "engine reference", "energy (measured)", "90 % intervals"),
        *("from 81 runs at 72 points on Example CPU", "times larger than the largest of them"),
        "(median); the law was not checked beyond that, so the interval may be too narrow.",
        *("was read from hardware counters", "34.84 g/kWh and PUE 1.2", "baler-energy study known", "2026-11-23"),
    ):
        assert words in said, words


def test_a_price_gives_the_cost_of_electricity(capsys: Capture, hardware: Path) -> None:
    price = ["--price-per-kwh", "0.25", "--currency", "CHF", "--pue", "1.5"]
    said = printed(capsys, *JOB, "--hardware", hardware, *price)
    joules = intervals(said, "train")[1][0]
    (value, unit) = re.search(r"([\d.]+) (m?CHF) \(", said.split("train", 1)[1]).groups()  # type: ignore[union-attr]
    assert float(value) * {"mCHF": 1e-3, "CHF": 1.0}[unit] == pytest.approx(joules / 3.6e6 * 1.5 * 0.25, rel=0.01)
    assert "Electricity at 0.25 CHF per kWh." in said
    assert "go together" in refused(capsys, *JOB, "--hardware", hardware, "--price-per-kwh", "0.25")


def test_a_dataset_serves_as_well_as_its_file(capsys: Capture, dataset: Path, hardware: Path) -> None:
    one, other = (printed(capsys, *JOB, "--hardware", where) for where in (dataset, hardware))
    assert one == other and "No CO2e: give --country" in one


def test_rows_and_columns_come_from_a_file(capsys: Capture, hardware: Path, repository: Path) -> None:
    (file,) = (repository / "tests/formats/fixtures").glob("*.parquet")
    said = printed(capsys, "--file", file, "--epochs", "1", "--hardware", hardware)
    table = pq.read_metadata(file)
    assert said.startswith(f"{table.num_rows:,} rows x ") and "within their range" in said


def test_a_file_without_rows_is_refused(capsys: Capture, hardware: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "empty.npz", data=np.empty((0, 3)), names=np.array(["a", "b", "c"]))
    for more in ([], ["--per-year", "1TB"]):
        words = ["--file", str(tmp_path / "empty.npz"), "--epochs", "5", *more, "--hardware", str(hardware)]
        assert main(["forecast", *words]) == 2
        assert "empty.npz" in capsys.readouterr().err


def test_modelled_energy_is_labelled(capsys: Capture, tmp_path: Path) -> None:
    where = write_dataset(tmp_path / "dataset", measured=False)
    said = printed(capsys, *JOB, "--hardware", where)
    assert "energy (modelled)" in said and "MODELLED from constants and load" in said and "measured" not in said


def test_a_study_on_this_machine_is_found_and_another_ones_is_not_taken(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, *JOB)
    assert "there is no folder results/forecast/dataset" in said and "config/studies/forecast.yaml" in said
    write_dataset(tmp_path / "results" / "forecast" / "dataset")
    assert "no laws of this machine" in refused(capsys, *JOB)
    monkeypatch.setattr("baler_energy.stages.forecast.cpu_model", lambda: "Example CPU")
    assert "on Example CPU" in printed(capsys, *JOB)


def test_of_several_numbers_of_threads_the_one_of_most_runs_is_used_unless_one_is_given(
    capsys: Capture, tmp_path: Path
) -> None:
    runs = known_runs()
    runs["threads"] = runs["threads"].where(runs["batch_size"] > 64, 4)
    folder = write_dataset(tmp_path / "dataset")
    table = pa.Table.from_pandas(runs, schema=arrow_schema("runs"), preserve_index=False)
    pq.write_table(table, folder / "runs.parquet")
    assert "from 54 runs" in printed(capsys, *JOB, "--hardware", folder)
    assert "from 27 runs" in printed(capsys, *JOB, "--hardware", folder, "--threads", "4")
    assert "No law for" in refused(capsys, *JOB, "--hardware", folder, "--threads", "2")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--epochs", "1"], "either --rows and --columns, or --file"),
        (["--rows", "10", "--epochs", "1"], "--rows and --columns go together"),
        ([*JOB, "--file", "x.root"], "either --rows and --columns, or --file"),
        (["--rows", "10", "--columns", "5"], "--epochs is missing"),
        ([*JOB, "--engine", "fast"], "No law for transform baler, engine fast"),
        ([*JOB, "--transform", "identity", "--packing", "zstd"], "No law for transform identity"),
        ([*JOB, "--country", "XXX"], "not an ISO 3166-1 alpha-3 code"),
        (["--file", "nowhere.root", "--epochs", "1"], "nowhere.root"),
    ],
)
def test_mistakes_are_one_message(capsys: Capture, hardware: Path, words: list[str], reason: str) -> None:
    assert reason in refused(capsys, *words, "--hardware", hardware)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:-40], "JSON"),
        (lambda text: text.replace("baler-energy hardware", "another file"), "format"),
        (lambda text: text.replace('"version":1', '"version":2'), "version"),
        (lambda text: text.replace('"flop"', '"flip"'), "flip: not a term"),
        (lambda text: "[]", "is not a hardware file"),
        (
            lambda text: text.replace('"version":1', '"version":1,"version":1'),
            "the key 'version' occurs more than once",
        ),
    ],
)
def test_a_file_that_holds_no_laws_is_refused(
    capsys: Capture, hardware: Path, tmp_path: Path, change: Any, reason: str
) -> None:
    path = tmp_path / "other.json"
    path.write_text(change(hardware.read_text()))
    said = refused(capsys, *JOB, "--hardware", path)
    assert str(path) in said and reason in said


def test_a_mutated_hardware_file_ends_as_a_forecast_or_one_message(
    capsys: Capture, hardware: Path, tmp_path: Path, mutations: Callable[[bytes], Iterator[bytes]]
) -> None:
    path, codes = tmp_path / "other.json", set()
    for content in mutations(hardware.read_bytes()):
        path.write_bytes(content)
        codes.add(main(["forecast", *JOB, "--hardware", str(path)]))
        assert "Traceback" not in capsys.readouterr().err
    assert codes == {0, 2}


def test_a_hardware_file_has_its_provenance(hardware: Path, tmp_path: Path) -> None:
    found = Hardware.read(hardware)
    assert (found.study, found.sources) == ("baler-energy study known", ("0123456789abcdef",))
    assert [one.hostname for one in found.machines] == ["node1"] and len(found.laws) == 3
    found.write(tmp_path / "again.json")
    assert Hardware.read(tmp_path / "again.json") == found


def test_a_study_without_a_law_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no law can be fitted"):
        Hardware.of(known_runs(grid={"rows": (200, 3_000)}), "small")


def test_hardware_does_not_replace_a_table_that_it_reads(dataset: Path, capsys: Capture) -> None:
    before = (dataset / "runs.parquet").read_bytes()
    assert main(["hardware", "--dataset", str(dataset), "--out", str(dataset / "runs.parquet")]) == 2
    assert "is the file to read" in capsys.readouterr().err
    assert (dataset / "runs.parquet").read_bytes() == before


def test_hardware_says_what_it_wrote(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "known.json"
    assert main(["hardware", "--dataset", str(dataset), "--out", str(out)]) == 0
    laws = len(json.loads(out.read_text())["laws"])
    assert capsys.readouterr().out == f"{out}: {laws} laws of cost, from baler-energy study known\n"
