"""Quantised tables and latents: through compressed files and back."""

import numpy as np
import pytest

from baler_energy.codecs.coders.base import Coder
from baler_energy.codecs.packing import Packing
from baler_energy.formats import open_source
from baler_energy.records import Measurement
from baler_energy.variants import CODERS, load


def contents(path):
    with open_source(path) as source:
        return source.names, source.dtypes, np.concatenate([block.data for block in source.blocks(10_000)])


WORDS = {name: load(module).WORD for name, (module, *_) in CODERS.items()}
LOSSLESS = [name for name, word in WORDS.items() if issubclass(word, Coder) and word.lossless]
PACKINGS = ["quantise-{}", "quantise-{}+zstd", "quantise-{}+pcodec", "sz2-{}", "sz3-{}", "sz3-{}-interp", "zfp-{}"]


@pytest.fixture(params=PACKINGS)
def bounded(request):
    """Give what writes a packing that keeps a bound."""
    if reason := Packing.parse(request.param.format(0.1)).missing():
        pytest.skip(reason)
    return request.param.format


@pytest.mark.parametrize("suffix", ["parquet", "root", "npz"])
def test_columns_of_a_file_come_back_within_the_bound(stage, repository, tmp_path, suffix, bounded):
    file = repository / "tests" / "formats" / "fixtures" / f"jets.{suffix}"
    options = ("--transform", "identity", "--packing", bounded(0.05))
    stage("compress", *options, "--data", file, "--out", tmp_path / "c")
    stage("decompress", *options, "--compressed", tmp_path / "c" / "table.baler", "--out", tmp_path / "d")
    (back,) = (tmp_path / "d").glob(f"reconstructed.{suffix}")
    names, dtypes, before = contents(file)
    assert contents(back)[:2] == (names, dtypes)
    residual, spread = np.abs(contents(back)[2] - before), np.ptp(before, axis=0)
    assert (residual.max(axis=0) <= 0.05 * spread).all() and residual.max() > 0


def test_the_range_is_that_of_the_whole_table_and_not_of_a_block(stage, pipeline, tmp_path, monkeypatch, bounded):
    monkeypatch.setattr("baler_energy.codecs.streaming.LEAST_BLOCK_ROWS", 50)
    options = ("--transform", "identity", "--packing", bounded(0.05))
    stage("compress", *options, "--data", pipeline.table, "--out", tmp_path / "c")
    stage("decompress", *options, "--compressed", tmp_path / "c" / "table.baler", "--out", tmp_path / "d")
    before, after = (contents(path)[2] for path in (pipeline.table, tmp_path / "d" / "reconstructed.npz"))
    first = before[:50]
    assert (np.abs(after - before).max(axis=0) <= 0.05 * np.ptp(before, axis=0)).all()
    share = np.abs(after[:50] - first).max(axis=0) / np.where(np.ptp(first, axis=0) > 0, np.ptp(first, axis=0), np.inf)
    assert share.max() > 0.05, "some block's own range is smaller than the table's"


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize(("written", "bound"), [("quantise-{}+pcodec", ""), ("sz3-{}", ""), ("sz3-{}", "+bound-0.2")])
def test_latents_are_rounded_and_pack_smaller(stage, pipeline, tmp_path, engine, written, bound):
    sizes, rounded = {}, written.format(0.01) + bound
    if reason := Packing.parse(rounded).missing():
        pytest.skip(reason)
    for packing in ("none", rounded):
        out = tmp_path / packing
        options = ("--engine", engine, "--packing", packing, "--checkpoint", pipeline.checkpoint)
        stage("apply", *options, "--data", pipeline.table, "--out", out)
        sizes[packing] = (out / "compress" / "table.baler").stat().st_size
        before, after = contents(pipeline.table)[2], contents(out / "decompress" / "reconstructed.npz")[2]
        assert np.isfinite(after).all() and before.shape == after.shape
    assert sizes[rounded] < sizes["none"] / (2 if bound else 3)
    if bound:
        assert (np.abs(after - before).max(axis=0) <= 0.2 * np.ptp(before, axis=0)).all()


def applied(stage, options, packing, out):
    """Compress and decompress a table; return the bytes of what is stored, and the values."""
    stage("apply", *options, "--packing", packing, "--out", out)
    record = Measurement.read(out / "compress" / "measurement.json")
    return record.results["stored_latent_bytes"], contents(out / "decompress" / "reconstructed.npz")[2]


@pytest.fixture(scope="module", params=["identity", "pca", "baler"])
def rounded(request, stage, pipeline, tmp_path_factory):
    """Round columns, components or latents without a coder; return the options and what comes back."""
    out, transform = tmp_path_factory.mktemp("rounded"), ("--transform", request.param)
    if request.param == "pca":
        stage("train", *transform, "--data", pipeline.table, "--out", out)
    checkpoints = {"pca": out / "checkpoint.pt", "baler": pipeline.checkpoint}
    trained = ("--checkpoint", checkpoints[request.param]) if request.param in checkpoints else ()
    options = (*transform, *trained, "--data", pipeline.table)
    return options, *applied(stage, options, "quantise-0.01", out / "a")


@pytest.mark.parametrize("coder", LOSSLESS)
def test_every_lossless_coder_stores_the_same_rounded_numbers(stage, rounded, tmp_path, coder):
    if reason := WORDS[coder].missing():
        pytest.skip(reason)
    options, plain, expected = rounded
    packed, found = applied(stage, options, f"quantise-0.01+{coder}", tmp_path)
    assert found.tobytes() == expected.tobytes() and np.isfinite(found).all()
    # A file in a table format has a head, which so few rows do not outweigh.
    assert packed < plain or WORDS[coder].block_rows is not None


@pytest.mark.parametrize("packing", ["quantise-0.01+pcodec", "sz2-0.01", "sz3-0.01", "zfp-0.01"])
def test_components_are_rounded(stage, pipeline, tmp_path, packing):
    if reason := Packing.parse(packing).missing():
        pytest.skip(reason)
    options = ("--transform", "pca", "--compression-ratio", 2)
    stage("train", *options, "--data", pipeline.table, "--out", tmp_path / "t")
    applied = (*options, "--checkpoint", tmp_path / "t" / "checkpoint.pt", "--data", pipeline.table)
    stage("apply", *applied, "--packing", packing, "--out", tmp_path / "a")
    record = Measurement.read(tmp_path / "a" / "compress" / "measurement.json")
    assert record.results["stored_latent_bytes"] < record.results["latent_bytes"] / 3
    assert Packing.parse(packing).coder.package in record.provenance["software"]
