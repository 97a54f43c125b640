"""A study of several transforms: each has its operations, and parameters that do not apply are null."""

import json

import pandas as pd
import pytest

from baler_energy.config.parameters import AXES, applies
from baler_energy.data.table import Table
from baler_energy.figures.selection import centre_of, describe

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def results(workspace):
    """Run a study of the transforms, each with a lossless packing, up to its report."""
    axes = {"rows": [400], "epochs": [1], "transform": ["baler", "pca", "identity"], "packing": ["pcodec"]}
    points = [{"transform": transform} for transform in axes["transform"]]
    profile = {"points": points, "profilers": ["cprofile"], "max_batches": 1}
    workspace.snakemake(workspace.study(axes=axes, profile=profile))
    return workspace.root / "results" / "tiny"


@pytest.fixture(scope="module")
def runs(results):
    return pd.read_parquet(results / "dataset" / "runs.parquet")


def test_each_has_its_operations(results, runs):
    found = runs.groupby("transform")["operation"].apply(list).to_dict()
    applied = ["compress", "decompress"]
    assert found == {"baler": ["train", *applied], "pca": ["train", *applied], "identity": applied}
    folder = results / "runs" / "toy" / "rows~400" / "transform~identity" / "packing~pcodec" / "repeat~0"
    assert sorted(path.name for path in folder.iterdir()) == ["compress", "decompress", "evaluate"]


def test_parameters_that_do_not_apply_are_null(runs):
    null = {name: {axis for axis in AXES if part[axis].isna().all()} for name, part in runs.groupby("transform")}
    baler_only = {axis for axis in AXES if not applies(axis, "pca")}
    assert baler_only >= {"engine", "model", "precision", "batch_size", "epochs", "start", "optimizer"}
    # No learning rate is that of the optimizer.
    assert null == {"baler": {"learning_rate"}, "pca": baler_only, "identity": baler_only | {"compression_ratio"}}
    assert runs[runs["transform"] == "pca"]["latent_columns"].unique().tolist() == [12]


def test_a_lossless_codec_loses_nothing_and_the_components_less_than_an_epoch(results, runs):
    errors = runs.groupby("transform")[["mean_rms_over_range", "max_over_range", "ratio_native_bytes"]].first()
    assert errors.loc["identity", ["mean_rms_over_range", "max_over_range"]].tolist() == [0, 0]
    assert errors.loc["identity", "ratio_native_bytes"] > errors.loc["pca", "ratio_native_bytes"]
    assert 0 < errors.loc["pca", "mean_rms_over_range"] < errors.loc["baler", "mean_rms_over_range"]
    back = results / "runs/toy/rows~400/transform~identity/packing~pcodec/repeat~0/decompress/reconstructed.npz"
    before = Table.read(results / "data" / "toy" / "rows~400" / "table.npz")
    assert Table.read(back).data.tobytes() == before.data.tobytes()


def test_every_run_is_in_the_tables_of_the_dataset_and_of_the_report(results, runs):
    dataset = results / "dataset"
    for name in ("errors", "histograms", "measurements"):
        assert set(pd.read_parquet(dataset / f"{name}.parquet")["run_id"]) == set(runs["run_id"])
    assert set(pd.read_parquet(dataset / "history.parquet")["transform"]) == {"baler"}, "the others have no epochs"
    ratios = pd.read_csv(results / "tables" / "ratios.csv")
    assert set(ratios["transform"]) == {"baler", "pca", "identity"}
    page = (results / "tables" / "summary.html").read_text("utf-8")
    assert "none (identity)" in page and ">nan<" not in page


def test_each_is_profiled_in_its_operations(results):
    hotspots = pd.read_parquet(results / "dataset" / "hotspots.parquet")
    found = hotspots[hotspots["kind"] == "function"].groupby("transform")["operation"].apply(set).to_dict()
    applied = {"compress", "decompress"}
    assert found == {"baler": {"train", *applied}, "pca": {"train", *applied}, "identity": applied}


def test_whole_numbers_stay_whole_where_other_codecs_have_none(results):
    left_out = json.loads((results / "figures" / "cost" / "left_out.json").read_text("utf-8"))
    assert "only one value of batch_size (512)" in left_out["cost_batch_size"]
    runs = pd.read_parquet(results / "dataset" / "runs.parquet")
    words = describe(centre_of(runs))
    assert "batch size 512, compression ratio 2, packing pcodec" in words and words.endswith("1 epoch")
