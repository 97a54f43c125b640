"""A table, or a figure, as one self-contained HTML page."""

import base64
import html
import re
from collections.abc import Callable, Collection, Sequence
from urllib.parse import quote

import pandas as pd

from baler_energy.figures.page_scripts import FIGURE_SCRIPT, FIGURE_STYLE, TABLE_SCRIPT, TABLE_STYLE

__all__ = ["MOST_BYTES", "figure_page", "html_page", "sort_value"]

#: Largest page of a report. A report holds pages as URLs, of which Chromium opens none above 2 MiB, which is 1.5 MB
#: before its encoding.
MOST_BYTES = 1_500_000
#: Longest text of a cell that may wrap at every word.
_SHORT = 40
#: Longest text that is put in a sentence if it is the same in all rows.
_PHRASE = 60
#: Characters that stay as they are in a URL within an attribute.
_IN_URL = ",;:/=()+"
#: Text of cells without a value.
_EMPTY = frozenset({"", "-"})
_PREFIXES = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
#: A number with a prefix before its unit, such as ``97.7 ± 3.1 kJ``, ``36.8 (30 to 40) ms``, ``61.5 k``.
_PREFIXED = re.compile(
    r"(?P<number>[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?)( ± \S+)?( to \S+)?( \([^)]*\))?"
    r" (?P<prefix>[nµmkMGT])((J|s|B|W|Wh|g|h|Hz|eV|FLOP)(?![A-Za-z])|$)"
)
#: A factor in words, as from `engine_rows.factor_text`.
_FACTOR = re.compile(r"~?(?P<number>\d+(\.\d+)?)x (?P<side>more|less)")


def html_page(
    title: str,
    paragraphs: Sequence[str],
    table: pd.DataFrame,
    picture: str = "",
    *,
    about: str = "",
    main: Collection[str] = (),
    csv: tuple[str, str] | None = None,
) -> str:
    """Write a table of text as HTML that sorts and filters its rows.

    All text is escaped, and line breaks in cells are kept. The page hides columns with one value in all rows, which a
    sentence gives, and those from the right that do not fit in the window, until a button is pressed. Without
    JavaScript it shows everything.

    Parameters
    ----------
    title, paragraphs
        Shown above the table.
    table
        Its cells are text with units. If it has no rows, the page shows ``None.`` If only the first of several cells in
        a row has text, it spans the whole row.
    picture
        An SVG element, shown below the table.
    about
        What the table shows, folded above it.
    main
        Headings of the columns that stay in a narrow window.
    csv
        Name and content of the file with the numbers. The page contains it if that keeps the page within `MOST_BYTES`;
        otherwise it names the file.
    """
    same = _same(table)
    words = "\n".join(f"<p>{html.escape(text)}</p>" for text in [*paragraphs, *_sentence(same)])
    folded = f"<details><summary>About this table</summary><p>{html.escape(about)}</p></details>" if about else ""
    if table.empty:
        return _document(title, TABLE_STYLE, f"{words}\n{folded}\n<p><strong>None.</strong></p>\n{picture}")
    head = "".join(_head(str(name), main, same) for name in table.columns)
    rows = "\n".join(f"<tr>{_cells(row)}</tr>" for row in table.itertuples(index=False, name=None))
    shown = f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>\n{picture}"

    def whole(link: str) -> str:
        body = f'{words}\n{folded}\n<p class="tools">{link}</p>\n{shown}'
        return _document(title, TABLE_STYLE, body, script=TABLE_SCRIPT)

    return whole("") if csv is None else _with_csv(*csv, whole)


def figure_page(title: str, caption: str, svg: bytes, png: bytes) -> str:
    """Write a figure as HTML, with its title always in view, its caption, and buttons that zoom.

    Parameters
    ----------
    title, caption
        Shown above and below the figure.
    svg, png
        The figure. The page has its pixels only if it would exceed `MOST_BYTES` with the drawing.
    """
    signs = (("0.8", "smaller", "&minus;"), ("1.25", "larger", "+"), ("", "as wide as the window", "fit"))
    buttons = "".join(f'<button type="button" value="{by}" title="{to}">{sign}</button>' for by, to, sign in signs)

    def with_picture(kind: str, content: bytes) -> str:
        url = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
        body = f'<main><img src="{url}" alt="{html.escape(title)}">\n<p>{html.escape(caption)}</p></main>'
        return _document(title, FIGURE_STYLE, body, script=FIGURE_SCRIPT, tools=f"<span>{buttons}</span>")

    page = with_picture("svg+xml", svg)
    return page if _fits(page) else with_picture("png", png)


def sort_value(text: str) -> float | None:
    """Return the value by which a cell is sorted if it is not the number that the cell begins with."""
    if factor := _FACTOR.match(text):
        number = float(factor["number"])
        return 1 / number if factor["side"] == "less" and number else number
    if found := _PREFIXED.match(text.partition("\n")[0]):
        return float(found["number"].replace(",", "")) * _PREFIXES[found["prefix"]]
    return 1.0 if text == "equal" else None


def _document(title: str, style: str, body: str, *, script: str = "", tools: str = "") -> str:
    said = html.escape(title)
    code = f"<script>{script}</script>" if script else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{said}</title><style>{style}</style>'
        f"</head>\n<body><header><h1>{said}</h1>{tools}</header>\n{body}\n{code}</body></html>\n"
    )


def _with_csv(name: str, content: str, whole: Callable[[str], str]) -> str:
    """Make a page that contains a file or, if that would make it too large, says where the file is."""
    name = html.escape(name)
    if len(content) <= MOST_BYTES:
        url = f"data:text/csv;charset=utf-8,{quote(content, safe=_IN_URL)}"
        page = whole(f'<a download="{name}" href="{url}">{name}</a>')
        if _fits(page):
            return page
    return whole(f'<a href="{name}">{name}</a> is too large for this page; it is in the folder of the results.')


def _fits(page: str) -> bool:
    return len(page.encode()) <= MOST_BYTES


def _same(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns with one short value in all rows, and that value; none if fewer than two others remain."""
    rows = [row for row in table.astype(str).itertuples(index=False, name=None) if not _spans(row)]
    if len(rows) < 2:
        return {}
    columns = zip(map(str, table.columns), zip(*rows, strict=True), strict=True)
    same = {name: cells[0] for name, cells in columns if len(set(cells)) == 1 and len(cells[0]) <= _PHRASE}
    return same if len(table.columns) - len(same) > 1 else {}


def _sentence(same: dict[str, str]) -> list[str]:
    said = [f"{name} {' '.join(text.split())}" for name, text in same.items() if text not in _EMPTY]
    return [f"The same in all rows: {'; '.join(said)}."] if said else []


def _head(name: str, main: Collection[str], same: Collection[str]) -> str:
    kinds = " ".join(kind for kind, names in (("main", main), ("same", same)) if name in names)
    return f'<th class="{kinds}">{html.escape(name)}</th>' if kinds else f"<th>{html.escape(name)}</th>"


def _spans(row: Sequence[object]) -> bool:
    """Whether the text in the first cell is about the whole row."""
    return len(row) > 1 and bool(row[0]) and not any(row[1:])


def _cells(row: tuple[object, ...]) -> str:
    if _spans(row):
        return f'<td class="whole" colspan="{len(row)}"><span>{html.escape(str(row[0]))}</span></td>'
    return "".join(_cell(str(cell)) for cell in row)


def _cell(text: str) -> str:
    # A long cell, or one with a comma, is a phrase that begins with a number: "7.33 W CPU, 20 W memory".
    number = text[:1].isdigit() and len(text) <= _SHORT and "\n" not in text and ", " not in text
    kind = ' class="number"' if number else ' class="long"' if len(text) > _SHORT else ""
    value = sort_value(text)
    key = "" if value is None else f' data-value="{value:.6g}"'
    return f"<td{kind}{key}>{html.escape(text)}</td>"
