"""Text of other programs: bounded reads, rows that fit their header, numbers, times and their units."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy import logs
from baler_energy.errors import InputError
from baler_energy.logs import LARGEST_BYTES, column, header, number, read_text, records, seconds, unit_s

HERE = Path("a.csv")
#: A time since 1970 is in the unit in which it is between 1974 and 5138, for any of the units.
times_s = st.floats(1.3e8, 9e10)


def rows(text: str) -> list[dict[str, str]]:
    return [cells.values for cells in records(text, HERE)]


# Files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, ending: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"time,\u00b5{ending}1,2{ending}".encode(encoding))
    assert read_text(path) == "time,\u00b5\n1,2\n"


@pytest.mark.parametrize("content", [b"a\0b", b"\xff\xff", b"\xb5", b"\xff\xfe\0\0a\0\0\0"])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.csv: is not a text file, or not in UTF-8"):
        read_text(path)


def test_a_device_a_pipe_and_a_folder_are_refused(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    for path in (pipe, link, tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match="cannot be read: it is not a file, but a folder, pipe or device"):
            read_text(path)
    with pytest.raises(InputError, match=r"none\.csv: cannot be read: no such file"):
        read_text(tmp_path / "none.csv")


def test_a_gigantic_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sparse.csv"
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(InputError, match=r"sparse\.csv: is larger than 128 MiB"):
        read_text(path)


# Rows


def test_rows_by_column() -> None:
    text = 'a,"b, c",\n1,"2,5",\n\n , ,\n'
    assert header(text) == ["a", "b, c", ""]
    assert rows(text) == [{"a": "1", "b, c": "2,5", "": ""}]
    # pandas writes an index without a name.
    assert rows(",a\n0,5\n") == [{"": "0", "a": "5"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", "row 3: has 3 cells where the header has 2"),
        ("a,b\n\n1\n", "row 3: has 1 cells"),
        ("a,b,\n1,2,4\n", "row 2: has a cell in a column without a name"),
        ('a,b\n1,"2\n1,2"\n', "row 2: has quotes that do not match"),
        ('a,b\n1,"2"3\n', "row 2: has quotes that do not match"),
        ("a,b\n1," + "2" * 70_000, "row 2: is longer than 65536 characters"),
        ("a,b,a\n1,2,3\n", "column 'a' occurs more than once"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_number(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rows(text)


@given(st.integers(1, 6), st.integers(1, 8), st.data())
def test_a_row_of_another_width_is_always_refused(width: int, count: int, data: st.DataObject) -> None:
    lines = [",".join(f"c{n}" for n in range(width)), *[",".join("1" * width)] * count]
    assert len(rows("\n".join(lines))) == count
    place = data.draw(st.integers(1, count))
    lines[place] += ",5"
    with pytest.raises(InputError, match=f"row {place + 1}: has {width + 1} cells"):
        rows("\n".join(lines))


def test_a_header_that_is_none() -> None:
    for text in ("", "a" * 70_000 + ",b", '"a,b', "\na,b"):
        assert header(text) == []


def test_columns_by_name_and_unit() -> None:
    power = re.compile("(?:power_)?w")
    for name in ("power_w", "Power (W)", " W ", "power [W]", "Power/W"):
        assert column(HERE, ["time", name], power, "'power_w'") == name
    with pytest.raises(InputError, match=r"must name the columns, one of them 'power_w', not 'time,power_kw'"):
        column(HERE, ["time", "power_kw"], power, "'power_w'")
    with pytest.raises(InputError, match=r"column 'power_w' occurs more than once \('W', 'power_w'\)"):
        column(HERE, ["W", "power_w"], power, "'power_w'")


# Numbers and times


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_exactly(value: float) -> None:
    for text in (repr(value), f" {value:.17e} ", f"{value:+.3f}"):
        assert number(text, HERE, 2, "x") == float(text)


@pytest.mark.parametrize("text", ["", "1_0", "1,5", "nan", "inf", "1e999", "0x1", "1e", ".", "\u0661", "1 2", "1." * 3])
def test_other_text_is_no_number(text: str) -> None:
    with pytest.raises(InputError, match=r"a\.csv, row 2: x is "):
        number(text, HERE, 2, "x")


@given(times_s, st.sampled_from([1.0, 1e-3, 1e-6, 1e-9]))
def test_the_unit_of_a_time_shows_in_its_size(time_s: float, unit: float) -> None:
    assert unit_s(time_s / unit) == unit
    assert seconds(repr(time_s / unit)) == pytest.approx(time_s)


def test_times_as_dates() -> None:
    expected = datetime(2026, 11, 24, 13, 0, 0, 500_000, tzinfo=UTC).timestamp()
    for text in ("2026-11-24T13:00:00.5Z", "2026-11-24 14:00:00,5+01:00", " 2026-11-24T13:00:00.500+00:00"):
        assert seconds(text) == expected
    for text in ("2026-11-24T13:00:00", "0001-01-01T00:00Z", "9999-12-31T23:59Z", "noon", ""):
        with pytest.raises(ValueError, match=r"year|isoformat|time zone"):
            seconds(text)
    for text in ("1e999", "1e30", "-1e30"):
        with pytest.raises(ValueError, match="a time of"):
            seconds(text)
    assert logs.local_seconds("2026-11-24 13:00:00,5", HERE, 2) == expected
