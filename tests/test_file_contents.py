"""Contents of files: arrays without pickle, and JSON with one meaning."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from baler_energy.errors import InputError
from baler_energy.files import read_json, read_npz, write_json, write_npz


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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 1}', "the key 'a' occurs more than once"),
        ('[{"b": {"x": 1, "c": 2, "x": 3}}]', "the key 'x' occurs more than once"),
        (r'{"a": 1, "\u0061": 2}', "the key 'a' occurs more than once"),
        (r'["\ud800"]', "surrogates not allowed"),
        ("[" * 100_000, "nested too deeply"),
        ("{", "property name"),
    ],
)
def test_json_of_two_meanings_or_none_is_refused(tmp_path: Path, text: str, reason: str):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.json: is not valid JSON") as refusal:
        read_json(path)
    assert reason in str(refusal.value)


def test_json_of_every_character_is_read(tmp_path: Path):
    (tmp_path / "a.json").write_text(r'{"\ud83d\ude00": "\\ud800 \u00e9", "b": {"a": 1}, "c": {"a": 2}}')
    assert read_json(tmp_path / "a.json") == {"\U0001f600": "\\ud800 \u00e9", "b": {"a": 1}, "c": {"a": 2}}
