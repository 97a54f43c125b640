"""Bytes on disk of the rows and columns that were taken from a file, or why they are unknown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from baler_energy.data.ingest import tables_from_file
from baler_energy.errors import InputError
from baler_energy.formats import Request, open_source
from baler_energy.formats.branches import _page_bytes
from baler_energy.formats.origin import file_origin

ROWS = 400
NUMBERS = np.random.default_rng(1).normal(size=(ROWS, 3)).astype(np.float32)
COLUMNS = dict(zip("abc", np.ascontiguousarray(NUMBERS.T), strict=True))
#: Least share of the compressed size of these numbers, which are random.
PACKED = 0.7


def taken(path: Path, rows: int | None = None, **request: object) -> dict[str, object]:
    table = tables_from_file(str(path), Request(**request), rows=rows, seed=0)[0]  # type: ignore[arg-type]
    return {name: table.origin[name] for name in ("source_bytes", "source_bytes_reason")}


def test_branches_of_a_tree_have_the_bytes_of_their_baskets(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        tree = file.mktree("t", dict.fromkeys(COLUMNS, "float32"))
        for half in (slice(0, ROWS // 2), slice(ROWS // 2, ROWS)):
            tree.extend({name: values[half] for name, values in COLUMNS.items()})
    with uproot.open(path) as file:
        baskets = {name: file["t"][name].member("fBasketBytes")[:2].sum() for name in COLUMNS}
    expected = int(baskets["a"] + baskets["c"])
    assert PACKED * 8 * ROWS < expected < path.stat().st_size
    assert taken(path, columns=("a", "c")) == {"source_bytes": expected, "source_bytes_reason": None}
    assert taken(path, rows=ROWS // 4, columns=("a", "c"))["source_bytes"] == round(expected / 4)
    assert taken(path)["source_bytes"] == path.stat().st_size


def test_jagged_branches_have_the_bytes_of_their_baskets(fixtures: Path) -> None:
    path = fixtures / "jets.root"
    with uproot.open(path) as file:
        expected = sum(file["Events"][name].compressed_bytes for name in ("Jet_pt", "Jet_eta"))
    found = taken(path, columns=("Jet_pt", "Jet_eta"))
    assert found == {"source_bytes": expected, "source_bytes_reason": None}
    assert taken(path, rows=30, columns=("Jet_pt", "Jet_eta"))["source_bytes"] == round(expected * 30 / 120)


def test_fields_of_an_ntuple_have_the_bytes_of_their_pages(tmp_path: Path) -> None:
    path, lists = tmp_path / "a.root", ak.unflatten(COLUMNS["a"], np.full(ROWS // 4, 4))
    with uproot.recreate(path, compression=None) as file:
        file.mkrntuple("flat", {name: values.copy() for name, values in COLUMNS.items()})
    # A page has a checksum of 8 B.
    assert taken(path, columns=("b",))["source_bytes"] in (4 * ROWS, 4 * ROWS + 8)
    with uproot.recreate(path, compression=None) as file:
        file.mkrntuple("jagged", {"x": lists, "y": lists, "n": np.arange(ROWS // 4)})
    # Numbers, and an offset of 8 B for each list.
    size = 4 * ROWS + 8 * ROWS // 4
    assert taken(path, columns=("x",))["source_bytes"] in (size, size + 16)


def test_a_page_to_which_several_columns_lead_counts_once(tmp_path: Path) -> None:
    """ROOT writes equal pages once, so that their sum can be more than the file has; uproot does not."""
    path = tmp_path / "a.root"
    with uproot.recreate(path, compression=None) as file:
        file.mkrntuple("flat", {name: values.copy() for name, values in COLUMNS.items()})
    with uproot.open(path) as file:
        ntuple = file["flat"]
        fields = [ntuple[name].field_id for name in COLUMNS]
        single, every = _page_bytes(ntuple, fields[:1]), _page_bytes(ntuple, fields)
        for column in ntuple.page_link_list[0]:
            column.pages = ntuple.page_link_list[0][0].pages
        assert _page_bytes(ntuple, fields) == single == every / 3


def test_columns_of_a_parquet_file_have_the_bytes_of_their_chunks(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(COLUMNS), path, row_group_size=ROWS // 4, compression="zstd")
    metadata = pq.ParquetFile(path).metadata
    chunks = [metadata.row_group(group).column(place) for group in range(4) for place in (0, 2)]
    expected = sum(chunk.total_compressed_size for chunk in chunks)
    assert PACKED * 8 * ROWS < expected < path.stat().st_size
    assert taken(path, columns=("c", "a")) == {"source_bytes": expected, "source_bytes_reason": None}
    assert taken(path, rows=ROWS // 2, columns=("c", "a"))["source_bytes"] == round(expected / 2)
    assert taken(path)["source_bytes"] == path.stat().st_size


def test_columns_that_state_more_bytes_than_the_file_has_are_damaged(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(COLUMNS), path)
    monkeypatch.setattr("baler_energy.formats.parquet._stored_bytes", lambda file, names: 1_000_000)
    with pytest.raises(InputError, match=r"a\.parquet: is truncated, damaged .*1,000,000 B, but it has"):
        taken(path, columns=("a",))


def test_other_parts_of_files_have_a_reason(tmp_path: Path, fixtures: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in COLUMNS.items():
            file[name] = values
    np.savez(tmp_path / "a.npz", data=NUMBERS, names=np.array(list(COLUMNS)))
    reason = "columns that were not read, and the size of what was read is not known"
    for path in (tmp_path / "a.h5", tmp_path / "a.npz"):
        found = taken(path, columns=("a",))
        assert found["source_bytes"] is None
        assert found["source_bytes_reason"] == f"the file also contains {reason}"
    leading = taken(fixtures / "jets.root", columns=("Jet_pt",), layout="leading", leading=1)
    assert leading["source_bytes"] is None and "objects beyond the leading ones" in str(leading["source_bytes_reason"])


def test_branches_in_the_record_of_their_tree_have_a_reason(shared: Callable[[str], Path]) -> None:
    muons = shared("data/cms_DoubleMuParked2012_100k_muons.root")
    with open_source(muons, Request(columns=("Muon_pt", "Muon_eta"))) as source:
        assert source.origin["source_bytes"] is None
        assert "its tree keeps the values of all branches in one record" in source.origin["source_bytes_reason"]
    with open_source(muons, Request()) as source:
        assert source.origin["source_bytes"] == muons.stat().st_size


@pytest.mark.parametrize(
    ("stored", "source_bytes", "reason"), [(100, 50, None), ("why", None, "the source is remote, and why")]
)
def test_a_remote_file_has_the_bytes_of_what_was_read(stored: Any, source_bytes: Any, reason: Any) -> None:
    counts: dict[str, Any] = {"unused": None, "warnings": (), "rows": 5, "available": 10}
    found = file_origin("root://x.org//a.root", Request(), **counts, stored_bytes=stored)
    assert (found["source_bytes"], found["source_bytes_reason"]) == (source_bytes, reason)
