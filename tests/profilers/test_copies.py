"""Lines that copy data: bytes of lines whose copies are known."""

import importlib.util
from pathlib import Path

import pytest

from baler_energy.profilers import copies

ROWS, COLUMNS = 5000, 24
BYTES = ROWS * COLUMNS * 8

PROGRAM = """import numpy as np
import torch

def work():
    data = np.ones((5000, 24))
    total = data.sum()
    shifted = data - 1.0
    both = np.concatenate((data, shifted))
    tensor = torch.from_numpy(data)
    views = list(tensor)
    rows = torch.stack(views)
    product = tensor.T @ tensor
    for start in range(0, 5000, 1000):
        part = inner(data[start : start + 1000])
    return both, rows, product, part

def inner(values):
    return values * 2.0
"""


@pytest.fixture
def found(tmp_path: Path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = copies.profile(lambda: module.work, tmp_path, at_once_bytes=10_000, smallest_bytes=50_000)
    return {row.name: row for row in rows}


def test_new_arrays_and_copying_operators_are_counted(found):
    assert found["shifted = data - 1.0"].bytes == pytest.approx(BYTES, rel=0.01)
    assert found["both = np.concatenate((data, shifted))"].bytes == pytest.approx(2 * BYTES, rel=0.01)
    assert found["rows = torch.stack(views)"].bytes == pytest.approx(BYTES, rel=0.06)


def test_a_line_that_runs_often_is_summed_and_does_not_count_for_its_caller(found):
    assert found["return values * 2.0"].bytes == pytest.approx(BYTES, rel=0.01)
    assert found["return values * 2.0"].calls == 5
    assert "part = inner(data[start : start + 1000])" not in found


def test_views_sums_and_products_are_not_copies(found):
    assert not {"total = data.sum()", "tensor = torch.from_numpy(data)", "product = tensor.T @ tensor"} & set(found)


def test_rows_are_ordered_and_placed(found):
    rows = [*found.values()]
    assert [row.bytes for row in rows] == sorted((row.bytes for row in rows), reverse=True)
    assert all(row.kind == "copy" and row.file.endswith("program.py") and row.line for row in rows)
    assert 0 < sum(row.self_share for row in rows) <= 1
