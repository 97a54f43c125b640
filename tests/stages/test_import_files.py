"""Stage ``import``: two complete tables or none, and the findings as text."""

import argparse
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from baler_energy.analysis.schema import TABLES, arrow_schema
from baler_energy.errors import InputError
from baler_energy.stages import import_files

ROWS = "timestamp,duration,emissions,cpu_energy,gpu_energy,ram_energy,energy_consumed,cpu_model,ram_total_size\n"


def run(*options: object) -> None:
    parser = argparse.ArgumentParser()
    import_files.add_arguments(parser)
    import_files.run(parser.parse_args([str(word) for word in options]))


@pytest.fixture
def emissions(tmp_path: Path) -> Path:
    """Rows of a host whose CPU and RAM powers are constant: 11 W in total."""
    rows = [
        f"2026-03-01T12:{s}:00,{s},1e-6,{5 * s / 3.6e6},0,{6 * s / 3.6e6},{11 * s / 3.6e6},M1,16" for s in (10, 20, 30)
    ]
    path = tmp_path / "numbers.txt"
    path.write_text(ROWS + "\n".join(rows))
    return path


def test_tables_and_words(emissions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(emissions, "--out", tmp_path / "new" / "out")
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == ["findings.parquet", "foreign.parquet"]
    for name in ("foreign", "findings"):
        table = pq.read_table(tmp_path / "new" / "out" / f"{name}.parquet")
        assert table.column_names == [column.name for column in TABLES[name][1]]
        assert table.schema.equals(arrow_schema(name))
        assert table.num_rows
    said = capsys.readouterr().out
    assert said.startswith("18 readings of 1 file; energies: 9 modelled.")
    assert "constant_total: codecarbon machine, M1 with 16.0 GB" in said
    assert "11.0 W (cpu 5.0 W + ram 6.0 W)" in said
    assert max(map(len, said.splitlines())) <= 100


def test_one_bad_file_leaves_nothing(emissions: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("hello\n")
    with pytest.raises(InputError, match=r"bad\.csv: is not a result"):
        run(emissions, bad, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
