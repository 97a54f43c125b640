"""A whole study whose folder, files, columns and windows have names that shells, Snakemake and Jinja interpret."""

import os
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.long

#: LaTeX, options, wildcards and path variables of Snakemake, quotes, variables and commands of a shell, formulas.
COLUMNS = (
    "p_{T} [GeV]",
    "-m",
    "--",
    "$\\eta$",
    'it\'s "q" $HOME',
    "<results>",
    "`touch pwned`",
    "=1+1",
    "{wildcards.x}",
)
#: The same in a path, which contains no slash.
ODD = "{T} <x> 'a' \"b\" $HOME;`touch pwned`"


@pytest.fixture(scope="module")
def odd(make_workspace: Callable[[], Any], warm_snakemake: Any, repository: Path) -> Any:
    """Return a workspace with an odd name and odd files, and a study of them."""
    made = make_workspace()
    root = made.root.with_name(f"{made.root.name} {ODD}")
    made.root.rename(root)
    values = np.random.default_rng(1).normal(10, 1, size=(300, len(COLUMNS)))
    pd.DataFrame(values, columns=list(COLUMNS)).to_parquet(root / f"-m {ODD}.parquet")
    text = runpy.run_path(str(repository / "tests" / "foreign" / "conftest.py"))["codecarbon_text"]()
    (root / f"{ODD}.csv").write_text(text)
    (root / f"watts {ODD}.csv").write_text("time,power_w\n2026-01-01T00:00:00Z,20\n2026-01-01T00:00:01Z,20\n")
    workspace = replace(made, root=root, warm=warm_snakemake)
    mass = {"sum": list(COLUMNS[:2]), "windows": {"$Z$ {x} <y>": [10, 30]}, "unit": "$GeV{"}
    own = {"source": "file", "path": f"-m {ODD}.parquet", "columns": list(COLUMNS), "derived": {"m": mass}}
    study = workspace.study(
        data={"own": own},
        axes={"rows": [200], "epochs": [1]},
        imports=[f"{ODD}.csv"],
        wattmeter={"path": f"watts {ODD}.csv"},
        profile={"points": [{"rows": 200}], "profilers": ["cprofile"], "max_batches": 1},
    )
    return workspace, study


def test_it_runs_to_its_report_and_keeps_every_name(odd: Any) -> None:
    workspace, study = odd
    workspace.snakemake(study)
    results = workspace.root / "results" / "tiny"
    errors = pd.read_parquet(results / "dataset" / "errors.parquet")
    assert set(errors["column"]) == {*COLUMNS, "all"}
    assert set(pd.read_parquet(results / "dataset" / "derived.parquet")["window"].dropna()) == {"$Z$ {x} <y>"}
    assert set(pd.read_parquet(results / "dataset" / "foreign.parquet")["file"]) == {f"{ODD}.csv"}
    assert not list(workspace.root.rglob("pwned"))
    drawn = {path.stem for path in (results / "figures").rglob("*.svg")}
    assert drawn >= {"column_errors", "distributions", "derived", "foreign", "functions"}, drawn
    page = (results / "tables" / "physics.html").read_text("utf-8")
    assert "<y>" not in page and "$Z$ {x} &lt;y&gt;" in page
    # Everything is up to date, also what depends on the files.
    assert workspace.planned(study) == []
    report = workspace.run("snakemake", "--cores", "1", "--report", "report.html", "--configfile", study)
    assert report.returncode == 0, report.stdout
    assert "<script>alert" not in (workspace.root / "report.html").read_text("utf-8")


def test_a_file_that_has_changed_is_read_again(odd: Any) -> None:
    workspace, study = odd
    os.utime(workspace.root / f"{ODD}.csv", ns=(1, 1))
    rules = {rule for rule, _ in workspace.planned(study)}
    assert "foreign" in rules and "prepare" not in rules
    path = workspace.root / f"-m {ODD}.parquet"
    (pd.read_parquet(path) + 1).to_parquet(path)
    assert {"prepare", "train", "apply"} <= {rule for rule, _ in workspace.planned(study)}


def test_a_file_that_is_missing_is_reported_before_anything_runs(odd: Any) -> None:
    workspace, _ = odd
    study = workspace.study(imports=["{nowhere}.csv"])
    done = workspace.run("snakemake", "--cores", "1", "--dry-run", "--configfile", study)
    assert done.returncode != 0 and "imports.0: {nowhere}.csv: no such file" in done.stdout
    assert "Traceback" not in done.stdout
