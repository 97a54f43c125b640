"""A fingerprint covers what reads results: collection, derived quantities, figures, tables, the first page."""

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from compared_sources import POINT, Files, check, codec, compare, loaded

from baler_energy import sources
from baler_energy.config.study import Point, load_study
from baler_energy.records import Measurement
from baler_energy.variants import CHAPTERS, TRANSFORMS

pytestmark = pytest.mark.long


def test_derived_quantities(made: Files) -> None:
    back = made.results / "runs" / POINT / "decompress" / "reconstructed.npz"
    derived = '{"total": {"sum": ["pt", "mass"], "windows": {"low": [0, 50]}}}'
    arguments = ["derive", "--original", made.table, "--reconstructed", back, "--derived", derived, "--out", made.out]
    check(made, arguments, sources.stage("derive"))


def study_of(made: Files, **changes: Any) -> tuple[Path, tuple[Point, ...]]:
    """Write a study and its results, in which each point has the files of the finished study; return its points."""
    study, results = made.out / "study.yaml", made.out / "results"
    text = yaml.safe_load((made.results / "study.yaml").read_text()) | {"profile": {"points": []}} | changes
    shutil.copytree(made.results / "calibration", results / "calibration")
    study.write_text(yaml.safe_dump(text))
    points = load_study(study).points
    for point in points:
        shutil.copytree(made.results / "runs" / POINT, results / "runs" / point.path)
        own = {name: value for name, value in point.model_dump().items() if name not in ("device", "rows", "threads")}
        for path in (results / "runs" / point.path).glob("*/measurement.json"):
            record = Measurement.read(path)
            record.model_copy(update={"run_id": point.path, "parameters": record.parameters | own}).write(path)
    return study, points


@pytest.mark.parametrize(
    ("transform", "engine"), [(name, engine) for name, engines in TRANSFORMS.items() for engine in engines]
)
def test_a_collection(made: Files, transform: str, engine: str | None) -> None:
    axes = {"rows": [400], "epochs": [1], "transform": [transform], "engine": [engine or "reference"]}
    study, points = study_of(made, axes=axes)
    assert [(point.transform, point.engine) for point in points] == [(transform, engine)]
    arguments = ["collect", "--study", study, "--results", made.out / "results", "--out", made.out / "dataset"]
    check(made, [*arguments, "--processes", "1"], *sources.analysed("collect", points))
    assert pq.read_table(made.out / "dataset" / "runs.parquet")["transform"].unique().to_pylist() == [transform]


def test_a_round_of_repeats(made: Files) -> None:
    axes = {"rows": [400], "epochs": [1], "transform": ["baler", "identity"]}
    study, points = study_of(made, axes=axes, repeats={"least": 2, "most": 3})
    out = made.out / "results" / "repeats" / "round~1.json"
    arguments = ["repeats", "--study", study, "--results", made.out / "results", "--round", "1", "--out", out]
    check(made, arguments, *sources.analysed("repeats", points))
    assert len(json.loads(out.read_text())["relative_half_widths"]) == 2


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_figures(made: Files, chapter: str) -> None:
    arguments = ["figures", "--dataset", made.results / "dataset", "--chapter", chapter, "--out", made.out]
    # Not every chapter asks the codecs.
    compare(loaded(made, arguments), *sources.drawn(chapter), checked=sources.drawn(chapter, [codec()]))


def test_tables_and_the_first_page(made: Files) -> None:
    dataset = ["--dataset", made.results / "dataset"]
    behind = (*sources.tabulated(), *sources.analysed("tables", [codec()]))
    check(made, ["tables", *dataset, "--out", made.out], *behind)
    drawn = [made.results / "figures" / chapter for chapter in CHAPTERS]
    page = ["report", *dataset, "--figures", *drawn, "--out", made.out / "overview.rst"]
    check(made, page, *sources.reported())


def test_foreign_files(made: Files, repository: Path, tmp_path: Path) -> None:
    text = runpy.run_path(str(repository / "tests" / "foreign" / "conftest.py"))["codecarbon_text"]()
    log = tmp_path / "emissions.csv"
    log.write_text(text)
    check(made, ["import", log, "--out", made.out], sources.stage("import_files"))
