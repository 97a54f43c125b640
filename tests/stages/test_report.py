"""Stage report: the first page survives Jinja and reStructuredText and leads with the evidence."""

import html
import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import jinja2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docutils.core import publish_parts
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.cli import main
from baler_energy.figures import overview
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
    frame.loc[here, "flags"] = "throttled,modelled_only"
    frame.loc[here, "energy_j"] = 1e9
    pq.write_table(pa.Table.from_pandas(frame, schema=schema), path)
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    assert "2 (+ 1 flagged)" in page and "GJ" not in page and "MJ" not in page
    assert "jets/rows~30000/batch_size~512/epochs~5/device~cpu/repeat~0, train: throttled" in page


def test_no_carbon_intensity_and_a_changing_one(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "none", intensity=None)
    report.report(tmp_path / "none", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    assert "No CO2e: the study sets no carbon intensity (country," in page and ">CO2e<" not in page
    write(tmp_path / "dataset")
    frame = pq.read_table(tmp_path / "dataset" / "runs.parquet").to_pandas()
    tables = {
        name: pq.read_table(tmp_path / "dataset" / f"{name}.parquet").to_pandas() for name in ("errors", "left_out")
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


@given(st.text(alphabet="{}%#ab \\*_`|<>", max_size=40))
def test_any_text_survives(text: str) -> None:
    said = f"a {text} z"
    escaped = overview.escape_jinja(overview.escape_rst(said))
    assert jinja2.Environment().from_string(escaped).render() == overview.escape_rst(said)
    body = publish_parts(jinja2.Template(escaped).render(), writer="html")["body"]
    assert "system-message" not in body


#: Text that would be more than text in a page, at the place of a hostname, a reason or a title.
HOSTILE = (
    "a\n\n.. raw:: html\n\n   <script>alert(1)</script>",
    "a\r.. raw:: html\r\r   <script>alert(1)</script>",
    "a\u2028\u2028.. raw:: html\u2028\u2028   <script>alert(1)</script>",
    "a\x85\x85.. raw:: html\x85\x85   <b>x</b>",
    "a\x0b\x0c\x1c\x1d\x1eb",
    ".. include:: /etc/passwd",
    ".. image:: http://example.org/x.png",
    "..\n   comment",
    "- a",
    "1. a",
    "a) b",
    "(i) b",
    ":field: value",
    "-a option",
    "====",
    "+---+",
    ">>> code()",
    "literal::",
    "   indented",
    "__ https://example.org",
    "half \ud800 of a character",
    "\u6f22\u5b57",
    "",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_record_stays_text_in_the_report(text: str) -> None:
    """As a paragraph, in an item of a list, in a table, in bold and as a heading."""
    escaped = overview.escape_rst(text)
    assert len(escaped.splitlines()) <= 1
    source = f"{overview._heading(text or 'x', '=')}\n\n{escaped}\n\n- {escaped}\n- second\n\n{escaped}, and more"
    body = publish_parts(overview.escape_jinja(source), writer="html")["html_body"]
    for unwanted in ("<script", "system-message", "<img", "root:", "<pre", "<dl", "<b>"):
        assert unwanted not in body, (text, body)
    words = html.unescape(re.sub(r"<[^>]*>", "", body))
    shown = " ".join(re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", " ", text).split())
    assert shown in " ".join(words.split())


@given(st.text(max_size=30))
def test_any_characters_stay_in_one_line(text: str) -> None:
    escaped = overview.escape_rst(text)
    assert len(escaped.splitlines()) <= 1 and escaped == escaped.strip()
    body = publish_parts(f"- {escaped}\n- {escaped} x", writer="html")["body"]
    assert "system-message" not in body and body.count("<li>") == 2


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


def test_runs_that_were_left_out_are_on_the_first_page(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "dataset")
    report.report(tmp_path / "dataset", chapters(tmp_path / "figures"), tmp_path / "overview.rst")
    page = rendered(tmp_path / "overview.rst")
    assert "Skipped 3 of the study's 42 runs, with packing 'sz3-0.01'. The package pysz is missing." in html.unescape(
        page
    )
