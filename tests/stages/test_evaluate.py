"""Stage evaluate."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from baler_energy.data.table import Table
from baler_energy.errors import InputError


def _options(pipeline, out, **changed):
    files = {name: getattr(pipeline, name) for name in ("reconstructed", "compressed", "checkpoint")}
    files |= {"original": pipeline.table, **changed}
    return [word for name, path in files.items() for word in (f"--{name}", path)] + ["--out", out]


def test_errors_ratios_and_histograms_are_written(stage, pipeline, tmp_path):
    stage("evaluate", *_options(pipeline, tmp_path))
    summary = json.loads((tmp_path / "summary.json").read_text())
    before, after = Table.read(pipeline.table), Table.read(pipeline.reconstructed)
    spread = np.ptp(before.data, axis=0)
    by_hand = np.sqrt(((after.data - before.data) ** 2).mean(axis=0))[spread > 0] / spread[spread > 0]
    assert summary["mean_rms_over_range"] == pytest.approx(by_hand.mean(), rel=1e-12)
    compressed, model = pipeline.compressed.stat().st_size, pipeline.checkpoint.stat().st_size
    assert summary["ratio_float64_bytes"] == 300 * 24 * 8 / compressed
    assert summary["ratio_native_bytes_with_model"] == 300 * 24 * 4 / (compressed + model)
    assert summary["ratio_source_bytes"] is None and summary["ratio_source_bytes_with_model"] is None
    errors = pd.read_parquet(tmp_path / "errors.parquet")
    assert errors["column"].tolist() == [*before.names, "all"]
    histograms = pd.read_parquet(tmp_path / "histograms.parquet")
    assert set(histograms["column"]) == set(before.names)
    assert (tmp_path / "histograms.parquet").stat().st_size < 200_000


def test_twelve_float64_latents_for_24_float32_columns_save_nothing(stage, pipeline, tmp_path):
    stage("evaluate", *_options(pipeline, tmp_path))
    assert json.loads((tmp_path / "summary.json").read_text())["ratio_native_bytes"] < 1


def test_a_known_source_size_has_a_ratio(stage, pipeline, tmp_path):
    table = Table.read(pipeline.table)
    known = tmp_path / "known.npz"
    replace(table, origin={**table.origin, "source_bytes": 10_000}).write(known)
    stage("evaluate", *_options(pipeline, tmp_path, original=known))
    ratio = json.loads((tmp_path / "summary.json").read_text())["ratio_source_bytes"]
    assert ratio == 10_000 / pipeline.compressed.stat().st_size


def test_an_unknown_source_size_keeps_its_reason(stage, pipeline, tmp_path):
    table = Table.read(pipeline.table)
    unknown = tmp_path / "unknown.npz"
    origin = {**table.origin, "source_bytes": None, "source_bytes_reason": "it is remote"}
    replace(table, origin=origin).write(unknown)
    stage("evaluate", *_options(pipeline, tmp_path, original=unknown))
    assert json.loads((tmp_path / "summary.json").read_text())["source_bytes_reason"] == "it is remote"
    replace(table, origin={**origin, "source_bytes_reason": 3}).write(unknown)
    with pytest.raises(InputError, match="source_bytes_reason 3"):
        Table.read(unknown)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: replace(t, data=t.data[:-1]), "not the same table"),
        (lambda t: replace(t, names=t.names[::-1]), "names"),
        (lambda t: replace(t, dtypes=("float64", *t.dtypes[1:])), "types"),
    ],
)
def test_another_table_is_refused(stage, pipeline, tmp_path, change, named):
    change(Table.read(pipeline.reconstructed)).write(tmp_path / "other.npz")
    with pytest.raises(InputError, match=named):
        stage("evaluate", *_options(pipeline, tmp_path / "out", reconstructed=tmp_path / "other.npz"))
    assert not (tmp_path / "out").exists()


def test_missing_and_empty_files_are_refused(stage, pipeline, tmp_path):
    with pytest.raises(InputError, match=r"absent\.baler: cannot be read"):
        stage("evaluate", *_options(pipeline, tmp_path, compressed=tmp_path / "absent.baler"))
    (tmp_path / "empty.pt").touch()
    with pytest.raises(InputError, match=r"empty\.pt: is empty"):
        stage("evaluate", *_options(pipeline, tmp_path, checkpoint=tmp_path / "empty.pt"))


def test_what_cannot_be_written_is_refused_before_the_work(stage, pipeline, tmp_path, monkeypatch):
    (tmp_path / "summary.json").mkdir()
    monkeypatch.setattr(Table, "read", lambda *_: pytest.fail("it was read"))
    with pytest.raises(InputError, match=r"summary\.json: is a folder"):
        stage("evaluate", *_options(pipeline, tmp_path))
