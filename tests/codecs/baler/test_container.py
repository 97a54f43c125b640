"""The compressed file."""

import hashlib
import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baler_energy.codecs.baler import container
from baler_energy.codecs.baler.container import Compressed, read_compressed, write_compressed
from baler_energy.codecs.baler.normalisation import Normalisation
from baler_energy.errors import InputError


@pytest.fixture
def content() -> Compressed:
    latents = np.random.default_rng(0).normal(size=(20, 2))
    features = np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 0.0]])
    dtypes = ("float32", "int32", "float64")
    return Compressed(
        latents, ("a", "b\N{GREEK SMALL LETTER PHI}", "c"), dtypes, Normalisation(features), "f" * 64, {"source": "toy"}
    )


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_contents_come_back(content, tmp_path, precision):
    latents = content.latents.astype(precision)
    write_compressed(tmp_path / "t.baler", Compressed(latents, *list(vars(content).values())[1:]))
    back = read_compressed(tmp_path / "t.baler")
    assert np.array_equal(back.latents, latents) and back.latents.dtype == precision
    assert (back.names, back.dtypes, back.checkpoint_hash) == (content.names, content.dtypes, "f" * 64)
    assert np.array_equal(back.normalisation.features, content.normalisation.features)
    assert back.origin == {"source": "toy"}


def test_numpy_finds_balers_arrays(content, tmp_path):
    write_compressed(tmp_path / "t.baler", content)
    with np.load(tmp_path / "t.baler", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["data"], content.latents)
        assert arrays["names"].tolist() == list(content.names)
        assert np.array_equal(arrays["normalization_features"], content.normalisation.features)
        header = json.loads(str(arrays["header"]))
    assert header["integer_columns"] == [1]
    assert zipfile.ZipFile(tmp_path / "t.baler").testzip() is None


def test_the_same_content_is_the_same_bytes(content, tmp_path, monkeypatch):
    write_compressed(tmp_path / "1.baler", content)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_compressed(tmp_path / "2.baler", content)
    assert (tmp_path / "1.baler").read_bytes() == (tmp_path / "2.baler").read_bytes()


def test_a_shorter_table_over_a_longer_one_leaves_no_rest(content, tmp_path):
    write_compressed(tmp_path / "t.baler", content)
    short = Compressed(content.latents[:3], *list(vars(content).values())[1:])
    write_compressed(tmp_path / "t.baler", short)
    assert len(read_compressed(tmp_path / "t.baler").latents) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(data=st.data())
def test_any_flipped_byte_is_refused(content, tmp_path, data):
    path = tmp_path / "t.baler"
    write_compressed(path, content)
    damaged = bytearray(path.read_bytes())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="damaged"):
        read_compressed(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_a_truncated_or_lengthened_file_is_refused(content, tmp_path, data):
    path = tmp_path / "t.baler"
    write_compressed(path, content)
    whole = path.read_bytes()
    kept = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:kept] if data.draw(st.booleans()) else whole + whole[: kept + 1])
    with pytest.raises(InputError, match="damaged"):
        read_compressed(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_compressed(tmp_path / "absent.baler")


def _sealed(path, **arrays):
    """Write an npz with a valid checksum."""
    np.savez(path.with_suffix(".npz"), **arrays)
    content = path.with_suffix(".npz").read_bytes()
    assert content[-2:] == b"\0\0"
    content = content[:-2] + (64).to_bytes(2, "little")
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())


def _header(**changes):
    header = {"format": container.FORMAT, "version": 1, "rows": 1, "precision": "float64", "dtypes": ["float64"]}
    return np.array(json.dumps(header | {"checkpoint_sha256": "0" * 64, "origin": {}} | changes))


ARRAYS = {"data": np.zeros((1, 1)), "names": np.array(["a"]), "normalization_features": np.zeros((2, 1))}


def test_a_newer_version_is_refused(tmp_path):
    _sealed(tmp_path / "t.baler", **ARRAYS, header=_header(version=2))
    with pytest.raises(InputError, match=r"version 2.*Update"):
        read_compressed(tmp_path / "t.baler")


@pytest.mark.parametrize(
    "changes",
    [{"rows": 2}, {"precision": "float32"}, {"dtypes": ["int8", "int8"]}, {"format": "other"}, {"origin": None}],
)
def test_a_header_that_disagrees_is_refused(tmp_path, changes):
    _sealed(tmp_path / "good.baler", **ARRAYS, header=_header())
    read_compressed(tmp_path / "good.baler")
    _sealed(tmp_path / "t.baler", **ARRAYS, header=_header(**changes))
    with pytest.raises(InputError, match="not a compressed file"):
        read_compressed(tmp_path / "t.baler")


@pytest.mark.parametrize("lost", ["data", "names", "normalization_features", "header"])
def test_a_missing_array_is_refused(tmp_path, lost):
    arrays = {**ARRAYS, "header": _header()}
    del arrays[lost]
    _sealed(tmp_path / "t.baler", **arrays)
    with pytest.raises(InputError, match=lost):
        read_compressed(tmp_path / "t.baler")
