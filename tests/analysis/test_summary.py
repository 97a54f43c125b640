"""Means of each point over the runs that count."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from baler_energy.analysis.schema import TABLES, arrow_schema, check_columns
from baler_energy.analysis.summary import summary
from baler_energy.config.parameters import AXIS_DEFAULTS

POINT = AXIS_DEFAULTS | {"dataset": "d", "source": "toy", "columns": 4, "device": "cpu", "rows": 10, "threads": 1}
POINT |= {"batch_size": 5, "latent_columns": 2, "epochs": 1, "compression_ratio": 2.0}


def runs(*rows):
    """Make runs that count, with energy and duration 1, unless given otherwise."""
    base = {"operation": "train", "energy_evidence": "modelled", "energy_scope": "cpu+ram", "in_mean": True}
    base |= {"energy_j": 1.0, "duration_s": 1.0, "at_reference": True, "native_bytes": 160, "energy_j_per_mb": 6250.0}
    made = [POINT | base | {"run_id": str(n), "repeat": n} | row for n, row in enumerate(rows)]
    return pd.DataFrame(made, columns=[column.name for column in TABLES["runs"][1]])


def test_means_have_n_and_intervals_and_leave_flagged_runs_out():
    bad = {"energy_j": 99.0, "in_mean": False, "run_flags": "throttled"}
    table = summary(runs({"energy_j": 1.0}, {"energy_j": 2.0}, {"energy_j": 3.0}, bad))
    check_columns("summary", list(table))
    (row,) = table.to_dict("records")
    assert (row["energy_j"], row["n"], row["flagged_runs"], row["run_flags"]) == (2.0, 3, 1, "throttled")
    assert row["energy_half_width_j"] == pytest.approx(4.30265 / np.sqrt(3), rel=1e-5)  # t(0.975, 2)
    assert (row["energy_flagged_low_j"], row["energy_flagged_high_j"]) == (99.0, 99.0)
    assert (row["native_bytes"], row["energy_j_per_mb"], row["energy_half_width_j_per_mb"]) == (160, 6250.0, 0.0)
    assert bool(row["at_reference"])


def test_nothing_is_null_and_never_zero():
    table = summary(runs({"energy_j": None, "native_bytes": None, "energy_j_per_mb": None}))
    arrow = pa.Table.from_pandas(table, schema=arrow_schema("summary"), preserve_index=False)
    (row,) = arrow.to_pylist()
    names = ("energy_j", "energy_half_width_j", "energy_j_per_mb", "native_bytes", "run_flags", "mean_nrmse")
    assert [row[name] for name in names] == [None] * len(names)
    assert (row["n"], row["duration_s"], row["duration_half_width_s"]) == (1, 1.0, None)


def test_points_operations_and_kinds_of_energy_are_apart():
    rows = [{}, {"epochs": 5}, {"operation": "compress"}, {"energy_scope": "cpu"}, {"threads": 2}, {"device": "cuda"}]
    table = summary(runs(*rows))
    assert len(table) == len(rows) and set(table["n"]) == {1}


def test_errors_are_of_all_runs_and_of_whichever_operation_has_them():
    rows = [
        {"run_id": f"{n}", "operation": operation, "mean_nrmse": value if operation == "compress" else None}
        | {"in_mean": n > 0, "loss_per_value": value / 10 if operation == "train" else None}
        for n, value in enumerate((0.2, 0.4))
        for operation in ("train", "compress")
    ]
    table = summary(runs(*rows)).set_index("operation")
    assert table["mean_nrmse"].tolist() == pytest.approx([0.3, 0.3])
    assert table.loc["train", "loss_per_value"] == pytest.approx(0.03)
    assert np.isnan(table.loc["compress", "loss_per_value"])
