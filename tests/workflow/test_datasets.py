"""A study of two datasets: each has its figures, tables and headline."""

import pandas as pd
import pytest

pytestmark = pytest.mark.long


def test_each_of_two_datasets_is_in_the_report(workspace):
    toy = {"source": "toy", "shard_rows": 500}
    study = workspace.study(data={"first": toy, "second": {**toy, "seed": 2}}, axes={"rows": [300, 400], "epochs": [1]})
    workspace.snakemake(study)
    results = workspace.root / "results" / "tiny"
    runs = pd.read_parquet(results / "dataset" / "runs.parquet")
    assert set(runs[runs["at_centre"]].groupby("dataset")["rows"].unique().map(tuple)) == {(300,)}
    for name in ("first", "second"):
        assert (results / "figures" / "cost" / name / "cost_rows.svg").exists()
        assert (results / "tables" / name / "error_measures.csv").exists()
    assert workspace.planned(study) == []
    workspace.snakemake(study, "--report", "report.html")
    page = (workspace.root / "report.html").read_text()
    for name in ("first", "second"):
        assert f"For 300 rows of {name} and 1 epoch of training" in page, name
        assert f"Cost per operation against rows ({name})." in page, "captions"
