"""Transforms other than Baler's, from the command line: from any format and back, and what is refused."""

import pstats
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import uproot

from baler_energy.codecs.packing import Packing
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import open_source
from baler_energy.records import Measurement

IDENTITY = ("--transform", "identity", "--packing", "pcodec")
SUFFIXES = ("root", "parquet", "h5", "npz")


def contents(path):
    with open_source(path) as source:
        blocks = list(source.blocks(10_000))
        counts = [block.counts.tolist() for block in blocks if block.counts is not None]
        return source.names, source.dtypes, np.concatenate([block.data for block in blocks]).tobytes(), counts


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_comes_back_to_the_bit_in_its_own_format(stage, repository, tmp_path, suffix):
    file = repository / "tests" / "formats" / "fixtures" / f"jets.{suffix}"
    stage("compress", *IDENTITY, "--data", file, "--out", tmp_path / "c")
    stage("decompress", *IDENTITY, "--compressed", tmp_path / "c" / "table.baler", "--out", tmp_path / "d")
    (back,) = (tmp_path / "d").glob(f"reconstructed.{suffix}")
    assert contents(back) == contents(file)
    record = Measurement.read(tmp_path / "c" / "measurement.json")
    assert (record.parameters["transform"], record.parameters["engine"]) == ("identity", None)
    assert record.results["checkpoint_bytes"] is None
    assert record.results["latent_bytes"] == record.results["native_bytes"]
    assert "pcodec" in record.provenance["software"]


@pytest.mark.parametrize("suffix", ["root", "parquet", "npz"])
@pytest.mark.parametrize(
    "packing", ["zlib", "lzma-1", "blosc2-zstd-1-bitshuffle", "parquet-zstd", "root-lz4", "rntuple-zstd-5"]
)
def test_each_coder_brings_a_file_back_to_the_bit(stage, repository, tmp_path, suffix, packing):
    if reason := Packing.parse(packing).missing():
        pytest.skip(reason)
    file, words = repository / "tests" / "formats" / "fixtures" / f"jets.{suffix}", (*IDENTITY[:3], packing)
    stage("compress", *words, "--data", file, "--out", tmp_path / "c")
    stage("decompress", *words, "--compressed", tmp_path / "c" / "table.baler", "--out", tmp_path / "d")
    assert contents(tmp_path / "d" / f"reconstructed.{suffix}") == contents(file)
    record = Measurement.read(tmp_path / "c" / "measurement.json")
    # A file has a head, which so few rows do not outweigh.
    head = Packing.parse(packing).coder.block_rows is not None
    assert head or record.results["stored_latent_bytes"] < record.results["latent_bytes"]
    assert "blosc2" not in packing or record.provenance["software"]["blosc2"]


def test_columns_of_a_file_are_chosen(stage, repository, tmp_path):
    file = repository / "tests" / "formats" / "fixtures" / "jets.parquet"
    name = contents(file)[0][1]
    stage("compress", *IDENTITY, "--data", file, "--columns", name, "--out", tmp_path / "c")
    stage("decompress", *IDENTITY, "--compressed", tmp_path / "c" / "table.baler", "--out", tmp_path / "d")
    assert contents(tmp_path / "d" / "reconstructed.parquet")[0] == (name,)


def test_components_are_trained_applied_and_evaluated(stage, pipeline, tmp_path):
    pca = ("--transform", "pca", "--compression-ratio", 4)
    stage("train", *pca, "--data", pipeline.table, "--out", tmp_path / "t")
    record = Measurement.read(tmp_path / "t" / "measurement.json")
    assert record.results["parameters"] == 24 * 7 and record.parameters["latent_columns"] == 6
    assert {"epochs": None, "batch_size": None, "model": None}.items() <= record.parameters.items()
    assert pd.read_parquet(tmp_path / "t" / "history.parquet").empty
    codec = ("--checkpoint", tmp_path / "t" / "checkpoint.pt")
    stage("apply", *pca, "--data", pipeline.table, *codec, "--out", tmp_path)
    errors = pd.read_parquet(tmp_path / "evaluate" / "errors.parquet").set_index("column")
    assert 0 < errors.loc["all", "rms_over_range"] < 0.1


def test_a_file_of_another_transform_is_refused(stage, pipeline, tmp_path):
    stage("train", "--transform", "pca", "--data", pipeline.table, "--out", tmp_path / "t")
    for options in (("--transform", "pca", "--checkpoint", tmp_path / "t" / "checkpoint.pt"), IDENTITY[:2]):
        with pytest.raises(InputError, match=r"table\.baler: was compressed with transform 'baler'.*--transform baler"):
            stage("decompress", *options, "--compressed", pipeline.compressed, "--out", tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("transform", ["baler", "pca"])
def test_a_codec_that_learns_needs_its_checkpoint(stage, pipeline, tmp_path, transform):
    with pytest.raises(InputError, match="--checkpoint is missing"):
        stage("compress", "--transform", transform, "--data", pipeline.table, "--out", tmp_path / "c")


def test_a_checkpoint_of_the_other_kind_is_refused(stage, pipeline, tmp_path):
    stage("train", "--transform", "pca", "--data", pipeline.table, "--out", tmp_path / "t")
    of_pca = ("--checkpoint", tmp_path / "t" / "checkpoint.pt")
    with pytest.raises(InputError, match=r"checkpoint\.pt: is truncated, damaged or not a valid checkpoint"):
        stage("compress", "--data", pipeline.table, *of_pca, "--out", tmp_path / "c")
    with pytest.raises(InputError, match="not a valid checkpoint of --transform pca"):
        of_baler = ("--checkpoint", pipeline.checkpoint)
        stage("compress", "--transform", "pca", "--data", pipeline.table, *of_baler, "--out", tmp_path / "c")
    with pytest.raises(InputError, match=r"has 12 components of 24 columns.*--compression-ratio 2\.0"):
        ratio = ("--compression-ratio", 3)
        stage("compress", "--transform", "pca", *ratio, "--data", pipeline.table, *of_pca, "--out", tmp_path / "c")


def test_a_checkpoint_of_a_codec_that_is_not_trained_is_refused(stage, pipeline, tmp_path):
    options = (*IDENTITY, "--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", tmp_path / "c")
    for name in ("compress", "apply"):
        with pytest.raises(InputError, match=r"--checkpoint .*checkpoint\.pt: transform 'identity' is not trained"):
            stage(name, *options)
    assert not list(tmp_path.rglob("*.*"))


def test_identity_is_not_trained_and_columns_are_those_of_the_training(stage, pipeline, tmp_path):
    with pytest.raises(InputError, match="transform 'identity' has no operation 'train'"):
        stage("train", "--transform", "identity", "--data", pipeline.table, "--out", tmp_path / "t")
    with pytest.raises(InputError, match="--columns: the columns are always those of the training"):
        options = ("--engine", "fast", "--checkpoint", pipeline.checkpoint, "--columns", "pt")
        stage("compress", *options, "--data", pipeline.table, "--out", tmp_path / "c")


def profiled_functions(folder):
    """Files and functions of a profile."""
    places = vars(pstats.Stats(str(folder / "profile.pstats")))["stats"]
    return {(Path(file).name, function) for file, _, function in places}


@pytest.fixture(scope="module")
def components(stage, pipeline, tmp_path_factory):
    """Train principal components; return their file."""
    out = tmp_path_factory.mktemp("components")
    stage("train", "--transform", "pca", "--data", pipeline.table, "--out", out)
    return out / "checkpoint.pt"


@pytest.mark.parametrize(
    ("operation", "function"), [("train", "fit"), ("compress", "encode"), ("decompress", "decode")]
)
def test_components_are_profiled(stage, pipeline, components, tmp_path, operation, function):
    options = ("--transform", "pca", "--data", pipeline.table, "--checkpoint", components, "--operation", operation)
    stage("profile", *options, "--profiler", "cprofile", "--out", tmp_path / "c")
    assert ("pca.py", function) in profiled_functions(tmp_path / "c" / operation)
    stage("profile", *options, "--profiler", "torch", "--out", tmp_path / "t")
    operators = pd.read_parquet(tmp_path / "t" / operation / "hotspots.parquet").set_index("name")
    assert operators.loc["aten::mm", "flops"] == 2 * 300 * 24 * (24 if operation == "train" else 12)


@pytest.mark.parametrize(("operation", "function"), [("compress", "encode"), ("decompress", "decode")])
def test_a_codec_without_training_is_profiled_without_a_checkpoint(stage, pipeline, tmp_path, operation, function):
    options = ("--data", pipeline.table, "--operation", operation, "--out", tmp_path)
    stage("profile", *IDENTITY, *options, "--profiler", "cprofile")
    assert ("identity.py", function) in profiled_functions(tmp_path / operation)
    stage("profile", *IDENTITY, *options, "--profiler", "torch")
    (row,) = pd.read_parquet(tmp_path / operation / "hotspots.parquet").to_dict("records")
    assert row["kind"] == "absent" and row["reason"] == "transform 'identity' can only be profiled with cprofile."


def test_only_the_codecs_own_checkpoint_is_profiled(stage, pipeline, components, tmp_path):
    options = ("--transform", "pca", "--data", pipeline.table, "--operation", "compress", "--out", tmp_path)
    with pytest.raises(InputError, match="--checkpoint is missing"):
        stage("profile", *options, "--profiler", "cprofile")
    with pytest.raises(InputError, match=r"has 12 components of 24 columns"):
        ratio = ("--compression-ratio", 3, "--checkpoint", components)
        stage("profile", *options, *ratio, "--profiler", "cprofile")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("transform", ["pca", "identity"])
def test_it_is_not_measured_in_parts(stage, pipeline, tmp_path, transform):
    options = ("--transform", transform, "--data", pipeline.table, "--out", tmp_path)
    with pytest.raises(InputError, match="forward pass"):
        stage("forward", *options, "--checkpoint", pipeline.checkpoint)
    stage("parts", *options, "--checkpoint", pipeline.checkpoint)
    (row,) = pd.read_parquet(tmp_path / "train" / "hotspots.parquet").to_dict("records")
    assert f"not with {transform!r}" in row["reason"]
    with pytest.raises(InputError, match=f"--device cuda: '{transform}' only runs on cpu"):
        stage("compress", *options, "--device", "cuda")


def test_a_file_names_its_transform_before_any_checkpoint_is_read(stage, pipeline, tmp_path):
    stage("compress", *IDENTITY, "--data", pipeline.table, "--out", tmp_path / "c")
    with pytest.raises(InputError, match=r"was compressed with transform 'identity'.*Use --transform identity"):
        stage("decompress", "--compressed", tmp_path / "c" / "table.baler", "--out", tmp_path / "d")


def test_a_value_that_its_columns_type_does_not_hold_is_one_message(stage, tmp_path):
    Table(np.array([[1.0], [300.0]]), ("n",), ("uint8",), {}).write(tmp_path / "t.npz")
    with pytest.raises(InputError, match=r"'n' has the value 300\.0, .*float64, which rounds integers beyond"):
        stage("compress", *IDENTITY, "--data", tmp_path / "t.npz", "--out", tmp_path / "c")


@pytest.mark.parametrize("suffix", ["root", "parquet", "h5"])
@pytest.mark.parametrize("integers", [[-(2**53) + 1, 2**53 - 1], [1, 2**53 + 1], [-(2**63), 2**63 - 1]])
def test_an_integer_of_a_file_that_float64_rounds_comes_back(stage, tmp_path, capsys, suffix, integers):
    path, values = tmp_path / f"big.{suffix}", np.array(integers, np.int64)
    written = {"n": values, "x": np.array([0.5, -0.0], np.float32)}
    if suffix == "root":
        with uproot.recreate(path) as file:
            file["Events"] = written
    elif suffix == "h5":
        with h5py.File(path, "w") as file:
            for name, column in written.items():
                file[f"Events/{name}"] = column
    else:
        pd.DataFrame(written).to_parquet(path)
    stage("compress", *IDENTITY, "--data", path, "--out", tmp_path / "c")
    stage("decompress", *IDENTITY, "--compressed", tmp_path / "c" / "table.baler", "--out", tmp_path / "d")
    with open_source(tmp_path / "d" / f"reconstructed.{suffix}") as source:
        (block,) = source.blocks(10)
        place = source.names.index("n")
        assert source.dtypes[place] == "int64"
        assert block.native(source.names, source.dtypes)[place].tolist() == integers
    assert "2^53" not in capsys.readouterr().err


def test_an_integer_of_a_table_that_float64_rounds_is_reported(stage, tmp_path, capsys):
    Table(np.array([[1.0], [2.0**53 + 2]]), ("n",), ("int64",), {}).write(tmp_path / "t.npz")
    stage("compress", *IDENTITY, "--data", tmp_path / "t.npz", "--out", tmp_path / "c")
    assert "Warning: n: contains integers of 2^53 or more, which float64 may round.\n" in capsys.readouterr().err
