"""Atomic file writes, and arrays without pickle."""

import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from baler_energy.errors import InputError
from baler_energy.files import (
    atomic_path,
    check_writable,
    read_json,
    read_npz,
    remove_temporaries,
    write_json,
    write_npz,
)


def test_a_failure_in_the_middle_leaves_the_old_file_and_no_other(tmp_path: Path):
    target = tmp_path / "a.json"
    write_json(target, {"old": 1})
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(target) == {"old": 1}
    assert list(tmp_path.iterdir()) == [target]


def test_errors_name_the_file_that_is_written_not_the_temporary_one(tmp_path: Path):
    target = tmp_path / "sub" / "a.npz"
    for fail in (
        lambda path: path.with_name("other.npz").open("rb"),
        lambda path: path.open("rb"),
        lambda path: read_npz(path),
        lambda path: (path.write_bytes(b"PK"), read_npz(path)),
        lambda path: pq.read_table(path),
    ):
        with pytest.raises((InputError, OSError)) as caught, atomic_path(target) as temporary:
            fail(temporary)
        assert temporary.name not in str(caught.value)
        assert "a.npz" in str(caught.value) or "other.npz" in str(caught.value)
    with pytest.raises(FileNotFoundError) as caught, atomic_path(target):
        pass
    assert caught.value.filename == str(target)


@pytest.mark.parametrize("name", ["a.json", "no_suffix"])
def test_only_temporary_files_of_killed_processes_are_removed(tmp_path: Path, name: str):
    kept = {tmp_path / name, tmp_path / ".snakemake_timestamp"}
    for path in kept:
        path.touch()
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / name) as temporary:
        temporary.touch()
        assert set(tmp_path.iterdir()) == kept | {temporary}
        remove_temporaries(tmp_path)
    assert set(tmp_path.iterdir()) == kept


def test_a_file_that_can_be_written_is_not_touched_by_the_check(tmp_path: Path):
    target = tmp_path / "a.html"
    check_writable(target)
    assert not list(tmp_path.iterdir())
    target.write_text("old")
    check_writable(target)
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_values_that_are_not_json_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_arrays_read_back(tmp_path: Path):
    write_npz(tmp_path / "a.npz", {"x": np.arange(3.0), "names": np.array(["a", "b"])})
    arrays = read_npz(tmp_path / "a.npz", ("x", "names"))
    assert arrays["x"].tolist() == [0.0, 1.0, 2.0]
    assert arrays["names"].tolist() == ["a", "b"]


def test_python_objects_are_refused(tmp_path: Path):
    path = tmp_path / "evil.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"evil\.npz"):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 truncated"])
def test_a_damaged_file_is_reported_by_name(tmp_path: Path, content: bytes):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.npz"):
        read_npz(path)


def test_an_array_that_occurs_twice_is_refused(tmp_path: Path):
    path = tmp_path / "a.npz"
    write_npz(path, {"x": np.zeros(1), "y": np.zeros(1)})
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("x.npy", archive.read("y.npy"))
    with pytest.raises(InputError, match="array 'x' occurs more than once"):
        read_npz(path)


def test_a_missing_array_is_reported_with_the_existing_ones(tmp_path: Path):
    write_npz(tmp_path / "a.npz", {"x": np.zeros(1)})
    with pytest.raises(InputError, match="no array 'data'; it contains x"):
        read_npz(tmp_path / "a.npz", ("data",))
