"""Stage prepare."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baler_energy.data import toy
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.stages import prepare

SUFFIXES = ("root", "parquet", "h5", "npz")


def run(*options: str | Path) -> None:
    parser = argparse.ArgumentParser()
    prepare.add_arguments(parser)
    prepare.run(parser.parse_args([str(option) for option in options]))


@pytest.fixture
def fixtures(repository: Path) -> Path:
    return repository / "tests" / "formats" / "fixtures"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_each_format(fixtures: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "data" / "table.npz"
    run("--input", fixtures / f"jets.{suffix}", "--rows", "50", "--seed", "3", "--out", out)
    table = Table.read(out)
    assert table.data.shape[0] == 50
    assert sorted(path.name for path in out.parent.iterdir()) == ["table.json", "table.npz"]
    described = json.loads(out.with_suffix(".json").read_text())
    assert described["rows"] == 50
    assert [column["name"] for column in described["columns"]] == list(table.names)
    assert [column["dtype"] for column in described["columns"]] == list(table.dtypes)
    for i, column in enumerate(described["columns"]):
        assert column["min"] == table.data[:, i].min()
        assert column["max"] == table.data[:, i].max()
        assert column["mean"] == pytest.approx(table.data[:, i].mean())
    assert described["source"] == "file"
    assert described["file"] == f"jets.{suffix}"
    assert len(described["sha256"]) == 64
    size = (fixtures / f"jets.{suffix}").stat().st_size
    assert described["source_bytes"] == round(size * 50 / 120)
    assert described["native_bytes"] == table.native_bytes


def test_smaller_tables_are_within_larger_ones(fixtures: Path, tmp_path: Path) -> None:
    for rows in ("20", "60", "all"):
        run("--input", fixtures / "jets.h5", "--rows", rows, "--seed", "3", "--out", tmp_path / f"{rows}.npz")
    sets = [{row.tobytes() for row in Table.read(tmp_path / f"{rows}.npz").data} for rows in ("20", "60", "all")]
    assert [len(rows) for rows in sets] == [20, 60, 120]
    assert sets[0] < sets[1] < sets[2]


def test_a_table_does_not_get_the_name_of_the_held_out_rows(fixtures: Path, tmp_path: Path) -> None:
    options = ("--input", fixtures / "jets.h5", "--rows", "50", "--out", tmp_path / prepare.HELD_OUT)
    with pytest.raises(InputError, match="the held-out rows are written to a file of this name"):
        run(*options, "--held-out", "0.2")
    assert not list(tmp_path.iterdir())
    run(*options)
    assert len(Table.read(tmp_path / prepare.HELD_OUT).data) == 50


@pytest.mark.parametrize("name", ["mine.npz", "held-out.npz", "link.npz"])
def test_the_input_is_not_replaced(fixtures: Path, tmp_path: Path, name: str) -> None:
    source = tmp_path / ("mine.npz" if name == "link.npz" else name)
    source.write_bytes(before := (fixtures / "jets.npz").read_bytes())
    if name == "link.npz":
        (tmp_path / name).symlink_to(source)
    out = tmp_path / ("table.npz" if name == prepare.HELD_OUT else name)
    for inputs in (("--input", source), ("--input", fixtures / "jets.npz", source, "--generated")):
        with pytest.raises(InputError, match="would be replaced, but is the file to read"):
            run(*inputs, "--rows", "10", "--held-out", "0.2", "--out", out)
    assert source.read_bytes() == before and not (tmp_path / "table.npz").exists()


@pytest.mark.parametrize("name", ["table.json", "held-out.npz"])
def test_all_files_are_checked_before_the_work(fixtures: Path, tmp_path: Path, monkeypatch, name: str) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(prepare, "tables_from_file", lambda *_, **__: pytest.fail("the file was read"))
    options = ("--rows", "10", "--held-out", "0.2", "--out", tmp_path / "table.npz")
    with pytest.raises(InputError, match=rf"{name}: is a folder"):
        run("--input", fixtures / "jets.npz", *options)


def test_generated_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2):
        toy.generate(40, seed).write(tmp_path / f"s{seed}.npz")
    out = tmp_path / "table.npz"
    run("--input", tmp_path / "s1.npz", tmp_path / "s2.npz", "--generated", "--rows", "60", "--out", out)
    np.testing.assert_array_equal(Table.read(out).data[40:], toy.generate(40, 2).data[:20])
    described = json.loads(out.with_suffix(".json").read_text())
    assert described["label"] == "toy data"
    assert described["source_bytes"] is None
    assert described["source_bytes_reason"]
    run("--input", tmp_path / "s1.npz", "--generated", "--rows", "2", "--out", out)
    assert "warning: toy data: constant columns" in capsys.readouterr().err


def test_options_reach_the_reader(fixtures: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.npz"
    root = ("--input", fixtures / "jets.root", "--tree", "Events", "--rows", "all", "--out", out)
    run(*root, "--layout", "leading", "--leading", "2", "--columns", "Jet_pt", "met")
    assert Table.read(out).names == ("Jet_pt_0", "Jet_pt_1", "met")
    copy = tmp_path / "jets.data"
    copy.write_bytes((fixtures / "jets.npz").read_bytes())
    run("--input", copy, "--format", "npz", "--rows", "5", "--out", out)
    assert len(Table.read(out).data) == 5


def test_warnings_are_recorded_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = np.array([[1.0, 7.0], [1.0, 7.0], [2.0, 7.0]])
    np.savez(tmp_path / "odd.npz", data=data, names=np.array(["x", "still"]))
    run("--input", tmp_path / "odd.npz", "--rows", "all", "--out", tmp_path / "table.npz")
    said = capsys.readouterr().err
    warnings = json.loads((tmp_path / "table.json").read_text())["warnings"]
    assert len(warnings) == 2
    assert warnings == list(Table.read(tmp_path / "table.npz").origin["warnings"])
    assert all(warning in said for warning in warnings)
    assert "still" in said
    assert "1 of 3 rows" in said


def test_huge_values_are_described(tmp_path: Path) -> None:
    np.savez(tmp_path / "huge.npz", data=np.array([[1.7e308], [1.6e308], [1.7e308]]), names=np.array(["x"]))
    run("--input", tmp_path / "huge.npz", "--rows", "all", "--out", tmp_path / "table.npz")
    assert json.loads((tmp_path / "table.json").read_text())["columns"][0]["mean"] == pytest.approx(5 / 3 * 1e308)


def bad_inputs(folder: Path) -> dict[str, Path]:
    """Files that are refused, by text that the message must contain."""
    x = np.array(["x", "y"])
    ragged = {"data": np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]), "names": x}
    np.savez(folder / "nan.npz", **ragged)
    np.savez(folder / "inf.npz", **(ragged | {"data": np.array([[1.0, 2.0], [3.0, 4.0], [np.inf, 6.0]])}))
    np.savez(folder / "empty.npz", data=np.empty((0, 2)), names=x)
    np.savez(folder / "few.npz", data=np.ones((2, 2)), names=x)
    pq.write_table(pa.table({"tag": ["a", "b", "c"]}), folder / "text.parquet")
    (folder / "foreign.root").write_bytes(b"<html>not found</html>" * 40)
    (folder / "foreign.h5").write_bytes(b"\x89PNG\r\n\x1a\n" * 40)
    (folder / "odd.csv").write_text("1,2\n")
    return {
        "column 'y' has NaN at row 1": folder / "nan.npz",
        "column 'x' has infinity at row 2": folder / "inf.npz",
        "the table is empty": folder / "empty.npz",
        "has 2 rows, but 3": folder / "few.npz",
        "has no numeric columns; these are not plain numbers: tag": folder / "text.parquet",
        "not a valid ROOT file": folder / "foreign.root",
        "not a valid HDF5 file": folder / "foreign.h5",
        "--format": folder / "odd.csv",
        "no such file": folder / "none.npz",
    }


def test_bad_input_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    for message, path in bad_inputs(source).items():
        with pytest.raises(InputError) as caught:
            run("--input", path, "--rows", "3", "--out", out / "table.npz")
        assert str(path) in str(caught.value)
        assert message.lower() in str(caught.value).lower().replace("there is ", "")
        assert not list(out.iterdir())


def test_the_table_comes_last(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        run("--input", fixtures / "jets.npz", "--rows", "5", "--out", tmp_path / "table.npz")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_table(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "table.npz"
    run("--input", fixtures / "jets.npz", "--rows", "5", "--out", out)
    before = out.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        run("--input", fixtures / "jets.npz", "--rows", "6", "--out", out)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.json", "table.npz"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--input", "a.npz", "b.npz"), "give one file"),
        (("--input", "a.npz", "--generated", "--tree", "Events"), "--tree: cannot be combined with --generated"),
        (("--input", "a.npz", "--generated", "--sha256", "0" * 64), "--sha256: cannot be combined"),
        (("--input", "a.npz", "--generated", "--seed", "3"), "--seed: cannot be combined"),
        (("--input", "a.npz", "--generated", "--layout", "leading"), "--layout: cannot be combined"),
        (("--input", "a.parquet", "--tree", "Events"), "--tree 'Events' is only supported for ROOT files and HDF5"),
        (("--input", "a.root", "--layout", "leading"), "--leading"),
        (("--input", "a.root", "--layout", "wide"), "--layout wide"),
        (("--input", "a.root", "--layout", "leading", "--leading", "0"), "--leading 0"),
        (("--input", "a.root", "--sha256", "abc"), "--sha256 abc"),
    ],
)
def test_options_that_do_not_match(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(*options, "--rows", "5", "--out", tmp_path / "table.npz")


def test_the_table_is_an_npz(fixtures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"table\.json: the table is an npz"):
        run("--input", fixtures / "jets.npz", "--rows", "5", "--out", tmp_path / "table.json")


@pytest.mark.parametrize("option", [("--rows", "some"), ("--rows", "1.5"), ("--seed", "-1"), ("--seed", "x")])
def test_values_that_are_not_numbers(
    tmp_path: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"--input": "a.npz", "--rows": "5", "--out": str(tmp_path / "t.npz")} | dict([option])
    with pytest.raises((SystemExit, InputError)) as raised:
        run(*(f"{name}={value}" for name, value in given.items()))
    assert option[0] in capsys.readouterr().err + str(raised.value)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--rows=1", "--rows 1: should be greater than or equal to 2"),
        ("--held-out=1.5", "--held-out 1.5: should be less than or equal to 1"),
    ],
)
def test_numbers_of_rows_have_the_limits_of_a_study(tmp_path: Path, option: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run("--input", "a.npz", "--rows", "5", option, "--out", tmp_path / "table.npz")


@pytest.mark.parametrize(
    ("name", "options", "columns"),
    [
        ("cms_dimuon2012_20000.npz", (), 10),
        ("cms_dimuon2012_20000.h5", (), 10),
        ("cms_dimuon2012_20000.parquet", (), 10),
        ("lhcb_B2HHH_4322x26.npz", (), 26),
        ("cms_DoubleMuParked2012_100k_muons.root", (), 6),
        ("cms_DoubleMuParked2012_100k_muons.root", ("--layout", "leading", "--leading", "2"), 11),
        ("cms_OpenData2015_nanoAOD_ttbar_200ev.root", ("--columns", "Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass"), 4),
    ],
)
def test_real_files(
    shared: Callable[[str], Path], tmp_path: Path, name: str, options: tuple[str, ...], columns: int
) -> None:
    run("--input", shared(f"data/{name}"), *options, "--rows", "500", "--out", tmp_path / "table.npz")
    table = Table.read(tmp_path / "table.npz")
    assert table.data.shape == (500, columns)
    assert np.isfinite(table.data).all()
