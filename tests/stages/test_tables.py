"""Stage tables: numbers, evidence, what is missing, and pages."""

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baler_energy.cli import main
from baler_energy.figures import tabulation
from baler_energy.figures.page import html_page
from baler_energy.stages import tables

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def write(repository: Path) -> Write:
    function: Write = runpy.run_path(str(repository / "tests" / "figures" / "conftest.py"))["write_dataset"]
    return function


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory, write: Write) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write(folder / "dataset", flags="contaminated")
    assert main(["tables", "--dataset", str(folder / "dataset"), "--out", str(folder / "tables")]) == 0
    return folder


def test_every_table_has_numbers_and_a_page(modelled: Path) -> None:
    names = ("original_layout", "summary", "ratios", "flagged")
    assert {p.name for p in (modelled / "tables").iterdir()} == {f"{n}.{s}" for n in names for s in ("csv", "html")}
    for name in names:
        page = (modelled / "tables" / f"{name}.html").read_text(encoding="utf-8")
        assert "http" not in page and "<script" not in page and "nan" not in page.lower()


def test_original_layout_against_the_measurements(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "original_layout.csv")
    raw = pq.read_table(modelled / "dataset" / "measurements.parquet").to_pandas()
    here = raw[
        (raw["rows"] == 30_000) & (raw["batch_size"] == 512) & (raw["epochs"] == 5) & (raw["meter"] == "codecarbon")
    ]
    for operation in ("train", "compress", "decompress"):
        for component in ("ram", "cpu"):
            row = found[(found["operation"] == operation) & (found["component"] == component)].iloc[0]
            values = here[(here["operation"] == operation) & (here["component"] == component)]["value_per_iteration"]
            assert row["energy_j"] == pytest.approx(values.mean())
            assert row["energy_kwh"] == pytest.approx(values.mean() / 3.6e6)
            # t(0.975, 2) = 4.30265
            assert row["half_width_j"] == pytest.approx(4.30265 * values.std() / np.sqrt(3), rel=1e-4)
            assert (row["evidence"], row["n"]) == ("modelled", 3)


def test_missing_is_said_and_not_zero(modelled: Path) -> None:
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
    found = tabulation.original_layout(frames)
    assert set(found.loc[found["component"] == "gpu", "reason"]) == {"this machine has no NVIDIA GPU"}


def test_measured_and_modelled_have_totals_of_their_own(tmp_path: Path, write: Write) -> None:
    write(tmp_path)
    table = pq.read_table(tmp_path / "measurements.parquet").to_pandas()
    table.loc[table["component"] == "cpu", "evidence"] = "measured"
    frames = {"measurements": table, "runs": pq.read_table(tmp_path / "runs.parquet").to_pandas()}
    found = tabulation.original_layout(frames)
    train = found[found["operation"] == "train"].set_index("component")
    assert train.loc["total of cpu", "energy_j"] == train.loc["cpu", "energy_j"]
    assert train.loc["total of ram", "energy_j"] == train.loc["ram", "energy_j"]
    assert not [name for name in train.index if "+" in name]


def test_summary_has_a_row_per_point_and_operation(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "summary.csv")
    assert len(found) == 7 * 3 and set(found["n"]) == {3} and set(found["energy_evidence"]) == {"modelled"}
    assert found["flagged_runs"].sum() == 1
    page = (modelled / "tables" / "summary.html").read_text()
    assert "3 (1 flagged)" in page and "energy (J)" in page and "±" in page


def test_ratios_say_what_12_float64_for_24_float32_save(modelled: Path) -> None:
    page = (modelled / "tables" / "ratios.html").read_text()
    assert "12 latent columns take 96.1 B per row in the compressed file; the 24 columns take 96.0 B per row" in page
    assert "nothing is saved: the file is 0.1 % larger" in page
    assert "table in recorded formats / (compressed file + model)" in page and "not known" in page


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (0.8, "the file is 25.0 % larger"),
        (1.01, "next to nothing is saved: 1.0 %"),
        (2.0, "the file is smaller: 50.0 %"),
    ],
)
def test_saving_in_numbers(ratio: float, words: str) -> None:
    row = {"dataset": "d", "rows": 10, "columns": 4, "latent_columns": 2, "ratio_native_bytes": ratio}
    row |= {"compressed_bytes_per_row": 16.0, "native_bytes_per_row": 16 * ratio, "float64_bytes_per_row": 32.0}
    row |= {"ratio_float64_bytes": 2.0, "ratio_native_bytes_with_model": 0.5}
    assert tabulation.saving(row).endswith(f"{words}.")


def test_flagged_lists_defects_only(modelled: Path) -> None:
    found = pd.read_csv(modelled / "tables" / "flagged.csv")
    assert list(found["flags"]) == ["contaminated"]
    assert "1 of 63 records are listed; 63 are modelled_only" in (modelled / "tables" / "flagged.html").read_text()


def test_page_escapes_and_says_when_there_is_nothing() -> None:
    page = html_page("a <b>", ["x & y"], pd.DataFrame({"<i>": ["</table>\n2"]}))
    assert "<b>" not in page and "<i>" not in page and "x &amp; y" in page and page.count("</table>") == 1
    assert "None." in html_page("t", [], pd.DataFrame())


def test_no_run_is_an_error_of_the_input(tmp_path: Path, write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    pq.write_table(pq.read_table(tmp_path / "runs.parquet").slice(0, 0), tmp_path / "runs.parquet")
    assert main(["tables", "--dataset", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "there are no runs" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_energy_that_no_meter_gave_stays_missing(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset")
    frame = pq.read_table(tmp_path / "dataset" / "runs.parquet").to_pandas()
    frame[["energy_j", "co2e_kg"]] = np.nan
    frame[["energy_evidence", "energy_scope"]] = None
    schema = pq.read_schema(tmp_path / "dataset" / "runs.parquet")
    pq.write_table(pa.Table.from_pandas(frame, schema=schema), tmp_path / "dataset" / "runs.parquet")
    tables.tables(tmp_path / "dataset", tmp_path)
    assert pd.read_csv(tmp_path / "summary.csv")["energy_j"].isna().all()
    assert "not measured" in (tmp_path / "summary.html").read_text()
