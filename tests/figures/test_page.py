"""The pages of tables and figures: their text, and what they do in a browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest

from baler_energy.figures import chapters
from baler_energy.figures.base import TableSpec
from baler_energy.figures.page import MOST_BYTES, figure_page, html_page, sort_value
from baler_energy.figures.readable import MOST_ROWS, readable
from baler_energy.variants import CHAPTERS

Build = Callable[..., dict[str, pd.DataFrame]]

#: Widths of windows, and of the report's list of pages next to a page.
WINDOWS, LIST_WIDTH = (1400, 1366), 352
TABLES = {table.name: table for table in chapters.tables()}
MIXED = pd.DataFrame(
    {
        "dataset": "jets",
        "codec": ["quantise-0.1+pcodec", "pca", "baler", "sz3"],
        "energy": ["900 ± 20 mJ", "1.2 kJ", "not measured", "30 (20 to 40) J"],
        "rows": ["10,000", "2,000", "300,000", "9"],
        "factor": ["1.50x less (1.4 to 1.6)", "~1.02x more", "equal", "3.00x more"],
    }
)


@pytest.fixture(scope="module")
def shown(build: Build) -> dict[str, tuple[TableSpec, pd.DataFrame]]:
    """Tables with rows, as text, of a study with several engines, packings and optimizers."""
    options = {"evidence": {"cpu": "measured", "gpu": "measured", "ram": "modelled"}, "flags": "contaminated"}
    data = build(devices=("cpu", "cuda"), engines=True, optimizers=True, extras=True, second_meter=True, **options)
    texts = {name: (table, readable(table, table.make(data))) for name, table in TABLES.items()}
    return {name: (table, text) for name, (table, text) in texts.items() if len(text)}


# what the pages are made of


def test_columns_that_are_the_same_everywhere_are_a_sentence() -> None:
    table = MIXED.assign(reason="", run_on="CPU", n=["3", "3", "2", "3"])
    page = html_page("t", [], table)
    assert "<p>The same in all rows: dataset jets; run_on CPU.</p>" in page
    assert set(re.findall(r'<th class="same">(.*?)</th>', page)) == {"dataset", "reason", "run_on"}
    assert "The same" not in html_page("t", [], table.head(1)), "one row has nothing to compare with"
    assert "The same" not in html_page("t", [], table[["dataset", "codec"]]), "a table has two columns"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("97.7 ± 3.1 kJ", 97_700),
        ("36.8 (30 to 40) ms", 0.0368),
        ("1,234 µJ", 0.001234),
        ("12 to 15 mJ (flagged)", 0.012),
        ("61.5 k", 61_500),
        ("3.2 GFLOP/s", 3.2e9),
        ("+1.5 MeV", 1.5e6),
        ("5 mJ\n1.50x less", 0.005),
        ("2.1 kWh", 2100),
        ("1.44x less (1.3 to 1.6)", 1 / 1.44),
        ("~2.0x more", 2.0),
        ("equal", 1.0),
        # The number at the beginning of the text is right.
        ("97.7 J", None),
        ("61,500 MACs: one per weight", None),
        ("3 min", None),
        ("2 (+ 1 flagged: contaminated)", None),
        ("30,000", None),
        ("not measured", None),
        ("", None),
    ],
)
def test_cells_are_sorted_by_their_value_in_si_units(text: str, value: float | None) -> None:
    assert sort_value(text) == (None if value is None else pytest.approx(value))


def test_a_page_contains_its_csv_or_links_to_it() -> None:
    csv = 'a,b\n1,"x & <y> %41 ü#"\n'
    (link,) = re.findall(
        r'<a download="t.csv" href="data:text/csv;charset=utf-8,(.*?)">', html_page("t", [], MIXED, csv=("t.csv", csv))
    )
    assert unquote(link) == csv and not set(link) & set("<>&# \n\"'")
    large = html_page("t", [], MIXED, csv=("t.csv", "1" * MOST_BYTES))
    assert '<a href="t.csv">' in large and len(large) < MOST_BYTES


def test_a_large_drawing_is_shown_as_pixels() -> None:
    small = figure_page("A <b>", "c & d", b"<svg/>", b"png")
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in small and "A &lt;b&gt;" in small and "c &amp; d" in small
    large = figure_page("t", "c", b"x" * MOST_BYTES, b"png")
    assert 'src="data:image/png;base64,cG5n"' in large and len(large) < MOST_BYTES


@pytest.mark.long
def test_a_narrow_table_keeps_columns_that_it_has(shown: dict[str, tuple[TableSpec, pd.DataFrame]]) -> None:
    assert len(shown) > 15
    for name, (table, text) in shown.items():
        # The kind of energy is part of some headings, and only one kind may be there.
        headings = {str(heading).partition(", m")[0] for heading in text.columns}
        assert {heading.partition(", m")[0] for heading in table.main} <= headings, name


def test_every_entry_of_the_report_has_a_title_of_its_own() -> None:
    specs = [(chapters.figures_of(chapter), "") for chapter in CHAPTERS] + [(chapters.tables(), "table")]
    titles = [chapters.labels(some, one.name, kind)["title"] for some, kind in specs for one in some]
    assert len(set(titles)) == len(titles) and not [title for title in titles if "{" in title]
    # What one would search for.
    for words in ("CO2", "compression"):
        assert [title for title in titles if words.lower() in title.lower()], words


# in a browser


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Any:
    """Return a function that shows a page in a window, without a network; errors of scripts fail the test."""
    page = browser.new_page()
    failures: list[object] = []
    page.on("pageerror", lambda error: failures.append(error))
    page.on("request", lambda request: failures.append(request.url) if request.url.startswith("http") else None)

    def open_page(text: str, width: int = 1014) -> Any:
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        page.set_viewport_size({"width": width, "height": 700})
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield open_page
    page.close()
    assert failures == []


def column(page: Any, place: int) -> list[str]:
    """Texts of the rows that are shown, in a column from 1."""
    return [text.strip() for text in page.locator(f"tbody tr:not([hidden]) td:nth-child({place})").all_text_contents()]


def headings(page: Any) -> set[str]:
    """Headings of the columns that are shown."""
    return set(
        page.evaluate("[...document.querySelectorAll('th')].filter(one => one.offsetWidth).map(one => one.textContent)")
    )


@pytest.mark.long
@pytest.mark.parametrize("width", [window - LIST_WIDTH for window in WINDOWS])
def test_tables_fit_and_show_their_values(
    show: Any, shown: dict[str, tuple[TableSpec, pd.DataFrame]], width: int
) -> None:
    for name, (table, text) in shown.items():
        page = show(html_page(table.title, [], text, about=table.caption, main=table.main), width)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        seen, kept = headings(page), page.locator("th.main:not(.same)").all_text_contents()
        assert set(kept) <= seen and len(seen) > 1, name
        button = page.get_by_role("button", name=re.compile("^All "))
        if button.count():
            button.click()
            assert headings(page) == set(text.columns), name


def test_a_click_on_a_heading_sorts_by_value_and_words_come_last(show: Any) -> None:
    page = show(html_page("t", [], MIXED))
    energy, before = page.get_by_text("energy", exact=True), column(page, 3)
    energy.click()
    assert column(page, 3) == ["900 ± 20 mJ", "30 (20 to 40) J", "1.2 kJ", "not measured"]
    energy.click()
    assert column(page, 3) == ["1.2 kJ", "30 (20 to 40) J", "900 ± 20 mJ", "not measured"]
    energy.click()
    assert column(page, 3) == before
    page.get_by_text("rows", exact=True).press("Enter")
    assert column(page, 4) == ["9", "2,000", "10,000", "300,000"]
    page.get_by_text("factor", exact=True).click()
    assert [text[:5] for text in column(page, 5)] == ["1.50x", "equal", "~1.02", "3.00x"]
    page.get_by_text("codec", exact=True).click()
    assert column(page, 2) == ["baler", "pca", "quantise-0.1+pcodec", "sz3"]


def test_rows_are_filtered_by_words_and_a_sentence_stays(show: Any) -> None:
    first = pd.DataFrame([{"dataset": "No, not for these data.", **dict.fromkeys(MIXED.columns[1:], "")}])
    page = show(html_page("t", [], pd.concat([first, MIXED])))
    page.get_by_placeholder("Filter rows").fill("PCODEC mJ")
    assert column(page, 2) == ["quantise-0.1+pcodec"] and page.get_by_text("1 of 4 rows").is_visible()
    assert page.get_by_text("No, not for these data.").is_visible()
    page.get_by_placeholder("Filter rows").fill("")
    page.get_by_text("codec", exact=True).click()
    assert page.locator("tbody tr").first.text_content() == "No, not for these data."
    assert page.get_by_text("4 rows", exact=True).is_visible()


def test_the_csv_is_downloaded_without_a_file_next_to_the_page(show: Any) -> None:
    csv = 'a,b\n1,"x & <y> %41 ü#"\n'
    page = show(html_page("t", [], MIXED, csv=("t.csv", csv)))
    with page.expect_download() as waiting:
        page.get_by_text("t.csv").click()
    assert waiting.value.suggested_filename == "t.csv"
    assert Path(waiting.value.path()).read_text(encoding="utf-8") == csv


def test_a_long_figure_keeps_its_title_in_view_and_zooms(show: Any) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 3000"><rect width="900" height="3000"/></svg>'
    page = show(figure_page("From the whole run down", "caption", svg, b""))
    picture, heading = page.locator("img"), page.get_by_role("heading")
    narrow = picture.bounding_box()["width"]
    assert 900 < narrow < 1014 and picture.evaluate("image => image.naturalWidth") > 0
    picture.hover(position={"x": 100, "y": 100})
    page.mouse.wheel(0, 2000)
    page.wait_for_function("document.querySelector('main').scrollTop > 1000")
    assert 0 <= heading.bounding_box()["y"] < 40
    page.get_by_title("larger").click()
    assert picture.bounding_box()["width"] == pytest.approx(1.25 * narrow)
    assert heading.bounding_box()["x"] >= 0 and heading.is_visible()
    page.get_by_text("fit", exact=True).click()
    assert picture.bounding_box()["width"] == pytest.approx(narrow)
    picture.dblclick(position={"x": 300, "y": 1900})
    assert picture.bounding_box()["width"] == pytest.approx(2 * narrow)


@pytest.mark.long
def test_a_page_too_large_for_a_report_is_never_made(shown: dict[str, tuple[TableSpec, pd.DataFrame]]) -> None:
    """The widest table, with the most rows that `readable` gives it."""
    table, text = shown["metrics"]
    every = pd.concat([text] * (MOST_ROWS // len(text) + 1)).head(MOST_ROWS)
    page = html_page(table.title, [], every, about=table.caption, main=table.main, csv=("metrics.csv", "1" * 10**7))
    assert len(page.encode()) <= MOST_BYTES
