"""A sample of a file for trying codecs."""

import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from baler_energy.data import sampling
from baler_energy.data.sampling import LEAST_ROWS, sample_file
from baler_energy.errors import InputError
from baler_energy.formats import Block, Request


def save(path: Path, rows: int) -> Path:
    """Write a file whose first column is the number of the row."""
    data = np.stack([np.arange(float(rows)), np.random.default_rng(1).random(rows)], axis=1)
    np.savez(path, data=data, names=np.array(["row", "value"]))
    return path


@pytest.mark.parametrize(
    ("rows", "of_a_table", "wanted"),
    [
        (LEAST_ROWS, 10_000, LEAST_ROWS),
        (5_000, 10_000, 5_000),
        (100_000, 10_000, 10 * sampling.RUN_ROWS),
        (100_000, LEAST_ROWS // 2, LEAST_ROWS),  # less than a run of the maximum length
    ],
)
def test_the_tables_share_no_row_and_are_spread_over_the_file(
    tmp_path: Path, rows: int, of_a_table: int, wanted: int
) -> None:
    path = save(tmp_path / "a.npz", rows)
    sample = sample_file(str(path), Request(), native_bytes=16 * of_a_table)
    assert sample.rows == rows
    assert sample.native_bytes == 16 * rows
    training, test = (table.data[:, 0] for table in (sample.training, sample.test))
    assert not set(training) & set(test)
    # The file's last run may be a shorter one.
    assert wanted - min(sampling.RUN_ROWS, -(-wanted // 8)) < len(training) + len(test) <= wanted
    for numbers in (training, test):
        assert (np.diff(numbers) > 0).all()
        assert numbers.min() < 0.3 * rows
        assert numbers.max() > 0.7 * rows


def test_neighbouring_rows_stay_together(tmp_path: Path) -> None:
    sample = sample_file(str(save(tmp_path / "a.npz", 100_000)), Request(), native_bytes=16 * 10_000)
    steps = np.diff(sample.test.data[:, 0])
    assert (steps == 1).mean() > 0.99


def test_at_most_twice_the_sample_is_held() -> None:
    held = 0

    class Watched(np.ndarray):
        """A block that counts the bytes of its copies that are alive."""

        def copy(self, *_: object) -> np.ndarray:
            nonlocal held
            data = np.array(self)
            held += data.nbytes
            weakref.finalize(data, release, data.nbytes)
            assert held <= (2 * 4 + 2) * 100 * 8
            return data

    def release(size: int) -> None:
        nonlocal held
        held -= size

    blocks = [Block(np.arange(1000.0).reshape(-1, 1).view(Watched)) for _ in range(50)]
    source = SimpleNamespace(rows=None, names=("a",), dtypes=("float64",), blocks=lambda rows: blocks)
    data, finite, rows, whole = sampling._evenly_spaced_runs(source, 400, 100, "reading", lambda: False)
    assert (len(data), finite.tolist(), rows, whole) == (400, [True], 50_000, True)


def test_columns_with_nan_are_left_out(tmp_path: Path) -> None:
    data = np.random.default_rng(1).random((1000, 3))
    data[700, 1] = np.nan
    np.savez(tmp_path / "a.npz", data=data, names=np.array(list("abc")))
    sample = sample_file(str(tmp_path / "a.npz"), Request(), native_bytes=10**6)
    assert sample.test.names == sample.training.names == ("a", "c")
    assert sample.left_out == ("b",)
    assert sample.warnings[-1] == "b: left out because of NaN or infinity"
    assert sorted([*sample.training.data[:, 1], *sample.test.data[:, 1]]) == sorted(data[:, 2])


def test_nan_in_a_row_that_is_not_in_the_sample_is_found(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", 100_000)
    before = sample_file(str(path), Request(), native_bytes=1600)
    sampled = {*before.training.data[:, 0], *before.test.data[:, 0]}
    with np.load(path) as arrays:
        data, names = arrays["data"], arrays["names"]
    data[next(row for row in range(len(data)) if row not in sampled), 1] = np.nan
    np.savez(path, data=data, names=names)
    after = sample_file(str(path), Request(), native_bytes=1600)
    assert (after.left_out, after.test.names) == (("value",), ("row",))
    np.testing.assert_array_equal(after.test.data[:, 0], before.test.data[:, 0])


def test_reading_stops_when_asked_and_the_sample_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_READ_ROWS", 1000)
    path = str(save(tmp_path / "a.npz", 10_000))
    asked = iter([False, False, True])
    sample = sample_file(path, Request(), 10**6, stop=lambda: next(asked))
    numbers = np.sort(np.concatenate([sample.training.data[:, 0], sample.test.data[:, 0]]))
    np.testing.assert_array_equal(numbers, np.arange(3000))
    # An npz file states its number of rows.
    assert sample.rows == 10_000
    assert sample.warnings[-1] == f"{path}: only the first 3,000 rows were read, since time ran out"
    assert not any("time ran out" in words for words in sample_file(path, Request(), 10**6).warnings)


def test_enough_rows_are_read_even_if_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_READ_ROWS", LEAST_ROWS // 2)
    sample = sample_file(str(save(tmp_path / "a.npz", 1000)), Request(), 10**6, stop=lambda: True)
    assert len(sample.training.data) + len(sample.test.data) == LEAST_ROWS


def test_what_cannot_be_sampled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"has 150 rows; at least {LEAST_ROWS}"):
        sample_file(str(save(tmp_path / "few.npz", 150)), Request(), native_bytes=10**6)
    np.savez(tmp_path / "nan.npz", data=np.full((300, 2), np.nan), names=np.array(["a", "b"]))
    with pytest.raises(InputError, match="every column contains NaN"):
        sample_file(str(tmp_path / "nan.npz"), Request(), native_bytes=10**6)
    np.savez(tmp_path / "empty.npz", data=np.empty((0, 2)), names=np.array(["a", "b"]))
    with pytest.raises(InputError, match="has 0 rows"):
        sample_file(str(tmp_path / "empty.npz"), Request(), native_bytes=10**6)
