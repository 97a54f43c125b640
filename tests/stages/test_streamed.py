"""Stages compress and decompress with the engine fast: files of any kind, block by block."""

import numpy as np
import pytest

from baler_energy.codecs import streaming
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import Request, open_source
from baler_energy.records import Measurement

MUONS = ("Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge")


def _through(stage, data, checkpoint, out, *options, packing="none"):
    fast = ("--engine", "fast", "--packing", packing, "--checkpoint", checkpoint)
    stage("compress", "--data", data, "--out", out / "c", *fast, *options)
    stage("decompress", "--compressed", out / "c/table.baler", "--out", out / "d", *fast)
    (written,) = (path for path in (out / "d").iterdir() if path.stem == "reconstructed")
    return written


def test_the_table_is_the_references(stage, pipeline, tmp_path):
    written = _through(stage, pipeline.table, pipeline.checkpoint, tmp_path)
    assert written.name == "reconstructed.npz"
    ours, theirs = Table.read(written), Table.read(pipeline.reconstructed)
    assert (ours.names, ours.dtypes, ours.origin) == (theirs.names, theirs.dtypes, theirs.origin)
    np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-6)
    compressed, decompressed = (Measurement.read(tmp_path / f"{name}/measurement.json") for name in "cd")
    assert compressed.parameters["engine"] == decompressed.parameters["engine"] == "fast"
    assert compressed.parameters["rows"] == decompressed.parameters["rows"] == 300
    record = Measurement.read(pipeline.compressed.parent / "measurement.json")
    same = ("latent_bytes", "input_float64_bytes", "native_bytes", "source_bytes", "correction_bytes")
    assert {name: compressed.results[name] for name in same} == {name: record.results[name] for name in same}
    compared = ("--original", pipeline.table, "--reconstructed", written, "--compressed", tmp_path / "c/table.baler")
    stage("evaluate", *compared, "--checkpoint", pipeline.checkpoint, "--out", tmp_path / "e")
    assert (tmp_path / "e/summary.json").exists()


@pytest.fixture(scope="module")
def muons(shared):
    """Return the file of muons from recorded collisions."""
    return shared("data/cms_DoubleMuParked2012_100k_muons.root")


@pytest.fixture
def codec(stage, muons, tmp_path):
    table = tmp_path / "muons.npz"
    stage("prepare", "--input", muons, "--tree", "Events", "--columns", *MUONS, "--rows", 20_000, "--out", table)
    stage("train", "--data", table, "--out", tmp_path / "t", "--epochs", 1, "--compression-ratio", 1.25)
    return tmp_path / "t/checkpoint.pt"


@pytest.mark.parametrize("packing", ["none", "float32+zstd+bound-0.01"])
def test_jagged_branches_come_back_as_such(stage, muons, codec, tmp_path, monkeypatch, packing):
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 30_000)
    fast = ("--engine", "fast", "--packing", packing, "--checkpoint", codec, "--compression-ratio", 1.25)
    stage("compress", "--data", muons, "--out", tmp_path / "c", *fast, "--tree", "Events")
    stage("decompress", "--compressed", tmp_path / "c/table.baler", "--out", tmp_path / "d", *fast)
    before, after = _rows(muons), _rows(tmp_path / "d/reconstructed.root")
    assert np.array_equal(before[1], after[1]) and before[0].shape == after[0].shape
    charges = after[0][:, 4]
    assert np.array_equal(charges, np.rint(charges))
    if "bound" in packing:
        record = Table.read(tmp_path / "muons.npz")
        allowed = 0.01 * np.ptp(record.data, axis=0)
        assert (np.abs(before[0] - after[0]) <= allowed * (1 + 1e-9)).all()
    results = Measurement.read(tmp_path / "c/measurement.json").results
    assert results["native_bytes"] == len(before[0]) * (4 * 4 + 4)
    assert (results["correction_bytes"] > 0) == ("bound" in packing)


def _rows(path):
    with open_source(path, Request(MUONS, "Events")) as source:
        blocks = list(source.blocks(50_000))
    return np.concatenate([block.data for block in blocks]), np.concatenate([block.counts for block in blocks])


@pytest.mark.parametrize("suffix", ["parquet", "h5", "npz"])
def test_a_file_comes_back_in_its_own_format(stage, shared, tmp_path, suffix):
    path = shared(f"data/cms_dimuon2012_20000.{suffix}")
    stage("prepare", "--input", path, "--rows", 5000, "--out", tmp_path / "table.npz")
    stage("train", "--data", tmp_path / "table.npz", "--out", tmp_path / "t", "--epochs", 1)
    written = _through(stage, path, tmp_path / "t/checkpoint.pt", tmp_path, packing="zstd+bound-0.001")
    with open_source(path) as before, open_source(written) as after:
        assert (before.names, before.rows) == (after.names, after.rows)
        original, restored = (np.concatenate([b.data for b in source.blocks(7000)]) for source in (before, after))
    allowed = 0.001 * np.ptp(Table.read(tmp_path / "table.npz").data, axis=0)
    assert (np.abs(original - restored) <= allowed * (1 + 1e-9)).all()


def test_only_the_fast_engine_reads_other_files(stage, pipeline, tmp_path):
    for options in (("--tree", "Events"), ("--format", "root"), ("--layout", "leading", "--leading", 2)):
        with pytest.raises(InputError, match="--engine fast"):
            stage(
                "compress", "--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", tmp_path, *options
            )


def test_a_file_without_the_columns_of_the_training_is_refused(stage, pipeline, tmp_path):
    Table(np.zeros((5, 1)), ("x",), ("float64",), {}).write(tmp_path / "x.npz")
    fast = ("--engine", "fast", "--checkpoint", pipeline.checkpoint)
    with pytest.raises(InputError, match=r"x\.npz: has no column"):
        stage("compress", "--data", tmp_path / "x.npz", "--out", tmp_path / "c", *fast)
    assert not (tmp_path / "c/table.baler").exists()


def test_another_packing_than_the_files_is_refused(stage, pipeline, tmp_path):
    with pytest.raises(InputError, match=r"--packing zstd: the file was written with none"):
        stage(
            "decompress", "--compressed", pipeline.compressed, "--checkpoint", pipeline.checkpoint,
            "--out", tmp_path / "d", "--packing", "zstd",
        )  # fmt: skip


def test_the_reference_leaves_other_files_to_the_fast_engine(stage, shared, tmp_path):
    path = shared("data/cms_dimuon2012_20000.parquet")
    stage("prepare", "--input", path, "--rows", 500, "--out", tmp_path / "table.npz")
    stage("train", "--data", tmp_path / "table.npz", "--out", tmp_path / "t", "--epochs", 1)
    codec = ("--checkpoint", tmp_path / "t/checkpoint.pt")
    stage("compress", "--data", path, "--out", tmp_path / "c", "--engine", "fast", *codec)
    with pytest.raises(InputError, match=r"cannot write .*\(Parquet file\)\. Use --engine fast"):
        stage("decompress", "--compressed", tmp_path / "c/table.baler", "--out", tmp_path / "d", *codec)
    assert not (tmp_path / "d").exists()


def test_an_empty_file_comes_back_empty(stage, pipeline, tmp_path):
    table = Table.read(pipeline.table)
    Table(table.data[:0], table.names, table.dtypes, {}).write(tmp_path / "empty.npz")
    written = _through(stage, tmp_path / "empty.npz", pipeline.checkpoint, tmp_path)
    assert Table.read(written).data.shape == (0, 24)


def test_a_url_is_left_to_prepare(stage, pipeline, tmp_path):
    fast = ("--engine", "fast", "--checkpoint", pipeline.checkpoint)
    with pytest.raises(InputError, match=r"cannot read URLs\. Use `baler-energy prepare`"):
        stage("compress", "--data", "https://example.org/a.root", "--out", tmp_path / "c", *fast)
