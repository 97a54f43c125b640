"""The compressed file."""

import hashlib
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baler_energy.codecs import container
from baler_energy.codecs.coders.zstd import Zstd
from baler_energy.codecs.container import Reader, StoredBlock, Writer
from baler_energy.codecs.corrections import Corrections
from baler_energy.codecs.facts import Facts
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.packing import Packing
from baler_energy.errors import InputError

LATENTS = np.random.default_rng(0).normal(size=(20, 2))
FACTS = Facts(
    ("a", "b\N{GREEK SMALL LETTER PHI}", "c"),
    ("float32", "int32", "float64"),
    Normalisation(np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 0.0]])),
    "f" * 64,
    2,
    origin={"source": "toy"},
    layout={"format": "table"},
)

WHOLE = (StoredBlock((LATENTS,)),)


def _write(path, blocks=WHOLE, **changes):
    with Writer(path, replace(FACTS, **changes)) as writer:
        for block in blocks:
            writer.write(block)
    return writer


@pytest.mark.parametrize("packing", ["none", "zstd", "float16", "float32-5+zstd-9", "zstd+bound-0.1"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_contents_come_back(tmp_path, precision, packing):
    stored = Packing.parse(packing).reduce(LATENTS.astype(precision))
    steps, exact = np.zeros((12, 3), np.int16), np.array([1.5, np.nan])
    steps[3, :2] = np.iinfo(np.int16).min
    corrections = Corrections(steps, exact) if "bound" in packing else None
    others = Corrections(np.zeros((8, 3), np.int16), np.empty(0)) if "bound" in packing else None
    blocks = [
        StoredBlock((stored[:12],), corrections, np.array([5, 0, 7], np.int32)),
        StoredBlock((stored[12:],), others),
    ]
    _write(tmp_path / "t.baler", blocks, precision=precision, packing=packing)
    reader = Reader(tmp_path / "t.baler")
    first, second = reader.blocks()
    assert reader.rows == 20 and np.array_equal(first.counts, [5, 0, 7]) and second.counts is None
    assert np.array_equal(np.concatenate([first.latents, second.latents]), stored)
    assert np.array_equal(reader.latents(), stored) and reader.latents().dtype == stored.dtype
    assert (first.corrections is None) == (second.corrections is None) == (corrections is None)
    if first.corrections:
        assert np.array_equal(first.corrections.steps, steps)
        assert np.array_equal(first.corrections.exact, exact, equal_nan=True)
    for name in ("names", "dtypes", "checkpoint_hash", "latent", "origin", "layout"):
        assert getattr(reader.facts, name) == getattr(FACTS, name)
    assert (reader.facts.precision, reader.facts.packing) == (precision, packing)
    assert np.array_equal(reader.facts.normalisation.features, FACTS.normalisation.features)


def test_a_table_without_rows_gives_a_file(tmp_path):
    _write(tmp_path / "t.baler", [])
    assert Reader(tmp_path / "t.baler").latents().shape == (0, 2)


def test_the_writer_reports_the_sizes_in_the_file(tmp_path):
    corrections = Corrections(np.zeros((20, 3), np.int16), np.empty(0))
    writer = _write(
        tmp_path / "t.baler", [StoredBlock((LATENTS.astype("float16"),), corrections)], packing="float16+bound-1"
    )
    assert writer.latent_bytes == LATENTS.nbytes
    assert LATENTS.size * 2 < writer.stored_latent_bytes < LATENTS.size * 2 + 200
    assert 0 < writer.correction_bytes < 100


def test_numpy_reads_it(tmp_path):
    _write(tmp_path / "t.baler")
    with np.load(tmp_path / "t.baler", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["00000000/latents"], LATENTS)
        assert arrays["names"].tolist() == list(FACTS.names)
        assert np.array_equal(arrays["normalization_features"], FACTS.normalisation.features)
        header = json.loads(str(arrays["header"]))
    assert header["integer_columns"] == [1]
    assert zipfile.ZipFile(tmp_path / "t.baler").testzip() is None


def test_the_same_content_is_the_same_bytes(tmp_path, monkeypatch):
    _write(tmp_path / "1.baler")
    monkeypatch.setattr("time.time", lambda: 2e9)
    _write(tmp_path / "2.baler")
    assert (tmp_path / "1.baler").read_bytes() == (tmp_path / "2.baler").read_bytes()


def test_overwriting_a_longer_file_leaves_no_rest(tmp_path):
    _write(tmp_path / "t.baler")
    _write(tmp_path / "t.baler", [StoredBlock((LATENTS[:3],))])
    assert len(Reader(tmp_path / "t.baler").latents()) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)
@given(data=st.data())
def test_any_flipped_byte_is_refused(tmp_path, data):
    path = tmp_path / "t.baler"
    _write(path)
    damaged = bytearray(path.read_bytes())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="damaged"):
        Reader(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(data=st.data())
def test_a_truncated_or_lengthened_file_is_refused(tmp_path, data):
    path = tmp_path / "t.baler"
    _write(path)
    whole = path.read_bytes()
    kept = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:kept] if data.draw(st.booleans()) else whole + whole[: kept + 1])
    with pytest.raises(InputError, match="damaged"):
        Reader(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Reader(tmp_path / "absent.baler")


def _sealed(path, changes):
    """Write a file, change its members, and give it a valid checksum; a member of None is left out."""
    _write(path.with_suffix(".plain"))
    members = _members(path.with_suffix(".plain")) | changes
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)
    content = path.read_bytes()
    content = content[:-2] + (64).to_bytes(2, "little")
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())


def _members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _header(tmp_path, **changes):
    _write(tmp_path / "h.baler")
    with np.load(tmp_path / "h.baler") as arrays:
        header = json.loads(str(arrays["header"]))
    return {"header.npy": container._npy(np.array(json.dumps(header | changes)))}


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_is_refused(tmp_path, version):
    _sealed(tmp_path / "t.baler", _header(tmp_path, version=version))
    with pytest.raises(InputError, match=rf"version {version}.*reads 2"):
        Reader(tmp_path / "t.baler")


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": 2},
        {"precision": "float32"},
        {"precision": "float8"},
        {"dtypes": ["int8", "int8"]},
        {"format": "other"},
        {"origin": None},
        {"latent": 3},
        {"packing": "zstd"},
        {"rows": 10, "blocks": [{"rows": 10, "exact": None, "events": None}]},
        {"blocks": [{"rows": 20, "exact": 0, "events": None}]},
        {"blocks": [{"rows": 10, "exact": None, "events": None}] * 2},
    ],
)
def test_a_header_that_disagrees_is_refused(tmp_path, changes):
    _sealed(tmp_path / "good.baler", {})
    assert np.array_equal(Reader(tmp_path / "good.baler").latents(), LATENTS)
    _sealed(tmp_path / "t.baler", _header(tmp_path, **changes))
    with pytest.raises(InputError, match="not a valid compressed file"):
        list(Reader(tmp_path / "t.baler").blocks())


@pytest.mark.parametrize("lost", ["00000000/latents.npy", "names.npy", "normalization_features.npy", "header.npy"])
def test_a_missing_array_is_refused(tmp_path, lost):
    _sealed(tmp_path / "t.baler", {lost: None})
    with pytest.raises(InputError, match=lost.removesuffix(".npy")):
        Reader(tmp_path / "t.baler").latents()


def test_packed_bytes_that_are_damaged_are_refused(tmp_path):
    with Writer(tmp_path / "p.baler", replace(FACTS, packing="zstd")) as writer:
        writer.write(StoredBlock((LATENTS,)))
    packed = _members(tmp_path / "p.baler")
    for content in (b"", b"x" * 50, Zstd().encode(LATENTS[:3])):
        _sealed(tmp_path / "t.baler", {**packed, "00000000/latents.npy": None, "00000000/latents.zst": content})
        with pytest.raises(InputError, match="not a valid compressed file"):
            Reader(tmp_path / "t.baler").latents()


def test_a_failure_in_the_middle_closes_the_file(tmp_path):
    with pytest.raises(RuntimeError), Writer(tmp_path / "t.baler", FACTS) as writer:
        writer.write(StoredBlock((LATENTS,)))
        raise RuntimeError
    with pytest.raises(InputError, match="damaged"):
        Reader(tmp_path / "t.baler")
