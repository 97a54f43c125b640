"""Text in the report's first page: nothing in a record is more than text, for Jinja and for reStructuredText."""

import html
import re

import jinja2
import pytest
from docutils.core import publish_parts
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.figures import overview


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
    "javascript:alert(1)",
    "data:text/html;base64,eA==",
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
    for unwanted in ("<script", "system-message", "<img", "root:", "<pre", "<dl", "<b>", "href"):
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
