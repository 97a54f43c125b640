"""Selecting and checking rows."""

import hashlib
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.data import ingest, toy
from baler_energy.data.checks import find_oddities
from baler_energy.data.ingest import split_rows, tables_from_file, tables_from_shards
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import Request


@given(available=st.integers(1, 300), seed=st.integers(0, 2**40), data=st.data())
def test_fewer_rows_are_a_subset_of_more(available: int, seed: int, data: st.DataObject) -> None:
    more = data.draw(st.integers(1, available))
    fewer = data.draw(st.integers(1, more))
    large, small = split_rows(available, more, 0, seed)[0], split_rows(available, fewer, 0, seed)[0]
    assert len(large) == more
    assert set(small.tolist()) <= set(large.tolist()) <= set(range(available))
    assert (np.diff(large) > 0).all()


def test_the_selection_is_random_and_seeded() -> None:
    first = split_rows(1000, 100, 0, 1)[0]
    np.testing.assert_array_equal(first, split_rows(1000, 100, 0, 1)[0])
    assert first.tolist() != split_rows(1000, 100, 0, 2)[0].tolist()
    assert first.max() > 500


@given(available=st.integers(2, 300), held_out=st.floats(0, 1), seed=st.integers(0, 2**40), data=st.data())
def test_held_out_rows_are_others(available: int, held_out: float, seed: int, data: st.DataObject) -> None:
    rows = data.draw(st.none() | st.integers(1, available))
    table, held = split_rows(available, rows, held_out, seed)
    assert not set(table.tolist()) & set(held.tolist())
    assert (np.diff(held) > 0).all()
    assert len(held) <= math.ceil(held_out * len(table))
    if rows is None:
        assert len(table) + len(held) == available
        assert len(held) + 2 > held_out * len(table)
    else:
        assert len(table) == rows
        assert len(held) == min(available - rows, math.ceil(held_out * rows))


def test_held_out_rows_of_fewer_rows_are_a_subset_of_those_of_more() -> None:
    few, many = (split_rows(1000, rows, 0.2, 7)[1] for rows in (100, 500))
    assert (len(few), len(many)) == (20, 100)
    assert set(few.tolist()) <= set(many.tolist())


def save(path: Path, data: np.ndarray, names: str = "abc") -> Path:
    np.savez(path, data=data, names=np.array(list(names[: data.shape[1]])))
    return path


def table(path: Path, rows: int | None = None, seed: int = 0, **options: object) -> Table:
    return tables_from_file(str(path), Request(), rows=rows, seed=seed, **options)[0]  # type: ignore[arg-type]


def test_rows_are_those_of_the_file_in_its_order(tmp_path: Path) -> None:
    data = np.arange(60.0).reshape(20, 3) + 0.5
    path = save(tmp_path / "a.npz", data)
    whole, part = table(path), table(path, rows=7, seed=5)
    np.testing.assert_array_equal(whole.data, data)
    np.testing.assert_array_equal(part.data, data[split_rows(20, 7, 0, 5)[0]])
    assert part.data.dtype == np.float64
    assert part.data.flags.c_contiguous


def test_source_bytes_are_in_proportion_to_rows(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", np.arange(60.0).reshape(20, 3))
    size = path.stat().st_size
    assert table(path).origin["source_bytes"] == size
    assert table(path, rows=5).origin["source_bytes"] == round(size / 4)
    part = tables_from_file(str(path), Request(columns=("a", "b")), rows=None, seed=0)[0].origin
    assert part["source_bytes"] is None
    assert "columns" in part["source_bytes_reason"]


def test_the_checksum(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", np.arange(6.0).reshape(2, 3))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert table(path, sha256=digest.upper()).origin["sha256"] == digest
    with pytest.raises(InputError, match=rf"a\.npz: its SHA-256 is {digest}"):
        table(path, sha256="0" * 64)
    with pytest.raises(InputError, match="remote"):
        tables_from_file("https://x.org/a.root", Request(), rows=None, seed=0, sha256=digest)[0]


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_invalid_values_are_reported_with_file_column_and_row(tmp_path: Path, value: float, word: str) -> None:
    data = np.arange(60.0).reshape(20, 3)
    data[[11, 17], 1] = value
    path = save(tmp_path / "a.npz", data)
    with pytest.raises(InputError, match=rf"a\.npz: column 'b' has {word} at row 11 .* 2 of 20"):
        table(path, rows=2)


def test_invalid_values_of_leading_objects_are_reported_with_the_event(tmp_path: Path) -> None:
    import awkward as ak
    import uproot

    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("Events", {"Jet": ak.zip({"pt": ak.Array([[1.0], [2.0, 3.0], [], [4.0, np.nan], [5.0, 6.0]])})})
    request = Request(columns=("Jet_pt",), layout="leading", leading=2)
    with pytest.raises(InputError, match=r"'Jet_pt_1' has NaN at event 3"):
        tables_from_file(str(tmp_path / "a.root"), request, rows=None, seed=0)[0]


@pytest.mark.parametrize(
    ("available", "rows", "message"),
    [(0, None, "empty"), (0, 5, "empty"), (4, 5, "has 4 rows, but 5"), (1, None, "at least 2"), (4, 1, "at least 2")],
)
def test_too_few_rows(tmp_path: Path, available: int, rows: int | None, message: str) -> None:
    path = save(tmp_path / "a.npz", np.ones((available, 2)))
    with pytest.raises(InputError, match=rf"a\.npz: .*{message}"):
        table(path, rows=rows)


def test_leading_needs_a_number_of_objects(tmp_path: Path) -> None:
    for request in (Request(layout="leading"), Request(layout="leading", leading=0), Request(leading=2)):
        with pytest.raises(InputError, match="--leading"):
            tables_from_file(str(tmp_path / "a.root"), request, rows=None, seed=0)[0]


def test_oddities() -> None:
    data = np.array([[1.0, 5.0, 2.0**54], [2.0, 5.0, 1.0], [1.0, 5.0, 2.0**54], [1.0, 5.0, 2.0**54]])
    found = find_oddities(data, ["x", "still", "event"], np.array([False, False, True]))
    assert [sentence.partition(" ")[0] for sentence in found] == ["constant", "2", "integers"]
    assert "still" in found[0]
    assert "x" not in found[0].rpartition(": ")[2]
    assert "2 of 4 rows" in found[1]
    assert "event" in found[2]
    assert find_oddities(np.array([[1.0, 2.0], [2.0, 1.0]]), ["x", "y"], np.array([False, False])) == []
    for integer, oddities in ((2**53 - 1, 0), (2**53 + 1, 1)):
        assert len(find_oddities(np.array([[0], [integer]], np.float64), ["n"], np.array([True]))) == oddities


def shards(folder: Path, *seeds: int, rows: int = 30) -> list[Path]:
    paths = [folder / f"shard-{seed}.npz" for seed in seeds]
    for path, seed in zip(paths, seeds, strict=True):
        toy.generate(rows, seed).write(path)
    return paths


def test_shards_are_merged_in_order_and_nested(tmp_path: Path) -> None:
    paths = shards(tmp_path, 1, 2, 3)
    whole = tables_from_shards(paths, None)[0]
    np.testing.assert_array_equal(whole.data, np.concatenate([toy.generate(30, seed).data for seed in (1, 2, 3)]))
    np.testing.assert_array_equal(tables_from_shards(paths, 45)[0].data, whole.data[:45])
    assert whole.origin["label"] == "toy data"
    assert whole.origin["seeds"] == [1, 2, 3]
    assert whole.integer.sum() == 9


def test_shards_of_one_seed_are_refused(tmp_path: Path) -> None:
    """Rows that are held out would be rows of the table."""
    first, other = shards(tmp_path, 1, 2)
    again = tmp_path / "again.npz"
    again.write_bytes(first.read_bytes())
    for paths in ([first, first], [first, other, again]):
        with pytest.raises(InputError, match=r"shard-1\.npz, .*: were generated with the same seed"):
            tables_from_shards(paths, None, held_out=0.3)


def test_shards_of_different_samples_do_not_mix(tmp_path: Path) -> None:
    first, second = shards(tmp_path, 1, 2)
    other = Table.read(second)
    Table(other.data, other.names, other.dtypes, {**other.origin, "source": "pythia8"}).write(second)
    with pytest.raises(InputError, match=r"shard-2\.npz: belongs to another sample"):
        tables_from_shards([first, second], None)[0]


def test_a_prepared_file_is_not_a_shard(tmp_path: Path) -> None:
    prepared = table(save(tmp_path / "a.npz", np.arange(6.0).reshape(2, 3)))
    prepared.write(tmp_path / "t.npz")
    with pytest.raises(InputError, match="not a generated shard"):
        tables_from_shards([tmp_path / "t.npz"], None)[0]


def test_too_few_shards_are_reported_with_their_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 60 rows, but 61"):
        tables_from_shards(shards(tmp_path, 1, 2), 61)[0]


def test_a_selection_from_jagged_branches_does_not_hold_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import awkward as ak
    import uproot

    path, rng, parts = tmp_path / "a.root", np.random.default_rng(1), 40
    events = ak.zip({name: ak.unflatten(rng.random(20_000), np.full(5_000, 4)) for name in "abcd"})
    with uproot.recreate(path) as file:
        tree = file.mktree("t", {"X": events})
        for _ in range(parts - 1):
            tree.extend({"X": events})
    monkeypatch.setattr(ingest, "_ROWS", 10_000)
    request = Request(columns=("X_*",))
    everything = tables_from_file(str(path), request, rows=None, seed=3)[0].data
    tracemalloc.start()
    table = tables_from_file(str(path), request, rows=1000, seed=3)[0]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(table.data, everything[split_rows(parts * 20_000, 1000, 0, 3)[0]])
    assert peak < everything.nbytes / 2
