"""Jagged files of ROOT in blocks: objects stay in their events."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from block_files import DTYPES, NAMES, copied, joined, layout_root, numbers, write
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.errors import InputError
from baler_energy.formats import Block, Request, open_sink, open_source
from baler_energy.formats.root import event_spans


def jagged(path: Path, ntuple: bool = False) -> ak.Array:
    events = ak.Array([[1.5, 2.5], [], [3.5], [], [4.5, 5.5, 6.5], []])
    branches = {"pt": ak.values_astype(events, np.float32), "q": ak.values_astype(events, np.int8)}
    flat = {"run": np.arange(6, dtype=np.int64), "met": np.arange(6.0), "bx": np.arange(6, dtype=np.uint16)}
    with uproot.recreate(path) as file:
        if ntuple:
            file.mkrntuple("Events", branches | flat)
        else:
            jets = {f"Jet_{name}": values for name, values in branches.items()}
            file.mktree("Events", jets | flat, counter_name=lambda _: "nJet")
    return events


@pytest.mark.parametrize("ntuple", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_objects_come_back_in_their_events(tmp_path: Path, ntuple: bool, rows: int) -> None:
    events = jagged(tmp_path / "a.root", ntuple)
    copied(tmp_path / "a.root", tmp_path / "b.root", rows)
    with open_source(tmp_path / "a.root") as one, open_source(tmp_path / "b.root") as other:
        assert (one.names, one.dtypes, one.layout) == (other.names, other.dtypes, other.layout)
        assert one.rows is None
        assert all(name in one.origin["warnings"][0] for name in ("run", "met", "bx"))
        (first, counts), (second, again) = joined(one, rows), joined(other, 2)
        assert max(len(block.data) for block in one.blocks(rows)) <= max(rows, 3)
    assert counts is not None and counts.dtype == np.int32
    assert counts.tolist() == again.tolist() == ak.num(events).to_list()  # type: ignore[union-attr]
    np.testing.assert_array_equal(first, second)
    with uproot.open(tmp_path / "b.root") as file:
        tree = file["Events"]
        name = "pt" if ntuple else "Jet_pt"
        assert tree[name].array().to_list() == events.to_list()
        assert ntuple or (tree[name].count_branch.name, tree["nJet"].array().to_list()) == ("nJet", counts.tolist())
        # Missing is never zero.
        lowest = np.iinfo(np.int64).min
        assert tree["run"].array().to_list() == [0, lowest, 2, lowest, 4, lowest]
        assert np.isnan(tree["met"].array()).tolist() == [False, True] * 3
        assert tree["bx"].array().to_list() == [0, 65535, 2, 65535, 4, 65535]


def test_a_tree_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.root", numbers(9), layout_root("TTree") | {"tree": "dir/Events"}, 4)
    copied(tmp_path / "a.root", tmp_path / "b.root", 5, Request(tree="dir/Events;1"))
    with open_source(tmp_path / "b.root", Request(tree="dir/Events")) as source:
        np.testing.assert_array_equal(joined(source, 5)[0], numbers(9))


def test_jagged_branches_without_a_counter_get_one(tmp_path: Path) -> None:
    jagged(tmp_path / "a.root", ntuple=True)
    with open_source(tmp_path / "a.root", Request(columns=("pt", "q"))) as source:
        layout = {**source.layout, "kind": "TTree"}
        with open_sink(tmp_path / "b.root", source.names, source.dtypes, layout, {}) as sink:
            for block in source.blocks(2):
                sink.write(block)
    with open_source(tmp_path / "b.root") as source:
        assert source.names == ("npt", "pt", "q")
        assert joined(source, 9)[0][:, 1].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]


def test_leading_objects_come_out_flat(tmp_path: Path) -> None:
    jagged(tmp_path / "a.root")
    request = Request(columns=("Jet_pt", "run"), layout="leading", leading=2)
    copied(tmp_path / "a.root", tmp_path / "b.root", 1, request)
    with open_source(tmp_path / "b.root") as source:
        assert source.names == ("Jet_pt_0", "Jet_pt_1", "run")
        assert source.dtypes == ("float32", "float32", "int64")
        data, counts = joined(source, 10)
    assert counts is None
    assert data.tolist() == [[1.5, 2.5, 0.0], [4.5, 5.5, 4.0]]


def test_branches_that_count_differently_are_found_in_any_step(tmp_path: Path) -> None:
    one, other = ak.Array([[1.0]] * 8), ak.Array([[1.0]] * 7 + [[1.0, 2.0]])
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("Events", {"Jet": ak.zip({"pt": one}), "Muon": ak.zip({"pt": other})})
    with (
        open_source(tmp_path / "a.root", Request(columns=("Jet_pt", "Muon_pt"))) as source,
        pytest.raises(InputError, match="event 7 has 1 and 2"),
    ):
        joined(source, 3)


def test_counts_and_jagged_branches_go_together(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="go together"),
        open_sink(tmp_path / "a.root", NAMES, DTYPES, layout_root("TTree", ["pt"], "nJet"), {}) as sink,
    ):
        sink.write(Block(numbers(3)))
    assert list(tmp_path.iterdir()) == []


@given(counts=st.lists(st.integers(0, 9), max_size=30), rows=st.integers(1, 12))
def test_events_are_cut_into_pieces(counts: list[int], rows: int) -> None:
    spans = list(event_spans(np.array(counts, dtype=np.int64), rows))
    assert [event for start, stop in spans for event in range(start, stop)] == list(range(len(counts)))
    for start, stop in spans:
        assert stop - start == 1 or sum(counts[start:stop]) <= rows
        assert stop == len(counts) or sum(counts[start : stop + 1]) > rows
