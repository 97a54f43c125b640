"""Stage derive."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from baler_energy.data.table import Table
from baler_energy.errors import InputError

DERIVED = {
    "pair": {
        "invariant_mass": [["pt", "eta", "phi", "mass"], ["photon_energy", "eta", "phi", 0]],
        "windows": {"low": [0, 50]},
    },
    "fraction": {"ratio": ["photon_energy", "pt"]},
}


def options(pipeline, out, derived=DERIVED, **changed):
    files = {"original": pipeline.table, "reconstructed": pipeline.reconstructed, **changed}
    return [
        *(word for name, path in files.items() for word in (f"--{name}", path)),
        "--derived",
        json.dumps(derived),
        "--out",
        out,
    ]


def test_a_row_is_written_for_each_quantity_and_window(stage, pipeline, tmp_path):
    stage("derive", *options(pipeline, tmp_path))
    rows = pd.read_parquet(tmp_path / "derived.parquet")
    assert [tuple(one) for one in rows[["quantity", "window"]].fillna("-").to_numpy()] == [
        ("pair", "-"),
        ("pair", "low"),
        ("fraction", "-"),
    ]
    assert rows["unit"].fillna("-").tolist() == ["GeV", "GeV", "-"]
    bins = pd.read_parquet(tmp_path / "derived_histograms.parquet")
    assert set(bins["quantity"]) == set(DERIVED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["derived.parquet", "derived_histograms.parquet"]


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        ({"m": {"ratio": ["pt", "ETA"]}}, r"derived\.m: .*table\.npz has no column 'ETA'\. It has: pt, eta, "),
        ({"m": {}}, "derived: m: set exactly one of invariant_mass, ratio, sum, not none of them"),
        ({"m": {"sum": ["pt"]}}, "derived: m: sum: "),
        ({}, "derived: "),
    ],
)
def test_a_declaration_that_is_wrong_is_refused(stage, pipeline, tmp_path, derived, message):
    with pytest.raises(InputError, match=message):
        stage("derive", *options(pipeline, tmp_path / "out", derived))
    assert not (tmp_path / "out").exists()


def test_text_that_is_no_json_is_refused(stage, pipeline, tmp_path):
    with pytest.raises(InputError, match="derived: "):
        stage("derive", *options(pipeline, tmp_path)[:-3], "m: {", "--out", tmp_path)


def test_another_table_is_refused(stage, pipeline, tmp_path):
    table = Table.read(pipeline.reconstructed)
    replace(table, data=table.data[:-1]).write(tmp_path / "other.npz")
    with pytest.raises(InputError, match="different tables"):
        stage("derive", *options(pipeline, tmp_path / "out", reconstructed=tmp_path / "other.npz"))


def test_what_cannot_be_written_is_refused_before_the_work(stage, pipeline, tmp_path, monkeypatch):
    (tmp_path / "derived.parquet").mkdir()
    monkeypatch.setattr(Table, "read", lambda *_: pytest.fail("it was read"))
    with pytest.raises(InputError, match=r"derived\.parquet: is a folder"):
        stage("derive", *options(pipeline, tmp_path))
