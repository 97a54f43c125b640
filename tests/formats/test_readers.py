"""Columns from ROOT, Parquet, HDF5 and npz files."""

import importlib.util
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from read_columns import column, fails, read

from baler_energy.data.ingest import tables_from_file
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import Request, format_of

SUFFIXES = ("root", "parquet", "h5", "npz")
PLAIN = ("pt", "eta", "phi", "mass", "charged_multiplicity", "neutral_multiplicity")


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
def test_all_missing_columns_are_listed(fixtures: Path, suffix: str) -> None:
    message = fails(fixtures / f"jets.{suffix}", columns=("charged_multiplicty", "neutral_multiplicty"))
    assert "'charged_multiplicty', 'neutral_multiplicty'. It has: " in message
    listed = message.partition("It has: ")[2].split(", ")
    assert {name.removeprefix("Jet_") for name in listed[:2]} == {"charged_multiplicity", "neutral_multiplicity"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pattern_without_match_is_a_missing_column(fixtures: Path, suffix: str) -> None:
    assert "'Tau_*'" in fails(fixtures / f"jets.{suffix}", columns=("Tau_*",))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_column_requested_twice(fixtures: Path, suffix: str) -> None:
    name = "Jet_pt" if suffix == "root" else "pt"
    assert "more than once" in fails(fixtures / f"jets.{suffix}", columns=(name, name))


def save(path: Path, kind: str, names: Sequence[str]) -> None:
    """Write columns of integers, and one of text if it is named label."""
    columns = {name: ["a", "bc", "d"] if name == "label" else [1, 2, 4] for name in names}
    stored = {name: np.array(values, "S2" if name == "label" else "i2") for name, values in columns.items()}
    if kind == "parquet":
        pq.write_table(pa.table(columns), path)
    elif kind == "root":
        with uproot.recreate(path) as file:
            file.mktree("t", {name: ak.Array(v) if name == "label" else np.array(v) for name, v in columns.items()})
    else:
        rows = np.zeros(3, [(name, values.dtype) for name, values in stored.items()])
        for name, values in stored.items():
            rows[name] = values
        with h5py.File(path, "w") as file:
            for name, values in {"t": rows}.items() if kind == "compound" else stored.items():
                file[name] = values


@pytest.mark.parametrize(
    ("kind", "suffix"), [("parquet", "parquet"), ("group", "h5"), ("compound", "h5"), ("root", "root")]
)
def test_columns_that_are_not_numeric_are_left_out_unless_they_are_named(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    path, kinds = tmp_path / f"a.{suffix}", "branches" if kind == "root" else "columns"
    save(path, kind, ["a", "label", "n"])
    columns = read(path)
    assert columns.names == ("a", "n")
    assert [values.tolist() for values in columns.arrays] == [[1, 2, 4]] * 2
    assert columns.warnings == (f"{kinds} that are not plain numbers were left out: label",)
    assert columns.unused is not None
    for named in (("n", "label"), ("*a*",)):
        assert "column label contains text" in fails(path, columns=named)
    assert read(path, columns=("n",)).warnings == ()
    save(path, kind, ["label"])
    assert f"has no numeric {kinds}; these are not plain numbers: label" in fails(path)


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


@pytest.mark.parametrize("suffix", ["parquet", "npz"])
def test_a_tree_is_for_files_that_have_several(fixtures: Path, suffix: str) -> None:
    message = fails(fixtures / f"jets.{suffix}", tree="Events")
    assert "--tree 'Events' is only supported for ROOT files and HDF5 files" in message


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


def test_a_table_that_was_prepared_keeps_its_types(tmp_path: Path) -> None:
    table = Table(np.array([[1.0, 2.0], [3.0, 4.5]]), ("n", "x"), ("int8", "float32"), {"source": "toy"})
    table.write(tmp_path / "t.npz")
    columns = read(tmp_path / "t.npz")
    assert (columns.dtypes, columns.unused) == (("int8", "float32"), None)
    origin = tables_from_file(str(tmp_path / "t.npz"), Request(), rows=None, seed=0)[0].origin
    assert (origin["source"], origin["file"], origin["source_bytes"]) == (
        "file",
        "t.npz",
        (tmp_path / "t.npz").stat().st_size,
    )


# Parquet


def test_parquet_text_and_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1.0, None, 3.0], "name": ["a", "b", "c"], "ok": [True, False, True]}), path)
    assert "'x' has no value at row 1" in fails(path)
    assert "column name contains text" in fails(path, columns=("name",))
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
    assert read(path, tree="jets").names == ("pt", "n")
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
