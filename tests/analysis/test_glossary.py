"""The glossary: one entry for each metric, sources that exist, and a page that follows the code."""

import re
import runpy
from pathlib import Path

from baler_energy.analysis.efficiency import ALPHA, KEYS, metrics
from baler_energy.analysis.glossary import GLOSSARY, REFERENCES, markdown
from baler_energy.analysis.glossary_errors import ERRORS
from baler_energy.analysis.schema import TABLES

#: What a column's name ends with, by unit.
ENDINGS = {"J": ("_j", "j_per_weight", "j_per_row"), "s": ("_s",), "h": ("_hours",), "1/J": ("_per_j",)}


def test_every_metric_has_exactly_one_entry(repository: Path) -> None:
    build = runpy.run_path(str(repository / "tests" / "figures" / "conftest.py"))["_build"]
    columns = [name for name in metrics(build(repeats=1)) if name not in (*KEYS, "reasons")]
    assert columns == [entry.column for entry in GLOSSARY]


def test_entries_are_complete_and_names_carry_their_units() -> None:
    for entry in (*GLOSSARY, *ERRORS):
        assert all(vars(entry).values()), entry.column
        if entry.unit in ENDINGS:
            assert entry.column.endswith(ENDINGS[entry.unit]), entry.column
    assert f"alpha = {ALPHA:g}" in GLOSSARY[-1].formula


def test_measures_of_the_error_are_columns_of_the_dataset() -> None:
    columns = {column.name for column in TABLES["errors"][1]}
    without = {"column", "on_rows", "dtype", "range", "standard_deviation", "rms_residual", "nonzero_count"}
    without |= {"zero_count", "integer_count", "relative_error_mean", "relative_error_rms", "relative_error_p99"}
    without |= {"trivial_max_over_range", "trivial_ks_distance"}
    without |= {"trivial_relative_error_median", "trivial_relative_error_p99"}
    without |= {"trivial_wasserstein_over_deviation", "trivial_zeros_kept", "trivial_integers_kept"}
    own = columns - {column.name for column in TABLES["history"][1]} - without
    # Those on held-out rows have the same columns; their entry is named as in the table of the runs.
    measures = {entry.column for entry in ERRORS}
    assert {name for name in measures if name.startswith("held_out_")} <= {column.name for column in TABLES["runs"][1]}
    assert {name for name in measures if not name.startswith("held_out_")} == own


def test_papers_are_those_that_are_cited() -> None:
    texts = " ".join(f"{entry.source} {entry.misleads}" for entry in (*GLOSSARY, *ERRORS))
    assert set(re.findall(r"arXiv (\d{4}\.\d{5})", texts)) == set(REFERENCES)


def test_the_page_of_the_repository_is_that_of_the_code(repository: Path) -> None:
    written = (repository / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert written == markdown(), "run `baler-energy schema` with --glossary docs/glossary.md"
    assert "[arXiv 1710.05420](https://arxiv.org/abs/1710.05420)" in written
