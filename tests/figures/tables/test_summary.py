"""The tables with a row for each point: its words name what it is about."""

import pandas as pd
import pytest

from baler_energy.figures.tables import metrics, summary


@pytest.mark.parametrize("table", [summary.TABLE, metrics.TABLE], ids=lambda table: table.name)
def test_points_that_differ_in_any_parameter_have_different_words(build, table):
    tables = build(engines=True, optimizers=True)
    changed = {"start": "pca", "learning_rate": 0.003, "schedule": "one-cycle", "pruning": "neurons-0.5"}
    runs = tables["runs"]
    others = [runs[runs["at_reference"]].assign(run_id=f"r{value}", **{key: value}) for key, value in changed.items()]
    frame = table.make({**tables, "runs": pd.concat([runs, *others], ignore_index=True)})
    rows = table.rows(frame, len(frame))
    heads = ("dataset", "rows", "epochs", "settings", "threads", "run on", "operation")  # a narrow window has these
    assert len({tuple(row[head] for head in heads) for row in rows}) == len(rows)
    words = {row["settings"] for row in rows}
    assert {
        "default",
        "engine fast, float32",
        "start pca",
        "learning rate 0.003",
        "schedule one-cycle",
        "pruning neurons-0.5",
        "optimizer sgd",
    } <= words
