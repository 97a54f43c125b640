"""A table as one self-contained HTML page."""

import html
from collections.abc import Sequence

import pandas as pd

__all__ = ["html_page"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #14213d; background: #fff; margin: 1.5rem; }
h1 { font-size: 1.25rem; margin: 0 0 .4rem; }
p { max-width: 60rem; margin: .3rem 0; white-space: pre-line; }
div { overflow-x: auto; margin-top: 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; vertical-align: bottom; border-bottom: 2px solid #14213d; padding: .35rem .8rem .35rem 0; }
td { vertical-align: top; border-bottom: 1px solid #d5d9e2; padding: .35rem .8rem .35rem 0; white-space: pre-line; }
td.number { text-align: right; white-space: nowrap; }
td.whole { font-weight: 600; }
td.whole span { display: block; max-width: 60rem; }
tr:hover td { background: #f2f5fa; }
"""


def html_page(title: str, paragraphs: Sequence[str], table: pd.DataFrame, picture: str = "") -> str:
    """Write a table of text as HTML; all text is escaped, and line breaks in cells are kept.

    Parameters
    ----------
    title, paragraphs
        Shown above the table.
    table
        Its cells are text with units. If it has no rows, the page shows ``None.`` If only the first of several cells in
        a row has text, it spans the whole row.
    picture
        An SVG element, shown below the table.
    """
    words = "\n".join(f"<p>{html.escape(text)}</p>" for text in paragraphs)
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in table.columns)
    rows = "\n".join(f"<tr>{_cells(row)}</tr>" for row in table.itertuples(index=False, name=None))
    body = f"<div><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>"
    if table.empty:
        body = "<p><strong>None.</strong></p>"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>\n{words}\n{body}\n{picture}</body></html>\n"
    )


def _cells(row: tuple[object, ...]) -> str:
    if len(row) > 1 and row[0] and not any(row[1:]):
        return f'<td class="whole" colspan="{len(row)}"><span>{html.escape(str(row[0]))}</span></td>'
    return "".join(map(_cell, row))


def _cell(text: object) -> str:
    # A cell with a comma is a phrase that begins with a number: "7.33 W CPU, 20 W memory".
    number = str(text)[:1].isdigit() and "\n" not in str(text) and ", " not in str(text)
    tag = '<td class="number">' if number else "<td>"
    return f"{tag}{html.escape(str(text))}</td>"
