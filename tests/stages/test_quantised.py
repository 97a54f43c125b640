"""Quantised tables and latents: through compressed files and back."""

import numpy as np
import pytest

from baler_energy.formats import open_source


def contents(path):
    with open_source(path) as source:
        return source.names, source.dtypes, np.concatenate([block.data for block in source.blocks(10_000)])


@pytest.mark.parametrize("coder", ["", "+zstd", "+pcodec"])
@pytest.mark.parametrize("suffix", ["parquet", "root", "npz"])
def test_columns_of_a_file_come_back_within_the_bound(stage, repository, tmp_path, suffix, coder):
    file = repository / "tests" / "formats" / "fixtures" / f"jets.{suffix}"
    options = ("--transform", "identity", "--packing", f"quantise-0.01{coder}")
    stage("compress", *options, "--data", file, "--out", tmp_path / "c")
    stage("decompress", *options, "--compressed", tmp_path / "c" / "table.baler", "--out", tmp_path / "d")
    (back,) = (tmp_path / "d").glob(f"reconstructed.{suffix}")
    names, dtypes, before = contents(file)
    assert contents(back)[:2] == (names, dtypes)
    residual, spread = np.abs(contents(back)[2] - before), np.ptp(before, axis=0)
    assert (residual.max(axis=0) <= 0.01 * spread).all() and residual.max() > 0


def test_the_range_is_that_of_the_whole_table_and_not_of_a_block(stage, pipeline, tmp_path, monkeypatch):
    monkeypatch.setattr("baler_energy.codecs.streaming.LEAST_BLOCK_ROWS", 50)
    options = ("--transform", "identity", "--packing", "quantise-0.05")
    stage("compress", *options, "--data", pipeline.table, "--out", tmp_path / "c")
    stage("decompress", *options, "--compressed", tmp_path / "c" / "table.baler", "--out", tmp_path / "d")
    before, after = (contents(path)[2] for path in (pipeline.table, tmp_path / "d" / "reconstructed.npz"))
    first = before[:50]
    share = np.abs(after[:50] - first).max(axis=0) / np.where(np.ptp(first, axis=0) > 0, np.ptp(first, axis=0), np.inf)
    assert share.max() > 0.05, "some block's own range is smaller than the table's"


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_latents_are_quantised_and_pack_smaller(stage, pipeline, tmp_path, engine):
    sizes = {}
    for packing in ("none", "quantise-0.01+pcodec"):
        out = tmp_path / packing
        options = ("--engine", engine, "--packing", packing, "--checkpoint", pipeline.checkpoint)
        stage("apply", *options, "--data", pipeline.table, "--out", out)
        sizes[packing] = (out / "compress" / "table.baler").stat().st_size
        before, after = contents(pipeline.table)[2], contents(out / "decompress" / "reconstructed.npz")[2]
        assert np.isfinite(after).all() and before.shape == after.shape
    assert sizes["quantise-0.01+pcodec"] < sizes["none"] / 3
