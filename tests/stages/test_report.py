"""Stage report: the first page survives Jinja and reStructuredText and leads with the evidence."""

import html
import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docutils.core import publish_parts

from baler_energy.cli import main
from baler_energy.figures import overview
from baler_energy.figures.base import Dataset
from baler_energy.stages import report
from baler_energy.variants import CHAPTERS

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def write(repository: Path) -> Write:
    function: Write = runpy.run_path(str(repository / "tests" / "figures" / "conftest.py"))["write_dataset"]
    return function


def chapters(folder: Path, **reasons: dict[str, str]) -> list[Path]:
    for name in CHAPTERS:
        (folder / name).mkdir(parents=True)
        (folder / name / "left_out.json").write_text(json.dumps(reasons.get(name, {})))
    return [folder / name for name in CHAPTERS]


def rendered(page: Path) -> str:
    """Render the page like Snakemake's report; any docutils warning is an error."""
    text = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(page.read_text("utf-8")).render()
    parts = publish_parts(text, writer="html", settings_overrides={"halt_level": 2})
    return html.unescape(str(parts["html_body"]))


def test_page_of_a_modelled_study(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset", flags="contaminated")
    reason = "one value {{ 7 * 6 }} of {% raw %} only"
    folders = chapters(tmp_path / "figures", cost={"cost_rows": reason})
    arguments = ["report", "--dataset", str(tmp_path / "dataset"), "--out", str(tmp_path / "overview.rst")]
    assert main([*arguments, "--figures", *map(str, folders)]) == 0
    page = rendered(tmp_path / "overview.rst")
    assert reason in page and "value 42" not in page
    assert "node{1}: Example CPU @ 2.4 GHz *" in page
    assert page.index("MODELLED: no energy was read from a hardware counter") < page.index("30,000 rows")
    assert "toy" not in page.lower() and "nan" not in page.lower().replace("tenan", "")
    for words in (
        "27 runs in all",
        "contaminated",
        "1 of 81 records are flagged (contaminated) and excluded from means",
        "nothing is saved",
        "± ",
        "µJ",
    ):
        assert words in page, words
    assert "one value" in page[page.index("Figures left out") :]


def test_the_first_page_gives_the_error_both_ways_and_names_columns_worse_than_their_mean(tmp_path, write) -> None:
    write(tmp_path / "dataset", repeats=1)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = " ".join(rendered(tmp_path / "overview.rst").split())
    found = re.search(r"off by ([\d.]+) % of a column's range, ([\d.]+) % of its standard deviation", page)
    assert found and float(found[2]) == pytest.approx(float(found[1]) / 0.08, rel=0.02)
    assert "Storing only each column's mean would be off by 8 % of its range." in page
    assert "WORSE THAN THEIR MEAN are 2 of 8 columns: charged_multiplicity, odd$name_." in page
    for words in ("RMS residual / range", "RMS residual / standard deviation"):
        assert re.search(rf"{words}, mean over columns, [\d.]+ % \(n = 1\); storing only the means: (8|100) %", page)


@pytest.mark.parametrize(("notes", "label"), [("simulated", ""), (None, "some ")])
def test_the_first_page_says_that_the_machine_is_simulated(tmp_path, write, notes, label) -> None:
    def noted(runs: pd.DataFrame) -> pd.DataFrame:
        return runs.assign(run_notes=["simulated", *[notes] * (len(runs) - 1)])

    write(tmp_path / "dataset", evidence={"cpu": "measured"})
    change(tmp_path / "dataset", "runs", noted)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = " ".join(rendered(tmp_path / "overview.rst").split())
    of = "81 of 81 records" if notes else "1 of 81 records"
    assert f"comes from counters, in {of} those of a simulated machine, whose power is set by a program." in page
    assert f"{label.upper()}ENERGIES OF A SIMULATED MACHINE." in page


def change(dataset: Path, name: str, changed: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Replace a table of a dataset."""
    path = dataset / f"{name}.parquet"
    frame, schema = pq.read_table(path).to_pandas(), pq.read_schema(path)
    pq.write_table(pa.Table.from_pandas(changed(frame), schema=schema, preserve_index=False), path)


def test_columns_and_codecs_that_are_worse_than_their_mean_are_named(tmp_path, write) -> None:
    def bad_codecs(runs: pd.DataFrame) -> pd.DataFrame:
        runs.loc[runs["epochs"] == 1, ["mean_nrmse", "mean_rms_over_range"]] = (1.2, 0.1)
        runs.loc[(runs["epochs"] == 25) & (runs["repeat"] == 0), "held_out_mean_nrmse"] = 1.5
        runs.loc[runs["batch_size"] == 128, "columns_worse_than_mean"] = 3
        return runs

    def bad_column(errors: pd.DataFrame) -> pd.DataFrame:
        changed = {"standard_deviation": 0.0, "rms_residual": 1.0}
        errors.loc[errors["column"] == "constant", list(changed)] = tuple(changed.values())
        return errors

    write(tmp_path / "dataset")
    change(tmp_path / "dataset", "runs", bad_codecs)
    change(tmp_path / "dataset", "errors", bad_column)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = " ".join(rendered(tmp_path / "overview.rst").split())
    unseen = "OFF BY MORE THAN THE TRAINING ROWS' STANDARD DEVIATION on rows that were not trained on"
    for said in (
        "WORSE THAN THEIR MEAN are 3 of 8 columns: charged_multiplicity, constant, odd$name_.",
        "WORSE THAN STORING THE MEANS, over all columns: 1 of 5 codecs (baler 1/2, 1 epoch).",
        f"{unseen}: 1 of 5 codecs (baler 1/2, 25 epochs: 1 of 3 runs).",
        "SOME COLUMNS WORSE THAN THEIR MEAN: 1 of 5 codecs (baler 1/2, batch size 128, 5 epochs).",
    ):
        assert said in page, said


def test_a_model_that_outputs_a_constant_is_named(tmp_path, write) -> None:
    def constant(table: pd.DataFrame) -> pd.DataFrame:
        here = (table["rows"] == 30_000) & (table["batch_size"] == 512) & (table["epochs"] == 5)
        name = "mean_explained_variance" if "operation" in table else "explained_variance"
        flat = here if "operation" in table else here & (table["column"] == "eta")
        return table.assign(**{name: flat.map({True: 3e-16, False: 0.7})})

    write(tmp_path / "dataset")
    for name in ("runs", "errors"):
        change(tmp_path / "dataset", name, constant)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = " ".join(rendered(tmp_path / "overview.rst").split())
    assert "A CONSTANT COMES BACK for 1 of 7 columns: eta." in page
    assert "OUTPUT A CONSTANT for every column: 1 of 5 codecs (baler 1/2, 5 epochs: 9 of 15 runs)." in page


def test_each_dataset_has_its_headline_and_numbers(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset", second="muons_")

    def costly(runs: pd.DataFrame) -> pd.DataFrame:
        return runs.assign(energy_j=runs["energy_j"].mask(runs["dataset"] == "muons_", 7e9))

    change(tmp_path / "dataset", "runs", costly)
    assert set(Dataset(tmp_path / "dataset")["errors"]["dataset"]) == {"jets", "muons_"}
    folders = chapters(tmp_path / "figures", cost={"muons_/cost_rows": "one value", "jets/cost_rows": "none"})
    report.report(tmp_path / "dataset", folders, tmp_path / "overview.rst")
    page = " ".join(rendered(tmp_path / "overview.rst").split())
    numbers = page.index("Main numbers")
    for name, energy in (("jets", " J to train"), ("muons_", "7 GJ to train")):
        headline = page.index(f"For 30,000 rows of {name} and 5 epochs")
        assert page.index(f"Dataset {name}") < headline < numbers < page.index(f"Centre: {name}, 30,000 rows, ")
        assert energy in page[headline : page.index(";", headline)]
    assert "(muons_) (chapter" in page and "(jets) (chapter" in page


def test_the_ratio_over_the_source_file_is_known_or_has_a_reason(tmp_path: Path, write: Write) -> None:
    def reason(runs: pd.DataFrame) -> pd.DataFrame:
        return runs.assign(source_bytes_reason="the source is remote")

    write(tmp_path / "dataset")
    change(tmp_path / "dataset", "runs", reason)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    assert "Ratio, source file / compressed file: unknown: the source is remote" in page
    assert re.search(r"Ratio, table in recorded formats / compressed file: [\d.]+", page)
    change(tmp_path / "dataset", "runs", lambda runs: runs.assign(ratio_source_bytes=3.25))
    report.report(tmp_path / "dataset", [], tmp_path / "overview.rst")
    assert "Ratio, source file / compressed file: 3.250" in rendered(tmp_path / "overview.rst")


def test_a_study_with_only_flagged_runs_starts_with_that_and_marks_its_numbers(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset", flags="contaminated", all_flagged=True)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    first = page.index("ALL 81 RECORDS ARE FLAGGED: contaminated.")
    assert first < page.index("MODELLED: no energy was read") < page.index("For 30,000 rows")
    assert "J (flagged) to train" in page and "0 (+ 3 flagged)" in page and "nan" not in page.lower()
    assert "RMS residual / range, mean over columns" in page  # errors do not depend on the flags


def test_flagged_runs_are_in_no_main_number(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset")
    path = tmp_path / "dataset" / "runs.parquet"
    frame, schema = pq.read_table(path).to_pandas(), pq.read_schema(path)
    here = (frame["rows"] == 30_000) & (frame["batch_size"] == 512) & (frame["epochs"] == 5) & (frame["repeat"] == 0)
    frame.loc[here, "run_flags"] = "throttled"
    frame.loc[here, "in_mean"] = False
    frame.loc[here, "energy_j"] = 1e9
    pq.write_table(pa.Table.from_pandas(frame, schema=schema), path)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    assert "2 (+ 1 flagged)" in page and "GJ" not in page and "MJ" not in page
    assert "jets/rows~30000/batch_size~512/epochs~5/device~cpu/repeat~0, train: throttled" in page


def page_of(folder: Path) -> str:
    """Write and render the first page of the dataset in a folder, in one line."""
    figures = folder / "figures"
    report.report(folder / "dataset", chapters(figures), folder / "overview.rst")
    return " ".join(rendered(folder / "overview.rst").split())


@pytest.mark.parametrize("second", ["", "muons"])
def test_the_readmes_snippet_computes_the_first_pages_numbers(
    tmp_path: Path, write: Write, repository: Path, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    def flag(runs: pd.DataFrame) -> pd.DataFrame:
        bad = runs["at_reference"] & (runs["repeat"] == 0)
        runs.loc[bad, "in_mean"] = False
        runs.loc[bad, "run_flags"] = "throttled"
        costs = runs["dataset"].map({"jets": 1.0, "muons": 100.0}) * runs["energy_j"]
        return runs.assign(energy_j=costs.mask(bad, 1e6))

    write(tmp_path / "results" / "laptop" / "dataset", repeats=4, second=second)
    change(tmp_path / "results" / "laptop" / "dataset", "runs", flag)
    page = page_of(tmp_path / "results" / "laptop")
    blocks = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text("utf-8"), re.DOTALL)
    (snippet,) = [block for block in blocks if "runs.parquet" in block]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(snippet, names)
    prefixes = {"k": 1e3, "": 1.0, "m": 1e-3, "µ": 1e-6}
    for dataset in filter(None, ["jets", second]):
        sentence = page[page.index(f"For 30,000 rows of {dataset} ") :]
        for operation in ("train", "compress", "decompress"):
            found = re.search(rf"([\d.]+) ([kmµ]?)J to {operation}", sentence)
            row = names["means"].loc[(dataset, "cpu", operation, "modelled", "cpu+ram")]["energy_j"]
            assert found and row["mean"] == pytest.approx(float(found[1]) * prefixes[found[2]], rel=6e-3)
            assert row["count"] == 3


def test_two_runs_are_no_headline(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset", repeats=2)
    page = page_of(tmp_path)
    said = r"takes between [\d.]+ and [\d.]+ J \(n = 2: at least 1 more repeat is needed\) to train"
    assert re.search(said, page) and not re.search(r"takes [\d.]+ J to train", page)
    cells = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert re.search(r"train, CPU [\d.]+ to [\d.]+ J modelled", cells)


def test_a_single_run_is_no_headline(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset", repeats=1)
    page = page_of(tmp_path)
    said = r"an amount that is not known well enough \([\d.]+ J; n = 1: at least 2 more repeats are needed\) to train"
    assert re.search(said, page) and "± " not in page


def test_errors_and_sizes_of_two_runs_are_ranges(tmp_path: Path, write: Write) -> None:
    def spread(runs: pd.DataFrame) -> pd.DataFrame:
        error = runs["repeat"].map({0: 0.034, 1: 0.036})
        held_out = {"held_out_mean_rms_over_range": 1.1 * error, "held_out_mean_nrmse": 11 * error}
        return runs.assign(
            mean_rms_over_range=error, mean_nrmse=10 * error, ratio_native_bytes=0.02 / error, **held_out
        )

    write(tmp_path / "dataset", repeats=2)
    change(tmp_path / "dataset", "runs", spread)
    page = page_of(tmp_path)
    few = "(n = 2: at least 1 more repeat is needed)"
    for said in (
        "off by 3.4 to 3.6 % of a column's range, 34 to 36 % of its standard deviation (RMS, mean over columns), and",
        f"1.700 to 1.800 times the table's recorded size {few}.",
        "off by 3.74 to 3.96 % of the range and 37.4 to 39.6 % of the standard deviation of the rows that it was "
        f"trained on {few}.",
        "RMS residual / range, mean over columns, 3.4 to 3.6 % (n = 2)",
        "Ratio, table in recorded formats / compressed file: 0.556 to 0.588",
    ):
        assert said in page, said


def test_a_mean_that_is_not_known_well_is_no_headline(tmp_path: Path, write: Write) -> None:
    def spread(runs: pd.DataFrame) -> pd.DataFrame:
        values = runs["repeat"].map({0: 60.0, 1: 25.0, 2: 120.0})
        return runs.assign(energy_j=values.where(runs["operation"] == "train", runs["energy_j"]))

    write(tmp_path / "dataset")
    change(tmp_path / "dataset", "runs", spread)
    page = page_of(tmp_path)
    # s = 48.05 J: 2 t(0.975, m - 1) s / sqrt(m) is at most half of 68.3 J from m = 33 on.
    assert "takes between 25 and 120 J (n = 3: at least 30 more repeats are needed) to train" in page
    assert "25 to 120 J" in page and "68.3" not in page
    assert re.search(r"[\d.]+ mJ to compress", page), "the others are known well enough"


@pytest.mark.parametrize("all_flagged", [False, True])
def test_the_first_page_says_what_part_of_the_energy_is_a_constant(
    tmp_path: Path, write: Write, all_flagged: bool
) -> None:
    def constant(measurements: pd.DataFrame) -> pd.DataFrame:
        runs = pq.read_table(tmp_path / "dataset" / "runs.parquet").to_pandas()
        lengths = measurements.merge(runs[["run_id", "operation", "window_s", "duration_s"]], how="left")
        ram = measurements["component"] == "ram"
        return measurements.assign(
            value=measurements["value"].mask(ram, 5.0 * lengths["window_s"]),
            value_per_iteration=measurements["value_per_iteration"].mask(ram, 5.0 * lengths["duration_s"]),
        )

    write(tmp_path / "dataset", flags="contaminated", all_flagged=all_flagged)
    assert "CONSTANT TIMES" not in page_of(tmp_path)
    change(tmp_path / "dataset", "measurements", constant)
    report.report(tmp_path / "dataset", [tmp_path / "figures" / name for name in CHAPTERS], tmp_path / "overview.rst")
    page = " ".join(rendered(tmp_path / "overview.rst").split())
    # 5 W of 12 W and 5 W.
    said = r"A CONSTANT TIMES THE DURATION is (\d+) % of the energy to train, \d+ % of the energy to compress and"
    found = re.search(said, page)
    assert found and int(found[1]) == pytest.approx(100 * 5 / 17, abs=2) and ": 5.0 W (RAM), in all windows" in page
    assert page.index(" to train") < page.index("A CONSTANT TIMES") < page.index("Storing only each column")


def test_no_carbon_intensity_and_a_changing_one(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "none", intensity=None)
    report.report(tmp_path / "none", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    assert "No CO2e: the study sets no carbon intensity (country," in page and ">CO2e<" not in page
    write(tmp_path / "dataset")
    frame = pq.read_table(tmp_path / "dataset" / "runs.parquet").to_pandas()
    tables = {
        name: pq.read_table(tmp_path / "dataset" / f"{name}.parquet").to_pandas()
        for name in ("errors", "left_out", "measurements")
    }
    frame["carbon_intensity_g_per_kwh"] = [20.0 + n for n in range(len(frame))]
    assert "Carbon intensity 20 to 100 g CO2e per kWh, PUE 1" in overview.overview({**tables, "runs": frame}, "s", {})


def test_the_node_is_shown_separately_and_not_added(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset", node=True)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    assert "Whole node" in page and "read by wattmeter, includes the energies above and is never added" in page


def test_page_of_a_measured_study_on_toy_data(tmp_path: Path, write: Write) -> None:
    evidence = {"cpu": "measured", "ram": "modelled", "gpu": "measured"}
    write(tmp_path / "dataset", devices=("cpu", "cuda"), evidence=evidence, source="toy", repeats=1)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    assert "MEASURED: the energy of all" in page and "MODELLED" not in page
    assert "Components without a counter are modelled and are not part of the measured energies." in page
    assert "TOY DATA" in page and "GPU" in page and "±" not in page


def test_a_partly_measured_study_is_reported_as_such(tmp_path: Path, write: Write) -> None:
    write(tmp_path)
    frame = pq.read_table(tmp_path / "runs.parquet").to_pandas()
    frame.loc[:9, "energy_evidence"] = "measured"
    frame.loc[10:11, "energy_j"] = None
    frame.loc[10:11, "energy_evidence"] = None
    names = ("errors", "left_out", "measurements")
    tables = {name: pq.read_table(tmp_path / f"{name}.parquet").to_pandas() for name in names}
    page = overview.overview({**tables, "runs": frame}, "study", {})
    assert "MEASURED IN PART: 10 of 81 records" in page and "69 have only modelled energy" in page
    assert "2 records have no energy" in page


def test_a_hostname_cannot_write_into_the_page(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset")
    path = tmp_path / "dataset" / "runs.parquet"
    table = pq.read_table(path)
    named = pa.array(["h\n\n.. raw:: html\n\n   <script>alert(1)</script>"] * len(table))
    pq.write_table(table.set_column(table.column_names.index("hostname"), "hostname", named), path)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    text = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(
        (tmp_path / "overview.rst").read_text("utf-8")
    )
    page = publish_parts(text.render(), writer="html", settings_overrides={"halt_level": 2})["html_body"]
    assert "<script" not in page and "h .. raw:: html &lt;script&gt;alert(1)&lt;/script&gt;" in " ".join(page.split())


def test_a_folder_that_is_not_a_chapter_is_refused(
    tmp_path: Path, write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "dataset")
    arguments = ["report", "--dataset", str(tmp_path / "dataset"), "--out", str(tmp_path / "overview.rst")]
    assert main([*arguments, "--figures", str(tmp_path / "prices")]) == 2
    assert "prices: is not the folder of a chapter" in capfd.readouterr().err
    chapters(tmp_path, cost={"unknown": "x"})
    assert main([*arguments, "--figures", str(tmp_path / "cost")]) == 2
    assert "does not contain reasons by figure" in capfd.readouterr().err
    (tmp_path / "trust" / "left_out.json").write_text("{")
    assert main([*arguments, "--figures", str(tmp_path / "trust")]) == 2
    assert "is not valid JSON" in capfd.readouterr().err
    assert not (tmp_path / "overview.rst").exists()


def test_tables_without_rows_are_on_the_first_page(
    tmp_path: Path, write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "dataset")
    folders = chapters(tmp_path / "figures")
    (tmp_path / "tables").mkdir()
    reasons = tmp_path / "tables" / "left_out.json"
    reasons.write_text(json.dumps({"Flagged *runs": "None {has} a flag."}))
    arguments = ["report", "--dataset", str(tmp_path / "dataset"), "--tables", str(tmp_path / "tables")]
    arguments += ["--out", str(tmp_path / "overview.rst"), "--figures", *map(str, folders)]
    assert main(arguments) == 0
    page = rendered(tmp_path / "overview.rst")
    assert "Flagged *runs: None {has} a flag." in page[page.index("Tables left out") :]
    reasons.write_text("[]")
    assert main(arguments) == 2
    assert "does not contain reasons by table; run `baler-energy tables` again" in capfd.readouterr().err


def test_no_runs_is_an_input_error(tmp_path: Path, write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    pq.write_table(pq.read_table(tmp_path / "runs.parquet").slice(0, 0), tmp_path / "runs.parquet")
    folder = chapters(tmp_path / "figures")[0]
    assert main(["report", "--dataset", str(tmp_path), "--figures", str(folder), "--out", str(tmp_path / "o.rst")]) == 2
    assert "contains no runs" in capfd.readouterr().err


def test_a_page_does_not_replace_a_table(tmp_path: Path, write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    page = tmp_path / "datapackage.json"
    before = page.read_bytes()
    folder = chapters(tmp_path / "figures")[0]
    assert main(["report", "--dataset", str(tmp_path), "--figures", str(folder), "--out", str(page)]) == 2
    assert "is the file to read" in capfd.readouterr().err and page.read_bytes() == before


def test_runs_that_were_left_out_are_on_the_first_page(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset")
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    assert "Skipped 3 of the study's 42 runs, with packing 'sz3-0.01'. The package pysz is missing." in html.unescape(
        page
    )
    top = page[: page.index("For 30,000 rows")]
    assert "LEFT OUT: 3 of the study's 42 runs, with packing 'sz3-0.01' (3)." in top
    figures = page[page.index("Figures left out") :]
    assert "Not in any figure: 3 of 42 runs, with packing 'sz3-0.01'. The package pysz is missing." in figures
