"""Tables are written in pieces of bounded size, and many files are read as a few tables."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baler_energy.analysis import writing
from baler_energy.analysis.schema import TABLES, arrow_schema
from baler_energy.analysis.writing import Rows, TableWriter, read_parquet, scan
from baler_energy.errors import BalerEnergyError, InputError
from baler_energy.processes import mapping

ROW = dict.fromkeys(column.name for column in TABLES["findings"][1])


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(writing, "GROUP_ROWS", 10)
    monkeypatch.setattr(writing, "_DICTIONARY_ROWS", 4)
    monkeypatch.setattr(writing, "_PIECES", 3)
    monkeypatch.setattr(writing, "_SLICE_FILES", 3)


def test_rows_and_tables_come_in_their_order_in_groups_of_bounded_size(small, tmp_path):
    path = tmp_path / "findings.parquet"
    name = next(iter(ROW))
    with TableWriter.open("findings", path) as writer:
        for number in range(7):
            writer.add([ROW | {name: f"row {number}"}])
        others = [key for key in ROW if key != name]
        table = pa.table({name: [f"row {number}" for number in range(7, 30)]})
        writer.add_table(table, **dict.fromkeys(others))
        writer.add([ROW | {name: "row 30"}])
        assert not path.exists(), "whole or not at all"
    assert writer.rows == 31
    written = pq.ParquetFile(path)
    assert written.schema_arrow.equals(arrow_schema("findings"))
    assert written.read().column(name).to_pylist() == [f"row {number}" for number in range(31)]
    assert max(written.metadata.row_group(n).num_rows for n in range(written.num_row_groups)) <= 10


def test_other_columns_are_refused_and_leave_no_file(tmp_path):
    for add in (
        lambda writer: writer.add([{"nonsense": 1}]),
        lambda writer: writer.add_table(pa.table({"nonsense": [1]})),
    ):
        with (
            pytest.raises(BalerEnergyError, match="unknown columns"),
            TableWriter.open("findings", tmp_path / "f.parquet") as writer,
        ):
            add(writer)
        assert list(tmp_path.iterdir()) == []


def test_a_column_that_comes_with_the_rows_and_as_a_constant_is_refused(tmp_path):
    name = next(iter(ROW))
    constant = {name: "twice"}
    for add in (
        lambda writer: writer.add([ROW], **constant),
        lambda writer: writer.add_table(pa.Table.from_pylist([ROW], arrow_schema("findings")), **constant),
    ):
        with (
            pytest.raises(BalerEnergyError, match=rf"findings: columns \['{name}'\] are duplicated"),
            TableWriter.open("findings", tmp_path / "f.parquet") as writer,
        ):
            add(writer)
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{number}.parquet" for number in (3, 1, 2, 0)]
    for number, path in enumerate(paths):
        pd.DataFrame({"value": [float(number)] * number}).to_parquet(path, index=False)
    return paths


def test_many_files_become_few_tables_with_the_constants_of_each_file(small, files):
    constants = pa.table({"run_id": ["a", "b", "c", "d"]})
    rows = [row for piece in scan(files, constants) for row in piece.to_pylist()]
    assert rows == [{"value": float(n), "run_id": "abcd"[n]} for n in range(4) for _ in range(n)]
    assert list(scan([], constants)) == []


def test_memory_does_not_grow_with_the_number_of_files(small, tmp_path, monkeypatch):
    path = tmp_path / "one.parquet"
    pd.DataFrame({"value": range(4)}).to_parquet(path, index=False)
    for number in range(30):
        (tmp_path / f"{number}.parquet").hardlink_to(path)
    paths = [tmp_path / f"{number}.parquet" for number in range(30)]
    constants = pa.table({"run_id": [str(n) for n in range(30)]})
    sizes = [len(piece) for piece in scan(paths, constants)]
    assert sizes == [3 * 4] * 10
    monkeypatch.setattr(writing, "_SLICE_B", path.stat().st_size + 1)
    assert max(len(piece) for piece in scan(paths, constants)) == 2 * 4


def test_a_missing_or_damaged_file_is_named(files):
    files[2].write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(InputError, match=files[2].name):
        list(scan(files, pa.table({"run_id": ["a", "b", "c", "d"]})))
    files[2].unlink()
    with pytest.raises(InputError, match=files[2].name):
        list(scan(files, pa.table({"run_id": ["a", "b", "c", "d"]})))
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_parquet(files[2])


def test_pages_have_checksums_which_are_checked(tmp_path):
    path = tmp_path / "findings.parquet"
    with TableWriter.open("findings", path) as writer:
        writer.add([ROW | {next(iter(ROW)): f"row {number}"} for number in range(50)])
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content, expected, messages = path.read_bytes(), read_parquet(path), ""
    for place in range(column.dictionary_page_offset, column.dictionary_page_offset + column.total_compressed_size):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            assert read_parquet(path).equals(expected), "a byte that means nothing"
        except InputError as error:
            messages += str(error)
    assert messages.count("CRC checksum") > 10


def test_rows_become_a_table_with_the_requested_columns(small):
    rows = Rows("runs", columns=["rows"])
    assert len(rows.take()) == 0
    for number in range(9):
        rows.add([{"rows": number, "other": "x"}])
    assert len(rows) == 9
    assert rows.take().to_pylist() == [{"rows": number} for number in range(9)]
    assert len(rows) == len(rows.take()) == 0


def test_rows_share_constant_columns(small):
    rows = Rows("runs", columns=["run_id", "rows", "engine", "epochs"])
    for number in range(6):
        # A column called `rows` is a constant like others.
        rows.add([{"epochs": 10 * number + n} for n in range(number)], run_id=f"r{number}", rows=number, engine=None)
    # In another order of columns, and with other constants.
    rows.add_table(pa.table({"epochs": [7, 8], "rows": [70, 80]}), engine="fast", run_id="t")
    rows.add([{"epochs": 9, "run_id": "d", "rows": 90}], engine="fast")
    expected = [(f"r{number}", number, None, 10 * number + n) for number in range(6) for n in range(number)]
    expected += [("t", 70, "fast", 7), ("t", 80, "fast", 8), ("d", 90, "fast", 9)]
    assert [tuple(row.values()) for row in rows.take().to_pylist()] == expected


def test_a_column_may_be_null_or_integer_in_some_tables(small):
    rows = Rows("history", columns=["epoch", "loss"])
    for losses in ([None, None], [1.5, None], [2, 3]):
        rows.add_table(pa.table({"epoch": [1, 2], "loss": losses}))
    assert rows.take().column("loss").to_pylist() == [None, None, 1.5, None, 2.0, 3.0]


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_read_the_same_in_the_same_order(small, files, processes, monkeypatch):
    monkeypatch.setattr("baler_energy.processes._FEW", 2)
    constants = pa.table({"run_id": ["a", "b", "c", "d"]})
    with mapping(processes) as in_order:
        rows = [row for piece in scan(files, constants, in_order=in_order) for row in piece.to_pylist()]
        assert rows == [{"value": float(n), "run_id": "abcd"[n]} for n in range(4) for _ in range(n)]
        files[3].unlink()
        with pytest.raises(InputError, match=files[3].name):
            list(scan(files, constants, in_order=in_order))
