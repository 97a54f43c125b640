"""Every door of the results: a file that is damaged in any way ends as data or as one message."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collected import STUDY, Results, edited, make
from mutants import COUNT, mutants

from baler_energy.analysis.checked import read_parquet
from baler_energy.analysis.electricity import Electricity
from baler_energy.analysis.schema import arrow_schema
from baler_energy.analysis.writing import TableWriter, scan
from baler_energy.cli import main
from baler_energy.codecs.engines import operations_of
from baler_energy.config.study import load_study
from baler_energy.errors import BalerEnergyError, InputError
from baler_energy.figures.base import Dataset
from baler_energy.meters.calibration import Calibration, ingredients_of
from baler_energy.records import Measurement
from baler_energy.rounds import points_so_far
from baler_energy.stages.collect import _Runs
from baler_energy.stages.run_files import Grid, read_counts, read_hotspots, read_rows
from baler_energy.variants import CHAPTERS


@pytest.fixture(scope="module")
def results(stage: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Results:
    return make(stage, tmp_path_factory.mktemp("results"))


def damaged(path: Path, count: int = COUNT) -> Iterator[Path]:
    """Damage a file in many ways; it is whole again afterwards."""
    content = path.read_bytes()
    try:
        for one in mutants(content, count):
            path.write_bytes(one)
            yield path
    finally:
        path.write_bytes(content)


def ended(door: Callable[[], Any], path: Path) -> Any:
    """Return what a door reads; None if it refuses it with one message, which names the file or its folder."""
    try:
        return door()
    except BalerEnergyError as error:
        assert str(path) in str(error) or str(path.parent) in str(error), error
        assert len(str(error)) < 3000 and "Traceback" not in str(error)
        return None


@pytest.mark.parametrize("name", ["train/measurement.json", "decompress/measurement.json", "evaluate/summary.json"])
def test_a_damaged_record(results: Results, name: str) -> None:
    runs = _Runs.of(results.study, results.folder, Electricity.of(country="CHE", value=None, csv=None, pue=1.0))
    point = results.points[0]
    found = [
        ended(lambda: runs.tables([(point, operations_of(point))]), path) for path in damaged(results.run() / name)
    ]
    refused = found.count(None)
    assert refused > COUNT // 2, "most damage is noticed"
    for tables in filter(None, found):
        assert len(tables["runs"]) == 3
        for table in (tables["runs"], tables["measurements"]):
            for column in table.columns:
                if pa.types.is_floating(column.type):
                    assert all(abs(value) < float("inf") for value in column.to_pylist() if value is not None)


def test_a_damaged_history(results: Results) -> None:
    """A checksum protects each page, so what can be read is what was written."""
    runs = _Runs.of(results.study, results.folder, Electricity.of(country=None, value=None, csv=None, pue=1.0))
    point, path = results.points[0], results.run() / "train" / "history.parquet"
    whole = runs.tables([(point, operations_of(point))])["history"]
    found = [ended(lambda: runs.tables([(point, operations_of(point))]), one) for one in damaged(path)]
    assert all(tables["history"].equals(whole) for tables in filter(None, found)) and None in found


def test_damaged_time_series(results: Results) -> None:
    path = results.run() / "train" / "samples.parquet"
    columns = [name for name in arrow_schema("samples").names if name not in pq.read_schema(path).names]
    constants = pa.table({name: [None] for name in columns})
    whole = next(iter(scan([path], constants, table="samples")))
    found = [ended(lambda: next(iter(scan([path], constants, table="samples"))), one) for one in damaged(path)]
    assert all(table.equals(whole) for table in found if table is not None) and None in found


def test_a_damaged_profile(stage: Callable[..., None], results: Results, tmp_path: Path) -> None:
    table, words = results.folder / "table.npz", ("--operation", "train", "--profiler", "cprofile", "--max-batches", 1)
    stage("profile", "--data", table, "--out", tmp_path, *words, "--run-id", "x")
    path = tmp_path / "train" / "hotspots.parquet"
    names = [*arrow_schema("runs").names[:24], "repeat"]
    constants = {name: None for name in names if name not in ("operation",)} | {"run_id": "x"}
    whole = read_hotspots(path, constants, "train", "cprofile")
    found = [ended(lambda: read_hotspots(path, constants, "train", "cprofile"), one) for one in damaged(path)]
    assert all(table.equals(whole) for table in found if table is not None) and None in found
    for words in (("y", "train", "cprofile"), ("x", "compress", "cprofile"), ("x", "train", "scalene")):
        with pytest.raises(InputError, match="belongs to another run"):
            read_hotspots(path, constants | {"run_id": words[0]}, *words[1:])


@pytest.fixture
def peer(results: Results, tmp_path: Path) -> Path:
    """Return what zeus would have measured at the first point, wrongly, next to our meters."""
    record = json.loads((results.run() / "train" / "measurement.json").read_text())
    theirs = {"meter": "zeus", "component": "cpu", "quantity": "energy", "unit": "J", "evidence": "unknown"}
    record["readings"].append({**theirs, "value": -261_843.0})
    content = {"tool": "zeus", "tool_version": "1", "operation": "train", "parameters": record["parameters"]}
    path = tmp_path / "peer.json"
    path.write_text(json.dumps(content | {"measurement": record, "reason": None}))
    return path


def test_a_wrong_reading_of_another_tool_is_a_result_and_of_ours_is_not(results: Results, peer: Path) -> None:
    grid, point = Grid.of(results.study, results.folder), results.points[0]
    (row,) = grid.peer(peer, point, "zeus")
    assert (row["value"], row["ours_j"]) == (-261_843.0, 50.0)
    whole = peer.read_text()
    for key, value, named in (
        ("measurement.readings.0.value", -1.0, "readings.0.value: is -1.0"),
        ("measurement.parameters.epochs", 3, "parameters.epochs: is 3, but should be 2"),
        ("measurement.run_id", "x", 'run_id: is "x"'),
        ("tool", "perun", 'tool: is "perun", but should be "zeus"'),
        ("operation", "compress", 'operation: is "compress"'),
        ("measurement", 5, "This is not a result"),
    ):
        edited(peer, key, value)
        with pytest.raises(InputError) as caught:
            grid.peer(peer, point, "zeus")
        assert str(peer) in str(caught.value) and named in str(caught.value)
        peer.write_text(whole)
    with pytest.raises(InputError, match="run_id"):
        grid.peer(peer, results.points[1], "zeus")
    edited(peer, "measurement", None)
    edited(peer, "reason", "it failed")
    assert [row["reason"] for row in grid.peer(peer, point, "zeus")] == ["it failed"]
    with pytest.raises(InputError, match=r"parameters\.run_id"):
        grid.peer(peer, results.points[1], "zeus")


def test_a_damaged_result_of_another_tool(results: Results, peer: Path) -> None:
    grid, point = Grid.of(results.study, results.folder), results.points[0]
    for one in damaged(peer):
        ended(lambda: grid.peer(peer, point, "zeus"), one)


def test_a_damaged_calibration(results: Results) -> None:
    path = results.folder / "calibration" / "device~auto.json"
    for one in damaged(path):
        ended(lambda: Calibration.read(path), one)
        ended(lambda: dict(ingredients_of(path)), one)


def test_a_damaged_round(tmp_path: Path) -> None:
    study, path = load_study(STUDY | {"repeats": {"least": 2, "most": 3}}), tmp_path / "round~1.json"
    third = study.points[0].in_repeat(2).path
    for content in ({"round": 2, "points": [third]}, {"points": [third, third]}, {"points": [study.points[0].path]}):
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match="is not a valid round"):
            points_so_far(study, lambda _: path)
    path.write_text(json.dumps({"round": 1, "points": [third], "target": 0.05}))
    assert len(points_so_far(study, lambda _: path)) == len(study.points) + 1
    for one in damaged(path):
        ended(lambda: points_so_far(study, lambda _: path), one)


def test_damaged_counts_of_a_network(tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    names = [name for name in arrow_schema("models").names if name not in arrow_schema("runs").names]
    row = dict.fromkeys((*names, "parameters")) | {"tool": "fvcore", "macs": 5, "parameters": 2**53 + 1}
    constants = {*arrow_schema("models").names} - row.keys()
    path.write_text(json.dumps([row, row]))
    assert read_rows("models", path, constants) == [row, row]
    for one in damaged(path):
        ended(lambda: read_rows("models", path, constants), one)


def test_counts_of_another_network_are_refused(results: Results, tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    names = [name for name in arrow_schema("models").names if name not in arrow_schema("runs").names]
    row = dict.fromkeys((*names, "parameters")) | {"tool": "fvcore", "macs": 5, "parameters": 7}
    constants = {*arrow_schema("models").names} - row.keys()
    path.write_text(json.dumps([row | {"parameters": None}, row]))
    record = Measurement.read(results.run() / "train" / "measurement.json")
    for parameters in (7, None):
        own = record.model_copy(update={"results": {"parameters": parameters}})
        assert len(read_counts(path, own, constants)) == 2
    with pytest.raises(InputError, match=r"counts\.json: parameters: are \[7\], but the run's record has 8"):
        read_counts(path, record.model_copy(update={"results": {"parameters": 8}}), constants)


def test_damaged_rows(tmp_path: Path) -> None:
    path = tmp_path / "left_out.json"
    path.write_text('[{"axis": "engine", "value": "x", "runs": 1, "of_runs": 2, "reason": "why"}]')
    for one in damaged(path):
        ended(lambda: read_rows("left_out", path), one)


@pytest.fixture(scope="module")
def dataset(results: Results) -> Path:
    return results.collect()


@pytest.mark.parametrize("name", ["runs", "measurements", "electricity"])
def test_a_damaged_table_of_the_dataset(dataset: Path, name: str) -> None:
    path = dataset / f"{name}.parquet"
    whole = Dataset(dataset)[name]
    found = [ended(lambda: Dataset(dataset)[name], one) for one in damaged(path)]
    assert all(table.equals(whole) for table in found if table is not None) and None in found


@pytest.mark.parametrize("name", ["samples", "errors"])
def test_a_damaged_table_of_which_only_the_centre_is_read(dataset: Path, name: str) -> None:
    path = dataset / f"{name}.parquet"
    for one in damaged(path, 60):
        ended(lambda: Dataset(dataset)[name], one)


def test_every_stage_that_reads_a_damaged_dataset_ends_with_one_message(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(dataset, tmp_path / "dataset")
    path = tmp_path / "dataset" / "runs.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    words = ["--dataset", str(tmp_path / "dataset"), "--out", str(tmp_path / "out")]
    folders = [tmp_path / "figures" / chapter for chapter in CHAPTERS]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "left_out.json").write_text("{}")
    for stage in (["figures", "--chapter", "cost"], ["tables"], ["report", "--figures", *map(str, folders)]):
        assert main([stage[0], *words, *stage[1:]]) == 2
        said = capsys.readouterr().err
        assert "runs.parquet: not a Parquet file, or damaged" in said and "Traceback" not in said
        assert not list(tmp_path.glob("out*/*"))


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("energy_j", -1.0, "below 0"),
        ("energy_j", float("inf"), "not finite"),
        ("energy_evidence", "guessed", "not measured"),
    ],
)
def test_impossible_values_of_a_dataset_are_refused(
    dataset: Path, tmp_path: Path, column: str, value: Any, why: str
) -> None:
    table = pq.read_table(dataset / "runs.parquet").to_pandas()
    table.loc[3, column] = value
    written = pa.Table.from_pandas(table, arrow_schema("runs"), preserve_index=False)
    pq.write_table(written, tmp_path / "runs.parquet")
    with pytest.raises(InputError, match=rf"runs\.parquet: column {column}, row 3: is .*, {why}"):
        Dataset(tmp_path)["runs"]
    with (
        pytest.raises(InputError, match=f"column {column}"),
        TableWriter.open("runs", tmp_path / "x.parquet") as writer,
    ):
        writer.add_table(written)
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize("size_b", [4_000_000, 0])
def test_a_table_that_takes_far_more_memory_than_its_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_b: int
) -> None:
    monkeypatch.setattr("baler_energy.analysis.checked._SMALL_B", size_b)
    path, column = tmp_path / "a.parquet", pa.array([1.5] * (1 << 20))
    with pq.ParquetWriter(path, pa.schema({"x": pa.float64(), "y": pa.float64()})) as writer:
        for _ in range(20):
            writer.write_table(pa.table({"x": column, "y": column}))
    with pytest.raises(InputError, match=r"a\.parquet: .*more than 200 times as many"):
        read_parquet(path)


def test_a_folder_with_an_equals_sign_is_no_column(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "run=5")
    tables = Dataset(tmp_path / "run=5")
    assert {*tables["samples"].columns} == {*arrow_schema("samples").names}


def test_a_record_by_itself(results: Results) -> None:
    path = results.run() / "compress" / "measurement.json"
    for one in damaged(path, 100):
        ended(lambda: Measurement.read(path), one)
