"""Text that other programs wrote (tables and logs): read whole within bounds, its rows, numbers and dates checked.

Results of other tools, the logs of wattmeters and series of carbon intensity are read here and nowhere else.
"""

import codecs
import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from baler_energy.damage import refusing_damage
from baler_energy.errors import InputError
from baler_energy.files import check_distinct

__all__ = [
    "LARGEST_BYTES",
    "Cells",
    "column",
    "header",
    "local_seconds",
    "moment",
    "number",
    "read_text",
    "records",
    "seconds",
    "unit_s",
]

#: Largest file that is read: a wattmeter's log of 40 days with a reading each second.
LARGEST_BYTES = 128 * 2**20
#: Longest line of a table (characters); codecarbon's have less than 1,000.
_LONGEST_LINE = 2**16
#: Plain decimal numbers: float() also reads 1_000, and digits of other scripts.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_YEARS = range(1970, 2200)
#: Units in which times since 1970 are written (s). A time after the year 5138 is in the next smaller unit.
_UNITS_S, _LATEST_S = (1.0, 1e-3, 1e-6, 1e-9), 1e11
_ADVICE = "Remove the row, or export the file again, with decimal points"


def read_text(path: Path) -> str:
    r"""Read a text file: UTF-8 with or without a byte-order mark, or UTF-16 with one; lines end in ``\n``.

    Raises
    ------
    InputError
        The file is missing, unreadable, no regular file, larger than `LARGEST_BYTES`, or not text.
    """
    with refusing_damage(path, "text file"), path.open("rb") as file:
        raw = file.read(LARGEST_BYTES + 1)
    if len(raw) > LARGEST_BYTES:
        raise InputError(f"{path}: is larger than {LARGEST_BYTES // 2**20} MiB. Cut out the part that is needed.")
    utf_16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = raw.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{path}: is not a text file, or not in UTF-8. Export it again, as text in UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def header(text: str, delimiter: str = ",") -> list[str]:
    """Column names in the first line of `text`; none if it is not the first line of a table."""
    first = text[: _LONGEST_LINE + 1].split("\n", 1)[0]
    try:
        cells = next(csv.reader([first], delimiter=delimiter, strict=True), [])
    except csv.Error:
        cells = []
    return [] if len(first) > _LONGEST_LINE else [name.strip() for name in cells]


def column(path: Path, names: Sequence[str], pattern: re.Pattern[str], what: str) -> str:
    """Name of the column that fits a pattern, in lower case and with ``_`` for all that is no letter or digit.

    Parameters
    ----------
    path, names
        The file, for messages, and its column names.
    pattern
        Names that are allowed, such as ``power_w`` for ``Power (W)``.
    what
        The allowed names in words.

    Raises
    ------
    InputError
        No column fits, or several.
    """
    found = [name for name in names if pattern.fullmatch(re.sub(r"[\W_]+", "_", name.lower()).strip("_"))]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{path}: column {what} occurs more than once ({', '.join(map(repr, found[:20]))}), so it is unclear which "
            "one is meant. Keep one of them."
        )
    words = f"its first line must name the columns, one of them {what}, not {','.join(names)[:200]!r}"
    raise InputError(f"{path}: {words}.")


@dataclass(frozen=True)
class Cells:
    """A row of a table by column name, with its file and line for messages."""

    path: Path
    row: int
    values: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The row's text, or its beginning, for messages."""
        return ",".join(self.values.values())[:200]

    def text(self, name: str) -> str | None:
        """Text of a cell; None if the column is missing or the cell is empty."""
        return self.values.get(name, "").strip() or None

    def number(self, name: str, scale: float = 1.0) -> float | None:
        """Return the number in a cell times `scale`; None if the column is missing or the cell is empty.

        Raises
        ------
        InputError
            The cell is not a finite number.
        """
        text = self.text(name)
        return None if text is None else number(text, self.path, self.row, name) * scale

    def times(self, edge: str, length: str, *, local: bool) -> tuple[float, float]:
        """Return the time (s since 1970) and the duration (s) of the row's window; both are required.

        Parameters
        ----------
        edge, length
            The columns of the window's start or end, and of its duration.
        local
            Whether `edge` holds a date, see `local_seconds`; otherwise a time since 1970.

        Raises
        ------
        InputError
            Either is missing, or the duration is negative.
        """
        text, duration_s = self.text(edge), self.number(length)
        if text is None or duration_s is None or duration_s < 0:
            what = f"has no {edge}, or its {length} is missing or negative"
            raise InputError(f"{self.path}, row {self.row}: {what}. {_ADVICE}.")
        if local:
            return local_seconds(text, self.path, self.row), duration_s
        count = number(text, self.path, self.row, edge)
        return count * unit_s(count), duration_s


def records(text: str, path: Path, delimiter: str = ",") -> Iterator[Cells]:
    """Yield the rows below the header. Row numbers are line numbers of the file; the header is row 1.

    Raises
    ------
    InputError
        Two columns have the same name, or a row does not fit the header: it has fewer or more cells, a cell in a column
        without a name, a quoted cell that does not end, or is longer than any table's.
    """
    names = header(text, delimiter)
    check_distinct(path, filter(None, names))
    for row, line in enumerate(text.split("\n"), start=1):
        if row == 1 or not line.strip():
            continue
        if len(line) > _LONGEST_LINE:
            raise InputError(f"{path}, row {row}: is longer than {_LONGEST_LINE} characters. {_ADVICE}.")
        try:
            # A cell of several lines is in no tool's table: it is a quote too many, which would swallow rows.
            cells = next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise InputError(f"{path}, row {row}: has quotes that do not match ({error}). {_ADVICE}.") from error
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise InputError(f"{path}, row {row}: has {len(cells)} cells where the header has {len(names)}. {_ADVICE}.")
        # An index may come first without a name. Any other cell without one is the rest of a number that was cut.
        if any(cell.strip() and not name for name, cell in zip(names[1:], cells[1:], strict=True)):
            raise InputError(f"{path}, row {row}: has a cell in a column without a name. {_ADVICE}.")
        yield Cells(path, row, dict(zip(names, cells, strict=True)))


def number(text: str, path: Path, row: int, name: str) -> float:
    """Read a finite number.

    Raises
    ------
    InputError
        The text is not a finite number.
    """
    value = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not math.isfinite(value):
        raise InputError(f"{path}, row {row}: {name} is {text.strip()[:40]!r}, not a number. {_ADVICE}.")
    return value


def unit_s(count: float) -> float:
    """Return the unit (s) of a time since 1970, by its size: seconds, milliseconds, microseconds or nanoseconds."""
    return next((unit for unit in _UNITS_S if abs(count) * unit < _LATEST_S), _UNITS_S[-1])


def moment(text: str) -> datetime:
    """Read an ISO 8601 date, with or without a time zone.

    Raises
    ------
    ValueError
        The text is not a date from 1970 to 2199.
    """
    date = datetime.fromisoformat(text.strip().replace(",", "."))
    if date.year not in _YEARS:
        raise ValueError(f"the year {date.year}")
    return date


def seconds(text: str) -> float:
    """Seconds since 1970 of a time: an ISO 8601 date with a time zone, or a number in s, ms, us or ns.

    Raises
    ------
    ValueError
        The text is neither, or a time after the year 5138.
    """
    if _NUMBER.fullmatch(text.strip()):
        count = float(text)
        time_s = count * unit_s(count)
        if abs(time_s) >= _LATEST_S:
            raise ValueError(f"a time of {time_s:.4g} s")
        return time_s
    date = moment(text)
    if date.tzinfo is None:
        raise ValueError("a date without a time zone")
    return date.timestamp()


def local_seconds(text: str, path: Path, row: int) -> float:
    """Seconds since 1970 of an ISO date; a date without a time zone is treated as UTC.

    Raises
    ------
    InputError
        The text is not a date.
    """
    try:
        date = moment(text)
    except ValueError as error:
        raise InputError(f"{path}, row {row}: {text.strip()[:40]!r} is not a date. {_ADVICE}.") from error
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
