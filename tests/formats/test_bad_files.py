"""Sources and sinks of all formats, with files, layouts and blocks that are refused."""

import errno
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from block_files import DTYPES, LAYOUTS, NAMES, SUFFIXES, joined, layout_hdf5, layout_root, numbers, write

from baler_energy.errors import InputError
from baler_energy.formats import Block, Request, open_sink, open_source


def fails(path: Path, request: Request | None = None, file_format: str | None = None) -> str:
    with pytest.raises(InputError) as caught, open_source(path, request, file_format) as source:
        joined(source, 10)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", LAYOUTS)
def test_bad_files(tmp_path: Path, form: str) -> None:
    file_format = LAYOUTS[form]["format"]
    path = tmp_path / f"a.{SUFFIXES[file_format]}"
    assert "no such file" in fails(path, None, file_format)
    write(path, numbers(100), LAYOUTS[form], 50)
    assert "'px'" in fails(path, Request(columns=("px",)))
    assert "more than once" in fails(path, Request(columns=("pt", "pt")))
    if file_format != "root":
        assert "jagged" in fails(path, Request(layout="leading", leading=1))
    whole = path.read_bytes()
    for content in (b"", whole[:10], whole[: len(whole) // 2], b"pt,n\n1.5,2\n" * 90):
        path.write_bytes(content)
        fails(path)
        fails(path, None, file_format)


@pytest.mark.parametrize("form", ["table", "npz"])
def test_a_flipped_bit_among_the_values(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.npz"
    write(path, numbers(100), LAYOUTS[form], 50)
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)
    assert "damaged" in fails(path)


def test_npz_files_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, data=np.ones((2, 2)), names=np.array(["a", "b"]))
    assert "is not a prepared table (missing: dtypes, origin)" in fails(path, None, "table")
    np.savez(path, data=np.ones((2, 2)))
    assert "no array 'names'" in fails(path)
    np.savez(path, data=np.array([[1, "a"]], dtype=object), names=np.array(["a", "b"]))
    assert "objects" in fails(path)
    np.savez(path, data=np.array([["x", "y"]]), names=np.array(["a", "b"]))
    assert "text" in fails(path)
    np.savez(path, data=np.ones((2, 3)), names=np.array(["a", "b"]))
    assert "shape" in fails(path)
    others = {"dtypes": np.array(["float64"] * 2), "origin": np.array("{}"), "names": np.array(["a", "b"])}
    for data in (np.ones((2, 3)), np.ones(2), np.ones((2, 2), dtype=np.float32)):
        np.savez(path, data=data, **others)
        assert "not a complete prepared table" in fails(path)


def test_parquet_without_a_value_in_a_later_batch(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0] * 25 + [None]}), tmp_path / "a.parquet")
    assert "'x' has no value at row 25" in fails(tmp_path / "a.parquet")


def test_a_path_that_cannot_be_looked_at_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "File name too long" in fails("a" * 5000 + ".parquet")

    def denied(self: Path, **_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", denied)
        message = fails("locked/a.parquet")
    assert "cannot be read: Permission denied." in message


def test_a_format_without_a_suffix(tmp_path: Path) -> None:
    assert "--format" in fails(tmp_path / "a.csv")
    assert "needs --leading" in fails(tmp_path / "a.root", Request(layout="leading"))


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"format": "csv"},
        {"format": "npz"},
        {"format": "npz", "stored": "nonsense"},
        {"format": "parquet"},
        {"format": "parquet", "compression": "nonsense"},
        {"format": "hdf5", "kind": "matrix"},
        layout_hdf5("matrix") | {"kind": "tensor"},
        layout_hdf5("matrix") | {"stored": []},
        {"format": "root"},
        layout_root("TTree") | {"compression": ["nonsense", 1]},
    ],
)
def test_an_unknown_layout(tmp_path: Path, layout: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"a\.x"), open_sink(tmp_path / "a.x", NAMES, DTYPES, layout, {}):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", LAYOUTS)
def test_an_error_leaves_nothing(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{SUFFIXES[LAYOUTS[form]['format']]}"
    with (
        pytest.raises(RuntimeError, match="stop"),
        open_sink(path, NAMES, DTYPES, LAYOUTS[form], {}) as sink,
    ):
        sink.write(Block(numbers(5)))
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_caller_is_passed_on(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", numbers(5), LAYOUTS["table"], 5)
    with pytest.raises(RuntimeError, match="mine"), open_source(tmp_path / "a.npz") as source:
        for _ in source.blocks(2):
            raise RuntimeError("mine")
    with open_source(tmp_path / "a.npz") as source, pytest.raises(ValueError, match="blocks of 0 rows"):
        next(source.blocks(0))


def test_a_block_of_another_width(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="for 3 columns"),
        open_sink(tmp_path / "a.npz", NAMES, DTYPES, {"format": "table"}, {}) as sink,
    ):
        sink.write(Block(np.ones((2, 2))))


def test_many_columns_of_different_lengths_are_one_short_message(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(300):
            file[f"column-{number:04}"] = np.zeros(5 + number % 2)
    said = fails(tmp_path / "a.h5")
    assert "column-0000 has 5, column-0001 has 6" in said and "and 280 more" in said
