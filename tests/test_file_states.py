"""A user's file is only out of date if it has other contents than when its table was made."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from baler_energy import file_states
from baler_energy.cli import main
from baler_energy.file_states import UNSEEN, file_state, state_of_source


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Forget files that earlier tests have read."""
    file_states._contents.cache_clear()
    file_states._announce_once.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a file."""
    path = tmp_path / "{T} <x>.npz"
    np.savez(path, data=np.arange(20.0).reshape(10, 2), names=np.array(["a", "b"]))
    return path


@pytest.fixture
def description(source: Path, tmp_path: Path) -> Path:
    """Make a table of the file; return its description."""
    assert main(["prepare", "--input", str(source), "--rows", "5", "--out", str(tmp_path / "table.npz")]) == 0
    return tmp_path / "table.json"


def touch(path: Path) -> None:
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


def test_a_file_without_a_table_has_its_own_state(source: Path, tmp_path: Path) -> None:
    own = file_state(str(source))
    assert state_of_source(str(source), tmp_path / "none.json") == own
    assert own.startswith(f"{source}: {source.stat().st_size} B, ")
    (tmp_path / "old.json").write_text('{"sha256": "0"}')
    assert state_of_source(str(source), tmp_path / "old.json") == file_state(str(source))
    for text in ("[", "[" * 100_000):
        (tmp_path / "damaged.json").write_text(text)
        assert state_of_source(str(source), tmp_path / "damaged.json") == file_state(str(source))


def test_a_file_that_is_touched_keeps_its_state_and_is_read_once(
    source: Path, description: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = file_state(str(source))
    for _ in range(2):
        touch(source)
        assert state_of_source(str(source), description) == first != file_state(str(source))
        assert "its time or folder has changed" in capsys.readouterr().err
    file_states._contents.cache_clear()
    monkeypatch.setattr(file_states, "sha256_of", None)
    assert state_of_source(str(source), description) == first, "its state is known now"
    assert capsys.readouterr().err == ""
    assert json.loads(description.read_text())["rows"] == 5, "the description is complete"


def other_values(path: Path) -> None:
    """Change a value, but not the size."""
    np.savez(path, data=np.arange(20.0).reshape(10, 2) + 1, names=np.array(["a", "b"]))


def more_values(path: Path) -> None:
    """Add rows."""
    np.savez(path, data=np.arange(40.0).reshape(20, 2), names=np.array(["a", "b"]))


@pytest.mark.parametrize("change", [other_values, more_values])
def test_a_file_that_has_changed_has_another_state(
    source: Path, description: Path, change: Callable[[Path], None]
) -> None:
    before, size = file_state(str(source)), source.stat().st_size
    change(source)
    touch(source)
    assert (source.stat().st_size == size) == (change is other_values)
    assert state_of_source(str(source), description) == file_state(str(source)) != before


def gone(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def unreadable(path: Path) -> None:
    touch(path)
    path.chmod(0)


@pytest.mark.parametrize("fault", [gone, a_folder, unreadable])
def test_a_file_that_cannot_be_seen_keeps_its_state(
    source: Path, description: Path, fault: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    if fault is unreadable and os.geteuid() == 0:
        pytest.skip("root can read every file")
    before = file_state(str(source))
    fault(source)
    assert state_of_source(str(source), description) == before
    assert f"{source}: cannot be read now. The tables that were made from it are kept." in capsys.readouterr().err


def test_a_url_has_no_state(description: Path) -> None:
    for url in ("root://host//a.root", "https://host/a.npz"):
        assert state_of_source(url, description) == f"{url}: {UNSEEN}"


def test_a_file_that_is_moved_keeps_its_state(source: Path, description: Path) -> None:
    before, folder = file_state(str(source)), source.parent / "elsewhere"
    folder.mkdir()
    moved = source.rename(folder / source.name)
    assert state_of_source(str(moved), description) == before
    moved.rename(folder / "gone.npz")
    assert state_of_source(str(moved), description) == before, "it cannot be seen at its new place"


@pytest.mark.parametrize("name", ["typo.npz", "elsewhere/{T} <x>.npz"])
def test_a_wrong_path_is_no_file_that_cannot_be_seen(source: Path, description: Path, name: str) -> None:
    wrong = str(source.parent / name)
    assert state_of_source(wrong, description) == f"{wrong}: {UNSEEN}"


def test_another_file_of_the_same_name_has_another_state(source: Path, description: Path) -> None:
    other = source.parent / "elsewhere" / source.name
    other.parent.mkdir()
    other_values(other)
    assert state_of_source(str(other), description) == file_state(str(other))
