"""The work of an operation, against numbers that were counted by hand."""

import math
from typing import Any

import pytest
from known_law import known_runs, point

from baler_energy.analysis.work import TERMS, with_work, work

SMALL: dict[str, Any] = {"rows": 1_000, "epochs": 5, "batch_size": 512}


def test_a_training_counts_its_steps_flops_and_bytes() -> None:
    found = work(point(**SMALL), "train")
    assert (found["job"], found["epoch"], found["step"]) == (1, 5, 10)
    assert found["flop"] == 355_200 * 1_000 * 5
    # The layers put out 200 + 100 + 50 + 12 numbers per row, and 50 + 100 + 200 + 24.
    assert found["byte"] == 8 * (1_000 * 5 * (24 + 3 * 736) + 61_536 * 10)
    assert (found["rows_passed"], found["size"]) == (5_000, 5_000 * 177_600)


@pytest.mark.parametrize("operation", ["compress", "decompress"])
def test_applying_a_codec_passes_the_table_once(operation: str) -> None:
    found = work(point(**SMALL), operation)
    assert math.isnan(found["epoch"]) and found["step"] == 2
    assert found["flop"] == 2 * 30_400 * 1_000
    assert found["byte"] == 8 * 1_000 * (24 + 12)
    assert found["rows_passed"] == 1_000


def test_a_narrower_format_moves_fewer_bytes_and_as_many_flops() -> None:
    wide, narrow, half = (work(point(precision=name), "train") for name in ("float64", "float32", "bfloat16"))
    assert wide["byte"] == 2 * narrow["byte"] == 2 * half["byte"] and wide["flop"] == narrow["flop"]


def test_a_training_that_stopped_early_counts_the_epochs_that_ran() -> None:
    assert work(point(epochs_run=2), "train") == work(point(epochs=2), "train")


def test_a_bound_on_the_error_also_decodes() -> None:
    bound = work(point(packing="zstd+bound-0.01"), "compress")
    assert bound["flop"] == 2 * work(point(), "compress")["flop"]


def test_a_codec_without_a_network_has_neither_flops_nor_steps() -> None:
    none = dict.fromkeys(("engine", "model", "precision", "batch_size", "epochs", "compression_ratio", "pruning"))
    found = work(point(**none, transform="identity", latent_columns=None, packing="zstd"), "compress")
    assert all(math.isnan(found[name]) for name in ("epoch", "step", "flop"))
    assert found["byte"] == 8 * 3_000 * 48 and found["size"] == 3_000


def test_principal_components_have_flops_without_a_network() -> None:
    none = dict.fromkeys(("engine", "model", "precision", "batch_size", "epochs", "pruning"))
    train, compress, decompress = (
        work(point(**none, transform="pca"), operation) for operation in ("train", "compress", "decompress")
    )
    assert train["flop"] == 2 * 24 * 24 * 3_000 and train["byte"] == 8 * 3_000 * 24
    assert compress["flop"] == decompress["flop"] == 2 * 24 * 12 * 3_000
    assert work(point(**none, transform="pca", packing="bound-0.01"), "compress")["flop"] == 2 * compress["flop"]


def test_the_work_of_a_pruned_network_is_unknown() -> None:
    found = work(point(pruning="neurons-0.5"), "train")
    assert math.isnan(found["flop"]) and math.isnan(found["byte"]) and found["step"] == 24


def test_a_table_of_runs_gets_the_same_numbers() -> None:
    runs = known_runs(grid={"rows": (200, 3_000), "model": ("baler", "baler-x2")})
    found = with_work(runs)
    row = found[(found["rows"] == 3_000) & (found["model"] == "baler") & (found["operation"] == "train")].iloc[0]
    expected = work(point(), "train")
    assert {name: row[name] for name in (*TERMS, "rows_passed", "size")} == expected
    assert with_work(runs.iloc[:0]).empty
