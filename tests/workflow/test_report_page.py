"""The report of a finished study in a browser: what a reader finds, sorts and downloads, with no network."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from baler_energy.figures import chapters
from baler_energy.variants import CHAPTERS

pytestmark = pytest.mark.long

WINDOWS = (1400, 1366)


@pytest.fixture(scope="module")
def report(done) -> Path:
    """Return the report, in a folder of its own, as if it had been mailed."""
    (done.root / "mailed").mkdir()
    done.snakemake(done.finished_study(), "--report", "mailed/report.html")
    return done.root / "mailed" / "report.html"


@pytest.fixture(params=WINDOWS)
def page(browser, report, request) -> Iterator[Any]:
    """Return the opened report; errors of scripts and requests to a network fail the test."""
    page = browser.new_page(viewport={"width": request.param, "height": 768})
    failures: list[object] = []
    page.on("pageerror", lambda error: failures.append(error))
    page.on("request", lambda one: failures.append(one.url) if one.url.startswith("http") else None)
    page.goto(report.as_uri())
    page.get_by_placeholder("Search...").wait_for()
    yield page
    page.close()
    assert failures == []


def entries(page: Any) -> list[str]:
    """Titles in the list at the left."""
    return [text.strip() for text in page.locator("nav tbody td:first-child").all_text_contents()]


def view(page: Any, category: str, title: str) -> Any:
    """Open a category and one of its pages; return the page."""
    page.locator("nav").get_by_text(category).first.click()
    row = page.locator("nav tbody tr").filter(has_text=title)
    row.locator("a").first.click()
    return page.frame_locator("iframe")


def search(page: Any, words: str) -> list[str]:
    """Search for words; return the titles of what is found."""
    page.get_by_placeholder("Search...").fill(words)
    page.get_by_placeholder("Search...").press("Enter")
    page.get_by_text("Search results").wait_for()
    return entries(page)


def test_the_first_page_shows_every_column_above_the_rule_graph(page):
    page.locator("#app #rulegraph canvas, #app #rulegraph svg").first.wait_for()
    text, graph = (page.locator(one).bounding_box() for one in (".grow .prose", "#app #rulegraph"))
    assert text["y"] + text["height"] <= graph["y"]
    last = page.locator(".prose table").first.locator("th").last
    assert last.text_content().strip() == "n"
    assert last.bounding_box()["x"] + last.bounding_box()["width"] <= page.viewport_size["width"]


def test_entries_are_titles_and_empty_tables_are_not_among_them(page, done):
    page.locator("nav").get_by_text(chapters.TABLES_TITLE).first.click()
    found, tables = entries(page), done.root / "results" / "tiny" / "tables"
    shown = [table for table in chapters.tables() if len((tables / f"{table.name}.csv").read_text().splitlines()) > 1]
    assert sorted(found) == sorted(f"{table.title} (table)" for table in shown) and len(found) < len(chapters.tables())


@pytest.mark.parametrize("words", ["CO2", "co2", "compression", "Compression", "re:^.*loss.*energy"])
def test_search_finds_what_is_in_titles_and_captions(page, words):
    found = search(page, words)
    assert found and len(found) < sum(map(len, map(chapters.figures_of, CHAPTERS))) + len(chapters.tables())


def test_a_second_search_replaces_the_first(page):
    first = search(page, "Training loss against epochs")
    assert first == ["Training loss against epochs"]
    assert first != search(page, "glossary") and "Glossary of metrics (table)" in entries(page)
    assert search(page, "(no such words") == []


def test_a_table_fits_shows_its_values_sorts_and_has_its_csv(page, done):
    table = view(page, chapters.TABLES_TITLE, "Every point")
    energy = table.locator("th", has_text=re.compile(r"^energy \(J\)"))
    energy.wait_for()
    frame = page.frames[-1]
    assert frame.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    box, window = energy.bounding_box(), page.viewport_size["width"]
    assert box["width"] > 0 and box["x"] + box["width"] <= window
    place = 1 + energy.evaluate("head => [...head.parentNode.cells].indexOf(head)")
    energy.click()
    values = [
        float(text.split()[0].replace(",", "")) for text in table.locator(f"td:nth-child({place})").all_text_contents()
    ]
    assert values == sorted(values) and len(set(values)) > 1
    table.get_by_placeholder("Filter rows").fill("decompress")
    assert 0 < table.locator("tbody tr:not([hidden])").count() < len(values)
    with page.expect_download() as waiting:
        table.get_by_text("summary.csv").click()
    written = done.root / "results" / "tiny" / "tables" / "summary.csv"
    pd.testing.assert_frame_equal(pd.read_csv(waiting.value.path()), pd.read_csv(written))


def test_every_page_opens(page):
    for category in page.evaluate("Object.keys(categories)"):
        for path in page.evaluate("name => Object.values(categories[name]).flat()", category):
            title = page.evaluate("path => results[path].labels.title", path)
            shown = view(page, category, title).locator("h1")
            shown.wait_for()
            assert shown.text_content() == title.removesuffix(" (table)")
            page.locator("nav nav a").first.click()


def test_a_figure_keeps_its_title_in_view(page):
    figure = view(page, chapters.chapter_title("cost"), "Training loss against epochs")
    picture = figure.locator("img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert picture.get_attribute("src").startswith("data:image/svg+xml")
    for _ in range(4):
        figure.get_by_title("larger").click()
    picture.evaluate("image => image.scrollIntoView(false)")
    heading = figure.locator("h1").bounding_box()
    assert 0 <= heading["y"] < 60


def test_the_info_of_a_figure_has_its_caption_and_no_parameters(page):
    page.locator("nav").get_by_text(chapters.chapter_title("cost")).first.click()
    row = page.locator("nav tbody tr").filter(has_text="Training loss against epochs")
    row.locator("a").last.click()
    page.get_by_text("Snakemake rule").wait_for()
    said = page.locator("nav").first.text_content()
    assert "Training loss after each epoch" in said and "File: loss_epochs.svg." in said
    assert "captions" not in said and "source=" not in said
