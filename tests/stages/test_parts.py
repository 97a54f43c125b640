"""Stage parts: loops that add up to the whole, peaks and latencies."""

import time
from types import SimpleNamespace

import pandas as pd
import pytest

from baler_energy.errors import InputError
from baler_energy.meters.options import make_meters
from baler_energy.records import Reading
from baler_energy.stages import parts as stage_parts
from baler_energy.variants import OPTIMIZERS, load
from baler_energy.vocabulary import MeterName, Quantity

OPERATIONS = ("train", "compress", "decompress")
SMALL = {"_SIDE": {"cpu": 64}, "_COPIED_BYTES": {"cpu": 2**16}, "_TIMED_BATCHES": 20}


@pytest.fixture(scope="module")
def found(stage, pipeline, tmp_path_factory):
    out = tmp_path_factory.mktemp("parts")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setattr(stage_parts, name, value)
        stage("parts", "--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", out, "--run-id", "p/1")
    return {path.name: pd.read_parquet(path / "hotspots.parquet") for path in sorted(out.iterdir())}


def test_each_operation_closes_against_its_whole(found):
    for operation in OPERATIONS:
        rows = found[operation]
        parts = rows[rows["kind"].isin(["data", "layer", "optimizer", "overhead"])]
        (whole,) = rows[rows["kind"] == "whole"].to_dict("records")
        assert parts["self_time_s"].sum() == pytest.approx(whole["self_time_s"])
        assert parts["self_share"].sum() == pytest.approx(1.0)
        assert (rows["operation"] == operation).all() and (rows["profiler"] == "parts").all()
        assert (rows["run_id"] == "p/1").all() and (rows["rows"] == 300).all()
        assert whole["flops"] == parts.loc[parts["kind"] == "layer", "flops"].sum() > 0


def test_operators_are_within_their_part(found):
    for operation in OPERATIONS:
        rows = found[operation]
        layers = rows[rows["kind"] == "layer"]
        for layer in layers.to_dict("records"):
            inside = rows[(rows["kind"] == "operator") & rows["stack"].str.startswith(f"{layer['stack']};", na=False)]
            # Operators with less than 2 % of a part are left out.
            assert 0.7 * layer["self_share"] <= inside["self_share"].sum() <= 1.0001 * layer["self_share"]
        assert "aten::addmm" in set(rows["name"])


def test_whole_batches_only_and_their_work(found):
    # 300 rows are four whole batches of 64.
    train = found["train"].set_index("name")
    assert train.loc["en2 forward", "calls"] == 4 and train.loc["en2 forward", "flops"] == 2 * 256 * 200 * 100


def test_reading_peaks_and_latencies(found):
    (reading,) = found["prepare"].to_dict("records")
    assert reading["name"] == "reading the table" and reading["bytes"] == 300 * 24 * 8 and reading["self_time_s"] > 0
    peaks = found["machine"].set_index("name")
    assert peaks.loc["matrix product", "flops"] == 2 * 64**3 and peaks.loc["memory copy", "bytes"] == 2 * 2**16
    assert (peaks["kind"] == "peak").all()
    for operation in OPERATIONS:
        latency = found[operation].query("kind == 'latency'").set_index("name")["self_time_s"]
        assert 0 < latency["p50"] <= latency["p99"]


def test_without_an_energy_meter_energy_is_missing(found):
    rows = pd.concat(found.values())
    assert rows["energy_j"].isna().all() and not (rows["kind"] == "static").any()
    assert "modelled_only" not in set(rows["flags"].dropna()), "which is nothing wrong"


def test_a_table_smaller_than_a_batch_is_one_batch(stage, pipeline, tmp_path, monkeypatch):
    for name, value in SMALL.items():
        monkeypatch.setattr(stage_parts, name, value)
    files = ("--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", tmp_path)
    stage("parts", *files, "--batch-size", 1000)
    rows = pd.read_parquet(tmp_path / "compress" / "hotspots.parquet").set_index("name")
    assert rows.loc["en2 forward", "calls"] == 1 and rows.loc["en2 forward", "flops"] == 2 * 300 * 200 * 100


def test_a_checkpoint_that_contradicts_the_point_is_refused(stage, pipeline, tmp_path):
    files = ("--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", tmp_path / "out")
    with pytest.raises(InputError, match="--precision float64"):
        stage("parts", *files, "--precision", "float32")
    assert not (tmp_path / "out").exists()


def test_training_has_the_points_optimizer_rate_and_start(stage, pipeline, tmp_path, monkeypatch):
    for name, value in SMALL.items():
        monkeypatch.setattr(stage_parts, name, value)
    made = []

    def watched(parameters, learning_rate, **more):
        made.append(learning_rate)
        return soap(parameters, learning_rate, **more)

    soap = load(OPTIMIZERS["soap"]).make
    monkeypatch.setattr(load(OPTIMIZERS["soap"]), "make", watched)
    files = ("--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", tmp_path)
    stage("parts", *files, "--optimizer", "soap", "--learning-rate", 0.02, "--start", "pca")
    train = pd.read_parquet(tmp_path / "train" / "hotspots.parquet")
    (step,) = train[train["kind"] == "optimizer"].to_dict("records")
    assert step["name"] == "SOAP step" and step["self_time_s"] > 0 and pd.isna(step["bytes"])
    assert "start pca" in set(train.loc[train["kind"] == "data", "name"])
    assert len(made) > 2 and set(made) == {0.02}, "of the whole, the part and the single batch"


def test_a_pruned_point_has_the_reason_instead_of_parts(stage, pipeline, tmp_path, capsys):
    files = ("--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", tmp_path)
    stage("parts", *files, "--pruning", "neurons-0.5")
    said = capsys.readouterr()
    assert said.err.count("layers cannot be measured with pruning 'neurons-0.5'") == 1
    assert said.out.startswith(f"{tmp_path}: 5 rows, for train, compress, decompress, ")
    for operation in OPERATIONS:
        (row,) = pd.read_parquet(tmp_path / operation / "hotspots.parquet").to_dict("records")
        assert row["kind"] == "absent" and "pruning 'neurons-0.5'" in row["reason"]


class _Counter:
    """A meter that reads 10 W over exactly the time that the session takes for a window."""

    def __init__(self) -> None:
        (self._inner,) = make_meters([MeterName.PROCESS])
        self.name = MeterName.RAPL
        self._times_s: list[float] = []

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def monotonic(self) -> float:
        """Stand in for the session's clock."""
        self._times_s.append(time.monotonic())
        return self._times_s[-1]

    def begin(self) -> None:
        self._times_s.clear()

    def end(self) -> None:
        self._energy_j = 10.0 * (self._times_s[-1] - self._times_s[0])

    def readings(self):
        return [Reading.of(MeterName.RAPL, "cpu", Quantity.ENERGY, self._energy_j)]


def test_measured_energy_closes_too_and_has_a_static_part(pipeline, tmp_path, monkeypatch):
    from baler_energy.meters.settings import SessionSettings
    from baler_energy.stages.measured import Measuring
    from baler_energy.stages.options import PointOptions

    for name, value in SMALL.items():
        monkeypatch.setattr(stage_parts, name, value)
    point = PointOptions(device="cpu", batch_size=64, epochs=2, threads=1)
    settings = SessionSettings(min_window_s=0.02, idle_s=0.1, sample_interval_s=0.02)
    counter = _Counter()
    clock = SimpleNamespace(**{**vars(time), "monotonic": counter.monotonic})
    monkeypatch.setattr("baler_energy.meters.session.time", clock)
    measuring = Measuring(settings, (counter,))
    stage_parts.parts(pipeline.table, pipeline.checkpoint, 4, point, tmp_path, measuring)
    for operation in OPERATIONS:
        rows = pd.read_parquet(tmp_path / operation / "hotspots.parquet")
        (whole,) = rows[rows["kind"] == "whole"].to_dict("records")
        (static,) = rows[rows["kind"] == "static"].to_dict("records")
        parts = rows[rows["kind"].isin(["data", "layer", "optimizer", "overhead"])]
        assert parts["energy_j"].sum() == pytest.approx(whole["energy_j"])
        assert (parts["energy_evidence"] == "measured").all()
        # The meter reads the same power idle and busy, so all of the energy is static.
        assert static["energy_j"] == pytest.approx(whole["energy_j"])
