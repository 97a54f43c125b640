"""Stage tables: numbers, evidence, missing values, and pages."""

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baler_energy.analysis.schema import arrow_schema
from baler_energy.cli import main
from baler_energy.figures import chapters
from baler_energy.figures.tables.original_layout import original_layout
from baler_energy.stages import tables

NO_SCI = "Software Carbon Intensity (SCI) (the study states no embodied emissions)"
Write = Callable[..., Path]
Make = Callable[..., None]


@pytest.fixture(scope="module")
def write(repository: Path) -> Write:
    function: Write = runpy.run_path(str(repository / "tests" / "figures" / "conftest.py"))["write_dataset"]
    return function


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory, write: Write) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write(folder / "dataset", flags="contaminated", extras=True)
    assert main(["tables", "--dataset", str(folder / "dataset"), "--out", str(folder / "tables")]) == 0
    return folder


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function that writes some tables only, by their names."""
    every = chapters.tables

    def some(dataset: Path, out: Path, *names: str) -> None:
        monkeypatch.setattr(chapters, "tables", lambda: [table for table in every() if table.name in names])
        tables.tables(dataset, out)

    return some


def test_every_table_has_numbers_and_a_page(modelled: Path) -> None:
    names = ("original_layout", "summary", "metrics", "glossary", "ratios", "variation", "peers", "findings")
    names = (
        *names,
        "codecs",
        "error_measures",
        "physics",
        "break_even",
        "published",
        "savings",
        "optimizers",
        "pruning",
        "engines",
        "models",
        "runtimes",
        "laws",
        "validation",
        "cost_metrics",
        "calibration",
        "temperatures",
        "counters",
        "flagged",
    )
    full = [name for name in names if (modelled / "tables" / f"{name}.csv").read_text().count("\n") > 1]
    written = {*(f"{name}.csv" for name in names), *(f"{name}.html" for name in full), "left_out.json"}
    assert {path.name for path in (modelled / "tables").iterdir()} == written and len(full) > 12
    reasons = json.loads((modelled / "tables" / "left_out.json").read_text())
    assert len(reasons) == len(names) - len(full) and all(reasons.values())
    for name in full:
        page = (modelled / "tables" / f"{name}.html").read_text(encoding="utf-8")
        assert "http" not in page and "nan" not in page.lower() and "None." not in page, name


def test_each_dataset_has_its_tables_about_the_centre(tmp_path: Path, write: Write, make: Make) -> None:
    write(tmp_path / "dataset", second="muons")
    make(tmp_path / "dataset", tmp_path / "tables", "error_measures", "summary")
    for name in ("jets", "muons"):
        page = (tmp_path / "tables" / name / "error_measures.html").read_text(encoding="utf-8")
        assert f"Every measure of the error ({name})</h1>" in page and f"At {name}, 30,000 rows" in page
    assert not (tmp_path / "tables" / "error_measures.html").exists()
    assert set(pd.read_csv(tmp_path / "tables" / "summary.csv")["dataset"]) == {"jets", "muons"}


def test_the_table_of_ratios_says_why_one_is_unknown(tmp_path: Path, write: Write, make: Make) -> None:
    write(tmp_path / "dataset")
    path = tmp_path / "dataset" / "runs.parquet"
    frame = pq.read_table(path).to_pandas().assign(source_bytes_reason="generated data has no source file")
    pq.write_table(pa.Table.from_pandas(frame, schema=arrow_schema("runs"), preserve_index=False), path)
    make(tmp_path / "dataset", tmp_path / "tables", "ratios")
    page = (tmp_path / "tables" / "ratios.html").read_text(encoding="utf-8")
    assert "jets, ratio over the source file: unknown: generated data has no source file." in page


@pytest.mark.long
def test_tables_of_several_engines_and_packings_have_pages_without_gaps(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset", engines=True)
    tables.tables(tmp_path / "dataset", tmp_path / "tables")
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "tables").glob("*.html")}
    assert not [name for name, page in pages.items() if "nan" in page.lower() or "&lt;NA" in page]
    for name in ("summary", "ratios", "metrics"):
        assert "<th>engine</th>" in pages[name] and "<th>packing</th>" in pages[name], name
    assert "1.80x more" in pages["engines"] and "start-up" in pages["engines"]


def test_original_layout_against_the_measurements(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "original_layout.csv")
    raw = pq.read_table(modelled / "dataset" / "measurements.parquet").to_pandas()
    here = raw[(raw["rows"] == 30_000) & (raw["batch_size"] == 512) & (raw["epochs"] == 5) & (raw["threads"] == 2)]
    here = here[here["meter"] == "codecarbon"]
    for operation in ("train", "compress", "decompress"):
        for component in ("ram", "cpu"):
            row = found[(found["operation"] == operation) & (found["component"] == component)].iloc[0]
            values = here[(here["operation"] == operation) & (here["component"] == component)]["value_per_iteration"]
            assert row["energy_j"] == pytest.approx(values.mean())
            assert row["energy_kwh"] == pytest.approx(values.mean() / 3.6e6)
            # t(0.975, 2) = 4.30265
            assert row["half_width_j"] == pytest.approx(4.30265 * values.std() / np.sqrt(3), rel=1e-4)
            assert (row["evidence"], row["n"]) == ("modelled", 3)


def test_missing_values_are_marked_and_not_zero(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "original_layout.csv")
    gpu = found[found["component"] == "gpu"]
    assert gpu["energy_j"].isna().all() and gpu["reason"].notna().all() and len(gpu) == 3
    assert (
        "not measured: codecarbon gave no reading; nvml: this machine has no NVIDIA GPU"
        in (modelled / "tables" / "original_layout.html").read_text()
    )


def test_the_meters_own_reason_is_given(tmp_path: Path, write: Write) -> None:
    write(tmp_path)
    table = pq.read_table(tmp_path / "measurements.parquet").to_pandas()
    gpu = table["component"] == "gpu"
    table.loc[gpu, "meter"] = "codecarbon"
    frames = {"measurements": table, "runs": pq.read_table(tmp_path / "runs.parquet").to_pandas()}
    found = original_layout(frames)
    assert set(found.loc[found["component"] == "gpu", "reason"]) == {"this machine has no NVIDIA GPU"}


def test_measured_and_modelled_have_separate_totals(tmp_path: Path, write: Write) -> None:
    write(tmp_path)
    table = pq.read_table(tmp_path / "measurements.parquet").to_pandas()
    table.loc[table["component"] == "cpu", "evidence"] = "measured"
    frames = {"measurements": table, "runs": pq.read_table(tmp_path / "runs.parquet").to_pandas()}
    found = original_layout(frames)
    train = found[found["operation"] == "train"].set_index("component")
    assert train.loc["total of cpu", "energy_j"] == train.loc["cpu", "energy_j"]
    assert train.loc["total of ram", "energy_j"] == train.loc["ram", "energy_j"]
    assert not [name for name in train.index if "+" in name]


def test_a_total_of_runs_of_which_one_lacks_a_component_is_that_of_the_others(tmp_path: Path, write: Write) -> None:
    write(tmp_path)
    measurements, runs = (pq.read_table(tmp_path / f"{name}.parquet").to_pandas() for name in ("measurements", "runs"))
    lost = (measurements["component"] == "cpu") & (measurements["repeat"] == 0)
    measurements.loc[lost, ["value", "value_per_iteration"]] = np.nan
    found = original_layout({"measurements": measurements, "runs": runs})
    for operation in ("train", "compress", "decompress"):
        mine = found[found["operation"] == operation].set_index("component")
        whole = original_layout({"measurements": measurements[measurements["repeat"] > 0], "runs": runs})
        expected = whole[whole["operation"] == operation].set_index("component").loc["total of ram + cpu"]
        assert mine.loc["total of ram + cpu", "energy_j"] == pytest.approx(expected["energy_j"])
        assert (mine.loc["total of ram + cpu", "n"], mine.loc["ram", "n"], mine.loc["cpu", "n"]) == (2, 3, 2)


def test_summary_has_a_row_per_point_and_operation(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "summary.csv")
    assert len(found) == 9 * 3 and sorted(set(found["n"])) == [2, 3] and set(found["energy_evidence"]) == {"modelled"}
    assert found["flagged_runs"].sum() == 1
    page = (modelled / "tables" / "summary.html").read_text()
    assert "2 (+ 1 flagged: contaminated)" in page and "energy (J)" in page and "±" in page
    assert "1 of 81 records are flagged (contaminated) and excluded from means" in page and "CO2e (mg)" in page


def test_summary_leaves_flagged_runs_out_of_energy_and_time_and_in_the_error(modelled: Path) -> None:
    row = pd.read_csv(modelled / "tables" / "summary.csv").query("flagged_runs == 1").iloc[0]
    raw = pq.read_table(modelled / "dataset" / "runs.parquet").to_pandas()
    mine = raw[(raw["rows"] == row["rows"]) & (raw["epochs"] == row["epochs"]) & (raw["operation"] == row["operation"])]
    mine = mine[mine["batch_size"] == row["batch_size"]]
    good = mine[mine["in_mean"]]
    assert len(mine) == 3 and len(good) == 2
    for value in ("energy_j", "duration_s", "co2e_kg"):
        assert row[value] == pytest.approx(good[value].mean())
    assert row["mean_rms_over_range"] == pytest.approx(mine["mean_rms_over_range"].mean())
    bad = mine.drop(good.index)["energy_j"].iloc[0]
    assert (row["energy_flagged_low_j"], row["energy_flagged_high_j"]) == pytest.approx((bad, bad))


def test_a_study_with_only_flagged_runs_marks_its_numbers(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset", flags="contaminated", all_flagged=True)
    tables.tables(tmp_path / "dataset", tmp_path)
    summary, layout = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("summary", "original_layout"))
    assert set(summary["n"]) == {0} and summary["energy_j"].isna().all() and summary["energy_flagged_low_j"].gt(0).all()
    cpu = layout[layout["component"] == "cpu"]
    assert cpu["energy_j"].isna().all() and set(cpu["n"]) == {0} and set(cpu["flagged"]) == {3}
    assert cpu["reason"].str.fullmatch(r"all 3 runs flagged: contaminated; [\d.]+ to [\d.]+ J \(flagged\)").all()
    for name in ("summary", "original_layout", "variation"):
        page = (tmp_path / f"{name}.html").read_text()
        assert "ALL 81 RECORDS ARE FLAGGED: contaminated" in page and "nan" not in page.lower(), name
    assert "(flagged)" in (tmp_path / "summary.html").read_text()
    assert "not measured: all" not in (tmp_path / "original_layout.html").read_text()
    # Reconstruction errors do not depend on other users of the CPU.
    assert set(pd.read_csv(tmp_path / "variation.csv")["quantity"]) == {"error"}


def test_no_carbon_intensity_is_reported_and_has_no_column(tmp_path: Path, write: Write, make: Make) -> None:
    write(tmp_path / "dataset", intensity=None)
    make(tmp_path / "dataset", tmp_path, "summary")
    page = (tmp_path / "summary.html").read_text()
    assert "No CO2e: the study sets no carbon intensity" in page and "CO2e (mg)" not in page
    assert pd.read_csv(tmp_path / "summary.csv")["co2e_kg"].isna().all()


def cells(page: Path, **chosen: str) -> dict[str, str]:
    """Return the first row of a page's table with the given cells, by heading."""
    head, *rows = re.findall(r"<tr>.*?</tr>", page.read_text(encoding="utf-8"), re.DOTALL)
    names = re.findall(r"<th\b[^>]*>(.*?)</th>", head)
    found = [dict(zip(names, re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL), strict=True)) for row in rows]
    return next(row for row in found if all(row[name.replace("_", " ")] == text for name, text in chosen.items()))


AT_REFERENCE = {"rows": "30,000", "epochs": "5", "batch_size": "512", "threads": "2"}


def test_metrics_have_a_row_per_run_in_the_csv_and_per_point_on_the_page(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "metrics.csv")
    assert len(found) == 81 and list(found.columns[-2:]) == ["energy_precision_j", "reasons"]
    page = modelled / "tables" / "metrics.html"
    train = cells(page, **AT_REFERENCE, operation="train")
    here = found[
        (found["rows"] == 30_000) & (found["epochs"] == 5) & (found["batch_size"] == 512) & (found["threads"] == 2)
    ]
    mean_gflops = here.loc[here["operation"] == "train", "flops_per_s"].mean() / 1e9
    assert float(train["FLOP/s"].split(" ± ")[0]) == pytest.approx(mean_gflops, rel=0.01)
    assert train["FLOP/s"].endswith(" GFLOP/s") and train["Greenness"].endswith(" per J")
    assert train["energy evidence"] == "modelled, cpu+ram" and train["n"] == "3"
    assert (train["Batch latency, median"], train["Parameters"]) == ("1.5 ms", "61.5 k")
    assert cells(page, epochs="1", operation="train")["Batch latency, median"] == "none"
    assert "GPU hours" not in train and "Idle share" not in train
    left_out = "GPU utilisation, GPU hours (the run used no GPU); Idle share (modelled energy has no idle baseline)"
    left_out += f"; {NO_SCI}"
    assert f"Left out, since no run has a value: {left_out}." in page.read_text(encoding="utf-8")


def test_metrics_of_the_window_leave_flagged_runs_out(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "metrics.csv")
    marked = ~found["in_mean"]
    bad = found[marked].iloc[0]
    same = found[["rows", "epochs", "batch_size", "operation"]] == bad[["rows", "epochs", "batch_size", "operation"]]
    page = modelled / "tables" / "metrics.html"
    row = cells(page, rows=f"{bad['rows']:,}", epochs=f"{bad['epochs']}", operation=bad["operation"])
    assert row["n"] == "2 (+ 1 flagged: contaminated)"
    mean = found.loc[same.all(axis=1) & ~marked, "rows_per_s"].mean()
    assert row["Throughput"].split(" ± ")[0] == f"{mean:,.0f}"


def test_metrics_of_flagged_runs_are_marked_but_counts_are_not(tmp_path: Path, write: Write, make: Make) -> None:
    write(tmp_path / "dataset", flags="contaminated", all_flagged=True)
    make(tmp_path / "dataset", tmp_path, "metrics")
    row = cells(tmp_path / "metrics.html", operation="train")
    for name in ("Energy", "FLOP/s", "Fraction of peak", "Greenness", "CPU utilisation"):
        assert row[name].endswith(" (flagged)"), name
    assert row["Parameters"] == "61.5 k" and "flagged" not in row["Floating-point operations (FLOPs)"]


def test_metrics_of_measured_energy_and_of_a_gpu(tmp_path: Path, write: Write, make: Make) -> None:
    evidence = {"cpu": "measured", "gpu": "measured", "ram": "modelled"}
    write(tmp_path / "dataset", devices=("cpu", "cuda"), evidence=evidence)
    make(tmp_path / "dataset", tmp_path, "metrics")
    page = tmp_path / "metrics.html"
    cpu, gpu = (cells(page, **AT_REFERENCE, operation="train", run_on=name) for name in ("CPU", "GPU"))
    assert (cpu["energy evidence"], gpu["energy evidence"]) == ("measured, cpu", "measured, cpu+gpu")
    assert cpu["Idle share"].endswith(" %") and gpu["GPU utilisation"] == "40 %"
    assert cpu["GPU hours"] == "none" and gpu["GPU hours"].endswith(" h")
    assert f"Left out, since no run has a value: {NO_SCI}.<" in page.read_text(encoding="utf-8")
    # Peaks in the dataset (FLOP/s), with the threads they were measured with.
    everything = pd.read_csv(tmp_path / "metrics.csv")
    found = everything[everything["threads"] == 2]
    assert everything.loc[everything["threads"] != 2, "fraction_of_peak"].isna().all()
    peaks = found["device"].map({"cpu": 4e10, "cuda": 4e11})
    assert (found["fraction_of_peak"] * peaks).to_numpy() == pytest.approx(found["flops_per_s"].to_numpy())


def test_the_glossary_has_each_metric_with_its_source(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "glossary.csv")
    metrics = pd.read_csv(modelled / "tables" / "metrics.csv")
    known = {*metrics.columns, *arrow_schema("errors").names, *arrow_schema("runs").names}
    assert set(found["column"]) < known and found.notna().all(axis=None)
    row = cells(modelled / "tables" / "glossary.html", metric="Energy-precision ratio")
    assert "arXiv 1710.05420" in row["source"] and row["unit"] == "J" and "alpha" in row["when it misleads"]
    assert cells(modelled / "tables" / "glossary.html", metric="Fraction of peak")["unit"] == "pure number"


def test_variation_gives_the_spread_and_the_repeats(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "variation.csv").set_index(["operation", "quantity"])
    train = found.loc[("train", "energy")]
    assert (train["evidence"], train["degrees_of_freedom"], train["points"], train["runs"]) == ("modelled", 17, 9, 26)
    assert train["cv_low"] < train["cv"] < train["cv_high"] and train["cv_min"] < train["cv"] < train["cv_max"]
    page = (modelled / "tables" / "variation.html").read_text()
    assert "repeats for 5 %" in page and f'<td class="number">{train["repeats"]}</td>' in page


def test_peers_are_compared_with_their_assumptions_and_reasons_for_failure(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "peers.csv").set_index("tool")
    assert list(found.index) == ["eco2ai", "perun", "strubell"]  # tools before formulas
    perun = found.loc["perun"]
    assert perun["ratio_low"] < perun["ratio"] < perun["ratio_high"] and perun["ratio"] == pytest.approx(1.4, rel=0.1)
    assert (perun["n"], perun["runs"]) == (3, 3)
    failed = found.loc["eco2ai"]
    assert np.isnan(failed["value"]) and np.isnan(failed["ratio"]) and (failed["n"], failed["runs"]) == (0, 3)
    assert failed["reason"] == "it crashed"
    page = (modelled / "tables" / "peers.html").read_text()
    for words in ("no value", "not comparable", "0 of 3", "it crashed", "TDP 100 W", "strubell (formula)"):
        assert words in page, words


def test_findings_and_calibration_are_readable(modelled: Path) -> None:
    assert "Energy is 15.0 W times duration" in (modelled / "tables" / "findings.html").read_text()
    page = (modelled / "tables" / "calibration.html").read_text()
    for words in ("3.20 ± 0.32 W", "not found", "a model has no tick", "0.400 ± 0.040 %", "idle power"):
        assert words in page, words
    assert "not distinguishable from zero (spread 84 %)" in page and "-22" not in page


def test_temperatures_give_the_rise_and_the_reasons_for_low_clocks(tmp_path: Path, write: Write, make: Make) -> None:
    write(tmp_path / "dataset", devices=("cpu", "cuda"))
    raw = pq.read_table(tmp_path / "dataset" / "samples.parquet").to_pandas()
    stays = (raw["operation"] == "compress") & (raw["quantity"] == "temperature")
    raw.loc[stays, "value"] = 41.0
    raw = raw[(raw["operation"] != "decompress") | (raw["quantity"] != "throttle_reasons")]
    schema = pq.read_schema(tmp_path / "dataset" / "samples.parquet")
    pq.write_table(pa.Table.from_pandas(raw, schema=schema), tmp_path / "dataset" / "samples.parquet")
    make(tmp_path / "dataset", tmp_path, "temperatures")
    found = pd.read_csv(tmp_path / "temperatures.csv")
    assert list(found["operation"]) == ["train"] * 3 + ["compress"] * 3 + ["decompress"] * 3
    assert list(found["repeat"]) == [0, 1, 2] * 3
    assert set(found["device"]) == {"cuda"} and found["n"].between(9, 12).all()
    train, flat, silent = (found[found["operation"] == name] for name in ("train", "compress", "decompress"))
    assert set(train["start_degc"]) == {41.0} and train["maximum_degc"].between(61, 64).all()
    windows_s = raw.drop_duplicates(["run_id", "operation"]).set_index(["run_id", "operation"])["window_s"]
    true_s = [windows_s[run_id, "train"] / 4 for run_id in train["run_id"]]
    assert (abs(train["tau_s"] - true_s) < 4 * train["tau_error_s"]).all() and train["reason"].isna().all()
    assert train["throttle_reasons"].str.fullmatch(r"none \d\d %; power cap \d\d %").all()
    assert flat["tau_s"].isna().all() and flat["steady_degc"].isna().all()
    assert set(flat["reason"]) == {"it rose by 0 °C, and the sensor's step is 1 °C"}
    assert silent["throttle_reasons"].isna().all() and silent["tau_s"].notna().all()
    page = (tmp_path / "temperatures.html").read_text()
    for words in ("it rose by 0 °C", "gpu-0 (nvml)", "unknown", "Centre: jets", "± ", "power cap"):
        assert words in page, words
    assert "nan" not in page.lower()


def test_tables_without_rows_have_no_page_and_give_the_reason(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset", repeats=1)
    (tmp_path / "peers.html").write_text("of an earlier call")
    tables.tables(tmp_path / "dataset", tmp_path)
    reasons = json.loads((tmp_path / "left_out.json").read_text())
    titles = {table.name: table.title for table in chapters.tables()}
    for name, words in {
        "flagged": "No run has a flag",
        "variation": "at least two repeats",
        "pruning": "No pruned network was applied in the same way as an unpruned one",
        "peers": "No other tool measured the same windows",
        "findings": "No results of other studies were imported",
        "calibration": "The machine was not calibrated",
        "temperatures": "No sensor reported a temperature",
    }.items():
        assert words in reasons[titles[name]] and not (tmp_path / f"{name}.html").exists(), name
        assert len(pd.read_csv(tmp_path / f"{name}.csv")) == 0, name


def test_ratios_say_what_12_float64_for_24_float32_save(modelled: Path) -> None:
    page = (modelled / "tables" / "ratios.html").read_text()
    assert "12 latent columns take 96.1 B per row in the compressed file; the 24 columns take 96.0 B per row" in page
    assert "nothing is saved: the file is 0.1 % larger" in page
    assert "table in recorded formats / (compressed file + model)" in page and "unknown" in page


def test_no_cell_of_a_file_is_a_formula(tmp_path: Path, write: Write, make: Make) -> None:
    write(tmp_path / "dataset", extras=True)
    path = tmp_path / "dataset" / "findings.parquet"
    table = pq.read_table(path)
    for name in ("file", "subject", "sentence"):
        column = pa.array(["=1+1"] * len(table))
        table = table.set_column(table.column_names.index(name), name, column)
    values = pa.array([-1.5] * len(table))
    pq.write_table(table.set_column(table.column_names.index("value"), "value", values), path)
    make(tmp_path / "dataset", tmp_path, "findings")
    found = pd.read_csv(tmp_path / "findings.csv")
    assert len(found) and set(found["value"]) == {-1.5} and set(found["sentence"]) == {"'=1+1"}
    cells = (tmp_path / "findings.csv").read_text().replace("\n", ",").split(",")
    assert "'=1+1" in cells and not [cell for cell in cells if cell.startswith("=")]


def test_flagged_lists_defects_only(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "flagged.csv")
    assert list(found["run_flags"]) == ["contaminated"]
    assert "1 of 81 records are listed; 81 are modelled_only" in (modelled / "tables" / "flagged.html").read_text()


def test_no_run_is_an_error_of_the_input(tmp_path: Path, write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    pq.write_table(pq.read_table(tmp_path / "runs.parquet").slice(0, 0), tmp_path / "runs.parquet")
    assert main(["tables", "--dataset", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "there are no runs" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_energy_that_no_meter_reported_stays_missing(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset")
    frame = pq.read_table(tmp_path / "dataset" / "runs.parquet").to_pandas()
    frame[["energy_j", "co2e_kg"]] = np.nan
    frame[["energy_evidence", "energy_scope"]] = None
    schema = pq.read_schema(tmp_path / "dataset" / "runs.parquet")
    pq.write_table(pa.Table.from_pandas(frame, schema=schema), tmp_path / "dataset" / "runs.parquet")
    tables.tables(tmp_path / "dataset", tmp_path)
    assert pd.read_csv(tmp_path / "summary.csv")["energy_j"].isna().all()
    assert "not measured" in (tmp_path / "summary.html").read_text()


def test_a_page_limits_its_rows_and_names_the_file_with_all(
    modelled: Path, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baler_energy.figures.readable.MOST_ROWS", 2)
    make(modelled / "dataset", tmp_path, "summary", "metrics")
    for name, per_row in (("summary", 1), ("metrics", 3)):
        rows = len(pd.read_csv(tmp_path / f"{name}.csv"))
        page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert page.count("<tr>") == 1 + 2
        assert rows > 2 and f"The first 2 of {rows // per_row:,} rows; {name}.csv" in page
