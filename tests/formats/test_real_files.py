"""Real HEP files, compared between formats and with other readers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pytest
import uproot
from block_files import copied, joined
from read_columns import column, fails, read

from baler_energy.data.ingest import tables_from_file
from baler_energy.formats import Request, open_sink, open_source

# Columns


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


# Blocks


REAL = pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("cms_dimuon2012_20000.npz", None),
        ("cms_dimuon2012_20000.parquet", None),
        ("cms_dimuon2012_20000.h5", None),
        ("lhcb_B2HHH_4322x26.npz", None),
        ("cms_DoubleMuParked2012_100k_muons.root", None),
        ("cms_OpenData2015_nanoAOD_ttbar_200ev.root", ("Jet_*", "event")),
    ],
)


@REAL
def test_real_files_match_other_readers(
    shared: Callable[[str], Path], name: str, columns: tuple[str, ...] | None
) -> None:
    path = shared(f"data/{name}")
    table = tables_from_file(str(path), Request(columns=columns), rows=None, seed=0)[0]
    by_suffix = {".parquet": pd.read_parquet, ".h5": _by_h5py, ".npz": _by_numpy}
    theirs = _by_uproot(path, columns) if path.suffix == ".root" else by_suffix[path.suffix](path)
    for place, heading in enumerate(table.names):
        np.testing.assert_array_equal(table.data[:, place], np.asarray(theirs[heading], np.float64))


def _by_uproot(path: Path, columns: tuple[str, ...] | None) -> dict[str, Any]:
    with uproot.open(path) as file:
        events = file["Events"].arrays(filter_name=columns or "*")
    objects = next(name for name in events.fields if name.startswith(("Jet_", "Muon_")))
    return {
        name: ak.flatten(ak.broadcast_arrays(events[name], events[objects])[0], axis=None) for name in events.fields
    }


def _by_h5py(path: Path) -> dict[str, Any]:
    with h5py.File(path) as file:
        (dataset,) = (item for item in file.values() if "names" in item.attrs)
        return dict(zip(dataset.attrs["names"], dataset[:].T, strict=True))


def _by_numpy(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(zip(arrays["names"].tolist(), arrays["data"].T, strict=True))


@REAL
def test_real_files(shared: Callable[[str], Path], tmp_path: Path, name: str, columns: tuple[str, ...] | None) -> None:
    path, request = shared(f"data/{name}"), Request(columns=columns)
    whole = tables_from_file(str(path), request, rows=None, seed=0)[0]
    copied(path, tmp_path / name, 777, request)
    counts = []
    for file, rows in ((path, 10_000), (tmp_path / name, 999)):
        with open_source(file, request) as source:
            assert source.names == whole.names
            # uproot counts objects in int32 only.
            dtypes = [dtype for name, dtype in zip(source.names, source.dtypes, strict=True) if name != "nMuon"]
            assert dtypes == [dtype for name, dtype in zip(whole.names, whole.dtypes, strict=True) if name != "nMuon"]
            data, own = joined(source, rows)
        np.testing.assert_array_equal(data, whole.data)
        counts.append(None if own is None else own.tolist())
    assert counts[0] == counts[1]
    assert (counts[0] is not None) == name.endswith(".root")
