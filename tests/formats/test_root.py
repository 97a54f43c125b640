"""Columns from ROOT files: trees, ntuples, and branches with a number of objects per event."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st
from read_columns import column, fails, read

from baler_energy.data.ingest import tables_from_file
from baler_energy.formats import Request, open_source, root


def write_root(path: Path, **trees: dict[str, object]) -> Path:
    with uproot.recreate(path) as file:
        for name, branches in trees.items():
            file.mktree(name, branches)
    return path


def test_root_objects_repeat_their_event(fixtures: Path) -> None:
    path = fixtures / "jets.root"
    columns = read(path)
    assert columns.rows == 120
    assert columns.unused is None
    assert columns.names[0] == "nJet"
    with uproot.open(path) as file:
        events = file["Events"].arrays(["Jet_pt", "event"])
    repeated, _ = ak.broadcast_arrays(events["event"], events["Jet_pt"])
    np.testing.assert_array_equal(column(columns, "event"), ak.flatten(repeated))
    np.testing.assert_array_equal(column(columns, "Jet_pt"), ak.flatten(events["Jet_pt"]))


def test_losses_of_writing_a_file_again_are_not_in_a_table(fixtures: Path) -> None:
    request = Request(columns=("Jet_pt", "met"))
    with open_source(fixtures / "jets.root", request) as source:
        assert any("values of met are lost" in warning for warning in source.origin["warnings"])
    table = tables_from_file(str(fixtures / "jets.root"), request, rows=None, seed=0)[0]
    assert not any("lost" in warning for warning in table.origin["warnings"])


def test_rows_of_objects_are_counted_until_there_are_enough(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root, "_COUNTED_ROWS", 10)
    with open_source(fixtures / "jets.root", Request(columns=("Jet_pt",))) as source:
        assert source.count_rows() == source.count_rows(1000) == 120
        assert 10 <= source.count_rows(10) < 60


def test_root_flat_branches_alone_are_a_row_per_event(fixtures: Path) -> None:
    columns = read(fixtures / "jets.root", columns=("met", "event"))
    assert columns.rows == 57
    assert columns.dtypes == ("float32", "int64")


@pytest.mark.parametrize("leading", [1, 2, 3])
def test_root_leading_objects(fixtures: Path, leading: int) -> None:
    columns = read(fixtures / "jets.root", columns=("Jet_pt", "event"), layout="leading", leading=leading)
    with uproot.open(fixtures / "jets.root") as file:
        events = file["Events"].arrays(["Jet_pt", "event"])
    kept = events[ak.num(events["Jet_pt"]) >= leading]
    assert columns.names == (*(f"Jet_pt_{place}" for place in range(leading)), "event")
    for place in range(leading):
        np.testing.assert_array_equal(columns.arrays[place], kept["Jet_pt"][:, place])
    np.testing.assert_array_equal(columns.arrays[-1], kept["event"])
    assert columns.entries is not None
    np.testing.assert_array_equal(columns.entries + 1000, kept["event"])
    assert f"{57 - len(kept)} of 57 events" in columns.warnings[0]
    assert columns.unused is not None


def test_root_leading_needs_jagged_branches(fixtures: Path) -> None:
    assert "jagged" in fails(fixtures / "jets.root", columns=("met",), layout="leading", leading=1)


def test_root_trees(tmp_path: Path) -> None:
    two = write_root(tmp_path / "two.root", Events={"x": np.arange(3.0)}, **{"dir/Lumi": {"y": np.arange(2)}})
    message = fails(two)
    assert all(word in message for word in ("Events", "dir/Lumi", "--tree"))
    assert read(two, tree="dir/Lumi").names == ("y",)
    assert "Events" in fails(two, tree="Event")
    with uproot.recreate(tmp_path / "none.root") as file:
        file["histogram"] = np.histogram(np.arange(3.0))
    assert "no TTree" in fails(tmp_path / "none.root")


def test_root_branches_that_do_not_fit(tmp_path: Path) -> None:
    path = write_root(
        tmp_path / "a.root",
        Events={
            "Jet": ak.zip({"pt": ak.Array([[1.0, 2.0], [], [3.0]])}),
            "Muon": ak.zip({"pt": ak.Array([[1.0], [2.0], [3.0]])}),
            "fixed": np.ones((3, 2)),
            "met": np.arange(3.0),
        },
    )
    message = fails(path)
    assert all(word in message for word in ("nJet", "nMuon", "Jet_pt", "Muon_pt", "--columns"))
    assert "event 0 has 2 and 1" in fails(path, columns=("Jet_pt", "Muon_pt"))
    assert "fixed" in fails(path, columns=("fixed", "met"))
    assert read(path, columns=("Muon_pt", "met")).rows == 3


def test_root_leaves_out_branches_that_are_not_numeric(tmp_path: Path) -> None:
    path = write_root(tmp_path / "a.root", Events={"fixed": np.ones((3, 2)), "met": np.arange(3.0)})
    columns = read(path)
    assert columns.names == ("met",)
    assert "fixed" in columns.warnings[0]
    assert columns.unused is not None


def test_root_text(tmp_path: Path) -> None:
    path = write_root(tmp_path / "a.root", Events={"name": ak.Array(["a", "bc", "d"]), "met": np.arange(3.0)})
    assert "name" in fails(path, columns=("name", "met"))


def test_rntuple(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("Events", {"pt": ak.Array([[1.0, 2.0], [], [3.0]]), "run": np.array([7, 8, 9])})
    columns = read(tmp_path / "a.root")
    assert columns.names == ("pt", "run")
    assert columns.arrays[0].tolist() == [1.0, 2.0, 3.0]
    assert columns.arrays[1].tolist() == [7, 7, 9]


@given(
    events=st.lists(st.lists(st.floats(-1e6, 1e6, width=32), max_size=4), min_size=1, max_size=12).filter(
        lambda events: any(events)
    )
)
@settings(max_examples=25)
def test_objects_regroup_into_their_events(tmp_path_factory: pytest.TempPathFactory, events: list[list[float]]) -> None:
    numbers = np.arange(len(events)) * 10
    jets = ak.values_astype(ak.Array(events), np.float32)
    path = write_root(
        tmp_path_factory.mktemp("regroup") / "a.root", Events={"Jet": ak.zip({"x": jets}), "event": numbers}
    )
    columns = read(path, columns=("Jet_x", "event"))
    regrouped = [column(columns, "Jet_x")[column(columns, "event") == number].tolist() for number in numbers]
    assert regrouped == jets.to_list()
