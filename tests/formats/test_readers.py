"""Columns from ROOT, Parquet, HDF5 and npz files."""

import importlib.util
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.data.ingest import table_from_file
from baler_energy.data.table import Table
from baler_energy.errors import InputError, UnavailableError
from baler_energy.formats import Request, format_of, open_sink, open_source

SUFFIXES = ("root", "parquet", "h5", "npz")
PLAIN = ("pt", "eta", "phi", "mass", "charged_multiplicity", "neutral_multiplicity")


@dataclass(frozen=True)
class Columns:
    names: tuple[str, ...]
    arrays: tuple[np.ndarray, ...]
    dtypes: tuple[str, ...]
    unused: str | None
    warnings: tuple[str, ...]
    entries: np.ndarray | None

    @property
    def rows(self) -> int:
        return len(self.arrays[0])


def read(path: Path | str, **request: object) -> Columns:
    with open_source(path, Request(**request)) as source:  # type: ignore[arg-type]
        blocks = list(source.blocks(10_000))
        data = np.concatenate([np.empty((0, len(source.names))), *(block.data for block in blocks)])
        assert source.rows in (None, len(data))
        entries = [block.entries for block in blocks if block.entries is not None]
        return Columns(
            source.names,
            tuple(data.T),
            source.dtypes,
            source.unused,
            source.warnings,
            np.concatenate(entries) if entries else None,
        )


def column(columns: Columns, name: str) -> np.ndarray:
    return columns.arrays[columns.names.index(name)]


def fails(path: Path | str, **request: object) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **request)
    assert str(path) in str(caught.value)
    return str(caught.value)


# The formats


def test_the_formats_hold_the_same_jets(fixtures: Path) -> None:
    plain = {suffix: read(fixtures / f"jets.{suffix}") for suffix in ("parquet", "h5", "npz")}
    root = read(fixtures / "jets.root", columns=tuple(f"Jet_{name}" for name in PLAIN))
    for columns in plain.values():
        assert columns.names == PLAIN
        assert columns.unused is None
        for name in PLAIN:
            np.testing.assert_array_equal(column(columns, name), column(plain["parquet"], name))
            np.testing.assert_array_equal(column(columns, name), column(root, f"Jet_{name}"))
    assert root.dtypes == plain["parquet"].dtypes == ("float32",) * 4 + ("int32",) * 2
    assert plain["h5"].dtypes == ("float32",) * 4 + ("int32",) * 2
    assert plain["npz"].dtypes == ("float64",) * 4 + ("int64",) * 2


def test_the_fixtures_are_what_the_script_writes(fixtures: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_fixtures", fixtures.parent / "make_fixtures.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path)
    for suffix in SUFFIXES:
        assert (fixtures / f"jets.{suffix}").stat().st_size < 60_000
        old, new = read(fixtures / f"jets.{suffix}"), read(tmp_path / f"jets.{suffix}")
        assert (old.names, old.dtypes) == (new.names, new.dtypes)
        for one, other in zip(old.arrays, new.arrays, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("suffix", ["parquet", "h5", "npz"])
def test_columns_come_in_the_requested_order(fixtures: Path, suffix: str) -> None:
    columns = read(fixtures / f"jets.{suffix}", columns=("phi", "pt"))
    assert columns.names == ("phi", "pt")
    assert columns.unused is not None
    np.testing.assert_array_equal(columns.arrays[1], column(read(fixtures / f"jets.{suffix}"), "pt"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pattern_selects_all_matches(fixtures: Path, suffix: str) -> None:
    names = read(fixtures / f"jets.{suffix}", columns=("*_multiplicity",)).names
    assert [name.removeprefix("Jet_") for name in names] == ["charged_multiplicity", "neutral_multiplicity"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_column_lists_near_misses_first(fixtures: Path, suffix: str) -> None:
    message = fails(fixtures / f"jets.{suffix}", columns=("charged_multiplicty",))
    assert "'charged_multiplicty'" in message
    listed = message.partition("It has: ")[2].split(", ")
    assert listed[0].endswith("charged_multiplicity")
    assert any(name.endswith("phi") for name in listed)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pattern_without_match_is_a_missing_column(fixtures: Path, suffix: str) -> None:
    assert "'Tau_*'" in fails(fixtures / f"jets.{suffix}", columns=("Tau_*",))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_column_requested_twice(fixtures: Path, suffix: str) -> None:
    name = "Jet_pt" if suffix == "root" else "pt"
    assert "more than once" in fails(fixtures / f"jets.{suffix}", columns=(name, name))


def cut(whole: bytes) -> bytes:
    return whole[: len(whole) * 3 // 5]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", [cut, lambda _: b"", lambda _: b"pt,eta\n1.0,2.0\n" * 50, lambda b: b[:7]])
def test_a_damaged_or_foreign_file(
    fixtures: Path, tmp_path: Path, suffix: str, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"bad.{suffix}"
    path.write_bytes(damage((fixtures / f"jets.{suffix}").read_bytes()))
    fails(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_file_and_a_folder(tmp_path: Path, suffix: str) -> None:
    assert "no such file" in fails(tmp_path / f"none.{suffix}")
    (tmp_path / f"folder.{suffix}").mkdir()
    assert "is not a file" in fails(tmp_path / f"folder.{suffix}")


def test_the_suffix_selects_the_format() -> None:
    assert format_of("https://x.org/a.root?download=1") == "root"
    assert format_of("A.HDF5") == "hdf5"
    with pytest.raises(InputError, match=r"a\.csv.*--format"):
        format_of("a.csv")


@pytest.mark.parametrize("suffix", ["parquet", "h5", "npz"])
def test_leading_is_for_root(fixtures: Path, suffix: str) -> None:
    assert "jagged" in fails(fixtures / f"jets.{suffix}", layout="leading", leading=2)


# npz


def test_npz_never_unpickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", data=np.ones((2, 1)), names=np.array(["x"], dtype=object))
    assert "Python objects" in fails(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps({"data": 1}))
    fails(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"data": np.ones((2, 1))}, "names"),
        ({"data": np.ones((2, 1)), "names": np.array(["a", "b"])}, "shape"),
        ({"data": np.ones(2), "names": np.array(["a", "b"])}, "shape"),
        ({"data": np.array([["1", "x"]]), "names": np.array(["a", "b"])}, "text"),
        ({"data": np.ones((2, 2)), "names": np.array(["a", "a"])}, "more than once"),
        ({"data": np.ones((2, 0)), "names": np.array([], dtype=str)}, "no columns"),
    ],
)
def test_npz_arrays_must_match(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    assert message in fails(tmp_path / "a.npz")


def test_npz_integral_floats_are_integers_within_the_mantissa(tmp_path: Path) -> None:
    data = np.array([[1.0, 1.5, 0.0, 1e300, 2.0**53 - 1], [2.0, 2.0, -3.0, 1e301, 7.0]])
    np.savez(tmp_path / "a.npz", data=data, names=np.array(list("abcde")))
    assert read(tmp_path / "a.npz").dtypes == ("int64", "float64", "int64", "float64", "int64")


# Parquet


def test_parquet_text_and_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1.0, None, 3.0], "name": ["a", "b", "c"], "ok": [True, False, True]}), path)
    assert "'x' has no value at row 1" in fails(path, columns=("x",))
    assert "name" in fails(path)
    assert "text" in fails(path)
    assert read(path, columns=("ok",)).dtypes == ("bool",)


# HDF5


def test_hdf5_layouts(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    compound = np.zeros(4, dtype=[("pt", "f4"), ("n", "i2"), ("label", "S3")])
    compound["pt"] = [1, 2, 3, 4]
    with h5py.File(path, "w") as file:
        file["jets"] = compound
        file["group/pt"] = np.arange(3, dtype=np.float32)
        file["group/n"] = np.arange(3, dtype=np.int16)
        file["other/odd"] = np.arange(2.0)
        file["other/even"] = np.arange(3.0)
        file["bare"] = np.ones((2, 2))
    several = fails(path)
    assert "--tree" in several
    assert all(name in several for name in ("/jets", "/group", "/other", "/bare"))
    assert "label" in fails(path, tree="jets")
    columns = read(path, tree="jets", columns=("n", "pt"))
    assert columns.dtypes == ("int16", "float32")
    assert columns.arrays[1].tolist() == [1, 2, 3, 4]
    assert read(path, tree="/group").dtypes == ("int16", "float32")
    assert "differ in length" in fails(path, tree="other")
    assert "names" in fails(path, tree="bare")
    assert "/jets" in fails(path, tree="jet")


def test_hdf5_without_a_table(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["scalar"] = 3.0
    assert "no table" in fails(tmp_path / "a.h5")


# ROOT


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
    table = table_from_file(str(fixtures / "jets.root"), request, rows=None, seed=0)
    assert not any("lost" in warning for warning in table.origin["warnings"])


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


# URLs


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("root://eos.example.org//a.root", "pip install 'baler-energy[xrootd]'"),
        ("https://example.org/a.root", "pip install aiohttp"),
    ],
)
def test_a_protocol_without_its_package(monkeypatch: pytest.MonkeyPatch, url: str, command: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError) as caught:
        read(url)
    assert url in str(caught.value)
    assert command in str(caught.value)


def test_urls_that_cannot_be_read() -> None:
    assert "local path" in fails("https://example.org/a.parquet")
    assert "s3" in fails("s3://bucket/a.root")


@pytest.mark.parametrize("error", [FileNotFoundError("https://x"), ConnectionResetError(104, "Connection reset")])
def test_a_url_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(uproot, "open", unreachable)
    assert "cannot be read" in fails("https://example.org/a.root")


# Real files


def test_dimuons_are_equal_in_three_formats(shared: Callable[[str], Path]) -> None:
    plain = [read(shared(f"data/cms_dimuon2012_20000.{suffix}")) for suffix in ("parquet", "h5", "npz")]
    for columns in plain:
        assert columns.names == plain[0].names
        assert columns.rows == 20000
        for one, other in zip(columns.arrays, plain[0].arrays, strict=True):
            np.testing.assert_array_equal(one, other)
        assert [np.dtype(name).kind for name in columns.dtypes] == [np.dtype(name).kind for name in plain[0].dtypes]


def test_muons(shared: Callable[[str], Path]) -> None:
    path = shared("data/cms_DoubleMuParked2012_100k_muons.root")
    objects = read(path)
    assert objects.rows == 235286
    assert objects.unused is None
    assert objects.dtypes == ("uint32", *("float32",) * 4, "int32")
    pairs = read(path, columns=("nMuon", "Muon_pt"), layout="leading", leading=2)
    assert pairs.rows == int((column(pairs, "nMuon") >= 2).sum()) == 83343
    assert pairs.warnings == ("16657 of 100000 events have fewer than 2 objects and were left out",)


def test_nanoaod_jets(shared: Callable[[str], Path]) -> None:
    path = shared("data/cms_OpenData2015_nanoAOD_ttbar_200ev.root")
    jets = read(path, columns=("Jet_*", "event"))
    assert (jets.rows, len(jets.names)) == (537, 41)
    assert "nJet (40 branches" in fails(path)


def test_lhcb(shared: Callable[[str], Path]) -> None:
    columns = read(shared("data/lhcb_B2HHH_4322x26.npz"))
    assert (columns.rows, len(columns.names)) == (4322, 26)
    assert columns.dtypes[columns.names.index("H1_Charge")] == "int64"
    assert columns.dtypes[columns.names.index("H1_PX")] == "float64"


def test_parts_with_the_same_name_get_the_name_of_their_object(shared: Callable[[str], Path], tmp_path: Path) -> None:
    path = shared("faults/uproot-issue-513.root")
    names = ("crvsummary/_nHitCounters", "crvsummarymc/_nHitCounters", "_ndigi")
    columns = read(path, tree="TrkAnaNeg/trkana", columns=names)
    with uproot.open(path) as file:
        tree = file["TrkAnaNeg/trkana"]
        assert columns.names == names
        for name in names[:2]:
            np.testing.assert_array_equal(column(columns, name), tree[name].array(library="np"))
    assert not np.array_equal(*columns.arrays[:2]), "two branches, not one twice"
    assert "'_nHitCounters'" in fails(path, tree="TrkAnaNeg/trkana", columns=("_nHitCounters",))
    with (
        open_source(path, Request(tree="TrkAnaNeg/trkana", columns=names)) as source,
        open_sink(tmp_path / "again.root", source.names, source.dtypes, source.layout, source.origin) as sink,
    ):
        for block in source.blocks(30):
            sink.write(block)
    again = read(tmp_path / "again.root")
    for one, other in zip(columns.arrays, again.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_table_that_was_prepared_keeps_its_types(tmp_path: Path) -> None:
    table = Table(np.array([[1.0, 2.0], [3.0, 4.5]]), ("n", "x"), ("int8", "float32"), {"source": "toy"})
    table.write(tmp_path / "t.npz")
    columns = read(tmp_path / "t.npz")
    assert (columns.dtypes, columns.unused) == (("int8", "float32"), None)
    origin = table_from_file(str(tmp_path / "t.npz"), Request(), rows=None, seed=0).origin
    assert (origin["source"], origin["file"], origin["source_bytes"]) == (
        "file",
        "t.npz",
        (tmp_path / "t.npz").stat().st_size,
    )
