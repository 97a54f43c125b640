"""The prepared table."""

from pathlib import Path

import numpy as np
import pytest

from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import write_npz

NAMES = ("pt", "n")
DTYPES = ("float32", "int32")


def small(**changes: object) -> Table:
    values: dict[str, object] = {
        "data": np.array([[1.5, 2.0], [2.5, 3.0], [0.1, 4.0]]),
        "names": NAMES,
        "dtypes": DTYPES,
        "origin": {"source": "toy", "label": "toy data", "source_bytes": None, "warnings": ["a", "b"]},
    }
    return Table(**(values | changes))  # type: ignore[arg-type]


def test_round_trip(tmp_path: Path) -> None:
    table = small()
    table.write(tmp_path / "t.npz")
    again = Table.read(tmp_path / "t.npz")
    np.testing.assert_array_equal(again.data, table.data)
    assert (again.names, again.dtypes, again.origin) == (table.names, table.dtypes, table.origin)
    assert again.data.flags.c_contiguous
    assert again.data.dtype == np.float64


def test_integer_columns_and_native_bytes() -> None:
    table = small(dtypes=("float32", "bool"))
    assert table.integer.tolist() == [False, True]
    assert table.native_bytes == 3 * (4 + 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": np.ones((3, 2), dtype=np.float32)}, "float64"),
        ({"data": np.asfortranarray(np.ones((3, 2)))}, "C-contiguous"),
        ({"data": np.ones(3)}, "2-D"),
        ({"names": ("pt",)}, "1 names"),
        ({"names": ("pt", "pt")}, "same name"),
        ({"dtypes": ("float32", "str")}, "numeric"),
    ],
)
def test_an_invalid_table_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_reading_reports_what_a_file_lacks(tmp_path: Path) -> None:
    path = tmp_path / "baler.npz"
    write_npz(path, {"data": np.ones((2, 2)), "names": np.array(NAMES)})
    with pytest.raises(InputError, match=r"baler\.npz: is not a prepared table \(missing: dtypes, origin\).*prepare"):
        Table.read(path)


@pytest.mark.parametrize("change", [{"names": np.array(["pt"])}, {"origin": np.array("{")}, {"data": np.ones(2)}])
def test_reading_refuses_arrays_that_do_not_match(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    path = tmp_path / "t.npz"
    whole = {"data": np.ones((2, 2)), "names": np.array(NAMES), "dtypes": np.array(DTYPES), "origin": np.array("{}")}
    write_npz(path, whole | change)
    with pytest.raises(InputError, match=r"t\.npz"):
        Table.read(path)


def test_reading_refuses_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    small().write(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"t\.npz"):
        Table.read(path)


def test_rows_without_columns_are_refused(tmp_path: Path) -> None:
    """They take no bytes, so that a file may state any number of them."""
    path, none = tmp_path / "t.npz", np.array([], dtype=np.str_)
    write_npz(path, {"data": np.empty((10**9, 0)), "names": none, "dtypes": none, "origin": np.array("{}")})
    with pytest.raises(InputError, match=r"t\.npz: is not a complete prepared table: it has no columns"):
        Table.read(path)
