"""Text in tables: no cell is a formula, and a page contains text, not HTML."""

import pandas as pd
import pytest

from baler_energy.figures.page import html_page
from baler_energy.stages import tables

FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://x")',
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "-m",
    "--x",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_a_spreadsheet_would_compute_gets_an_apostrophe(text: str) -> None:
    frame = pd.DataFrame({"text": [text, None], "number": [-1.5, 2.0], "count": pd.array([-3, None], dtype="Int64")})
    frame = frame.assign(kind=frame["text"].astype("category"), good=[True, False])
    safe = tables._without_formulas(frame)
    assert safe["text"][0] == safe["kind"][0] == f"'{text}" and pd.isna(safe["text"][1])
    pd.testing.assert_frame_equal(safe[["number", "count", "good"]], frame[["number", "count", "good"]])
    assert frame["text"][0] == text


@pytest.mark.parametrize("text", ["-1.5", "+2", "-1e-300", "-.5", "-3.", "a=1", "pt", "1-2", "", " =1"])
def test_numbers_and_other_text_stay_as_they_are(text: str) -> None:
    assert tables._without_formulas(pd.DataFrame({"text": [text]}))["text"].tolist() == [text]


def test_page_escapes_text_and_marks_an_empty_table() -> None:
    page = html_page("a <b>", ["x & y"], pd.DataFrame({"<i>": ["</table>\n2"]}))
    assert "<b>" not in page and "<i>" not in page and "x &amp; y" in page and page.count("</table>") == 1
    assert "None." in html_page("t", [], pd.DataFrame())


def test_a_row_with_text_in_its_first_cell_only_spans_the_table() -> None:
    page = html_page("t", [], pd.DataFrame([{"a": "No <b>.", "b": ""}, {"a": "1", "b": "2"}]))
    assert '<td class="whole" colspan="2"><span>No &lt;b&gt;.</span></td></tr>' in page
    assert page.count("colspan") == 1


def test_numbers_align_right_and_text_that_begins_with_one_wraps() -> None:
    page = html_page("Title", [], pd.DataFrame([{"a": "97.7 J", "b": "7.33 W CPU, 20 W memory", "c": "30,000"}]))
    assert page.count('<td class="number">') == 2
    assert "<td>7.33 W CPU" in page
