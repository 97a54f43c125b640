"""Rounds of further repeats: Snakemake runs them one after the other, and later steps read all repeats."""

import json

import pandas as pd
import pytest
from rule_names import MEASURING

pytestmark = pytest.mark.long

#: No interval is this narrow, so every round adds a repeat.
REPEATS = {"least": 2, "most": 4, "target": 1e-9}


@pytest.fixture(scope="module")
def study(workspace):
    return workspace.study(name="rounds", repeats=REPEATS)


@pytest.fixture(scope="module")
def results(workspace, study):
    """Run the study up to its dataset."""
    workspace.snakemake(study, "--until", "collect")
    return workspace.root / "results" / "rounds"


def test_rounds_add_repeats_up_to_the_most_and_the_dataset_has_them(results):
    decided = [json.loads((results / "repeats" / f"round~{number}.json").read_text()) for number in (1, 2)]
    point = "toy/rows~400/epochs~1"
    assert [round_["points"] for round_ in decided] == [[f"{point}/repeat~{number}"] for number in (2, 3)]
    assert not (results / "repeats" / "round~3.json").exists()
    runs = pd.read_parquet(results / "dataset" / "runs.parquet")
    assert runs.groupby("operation", observed=True)["repeat"].agg(sorted).tolist() == [[0, 1, 2, 3]] * 3
    seeds = runs.drop_duplicates("repeat").set_index("repeat")["seed"]
    assert seeds.tolist() == [1, 2, 3, 4]


def dry_run(workspace, **changes):
    """Return the rules that would measure, and whether a round would be decided."""
    said = workspace.snakemake(workspace.study(name="rounds", **changes), "--dry-run")
    return {rule for rule, _ in workspace.jobs_in(said)} & MEASURING, "checkpoint repeats:" in said


def test_a_finished_study_decides_nothing_again(workspace, results):
    assert dry_run(workspace, repeats=REPEATS) == (set(), False)


@pytest.mark.parametrize("changes", [{"repeats": REPEATS | {"target": 0.9}}, {"repeats": REPEATS, "country": "POL"}])
def test_a_changed_study_decides_again_and_keeps_what_was_measured(workspace, results, changes):
    assert dry_run(workspace, **changes) == (set(), True)
