"""Temporary files of dead processes are removed by the next run, and nothing else is."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy import temporaries
from baler_energy.files import atomic_path, write_text
from baler_energy.temporaries import remove_temporaries, temporary_folder, temporary_name

#: No kernel gives a process this number.
DEAD = 2**22 + 1
#: Writes half of the file, or of a folder of files, that its argument names, then waits.
HALF = """
import sys
from pathlib import Path
from baler_energy.files import atomic_path
from baler_energy.temporaries import temporary_folder
target = Path(sys.argv[1])
with (temporary_folder(target) if sys.argv[2] == "folder" else atomic_path(target)) as temporary:
    half = temporary / "half" if sys.argv[2] == "folder" else temporary
    half.write_text("half")
    print(temporary, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("reaped", [True, False])
def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path, kind: str, reaped: bool):
    target = tmp_path / "table.baler"
    with subprocess.Popen([sys.executable, "-c", HALF, target, kind], stdin=-1, stdout=-1, text=True) as process:
        left = Path(process.stdout.readline().strip())
        write_text(target, "of another process")
        assert left.exists(), "it is still written to"
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        if reaped:
            process.wait()
        write_text(target, "complete")
        assert [path.name for path in tmp_path.iterdir()] == ["table.baler"]
    assert target.read_text() == "complete"


def test_a_killed_run_in_the_systems_folder(tmp_path: Path, monkeypatch):
    code = HALF.replace("temporary_folder(target)", "temporary_folder()")
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, ".", "folder"], stdin=-1, stdout=-1, text=True, env=environment
    ) as process:
        left = Path(process.stdout.readline().strip())
        assert left.parent == tmp_path and left.stat().st_mode & 0o077 == 0, "only this user can read it"
        process.kill()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder() as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert not list(tmp_path.iterdir())


def touch(path: Path, age_s: float = 0.0) -> Path:
    path.touch()
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_only_abandoned_files_of_the_same_target_are_removed(tmp_path: Path):
    other = "0" * 8 if temporaries._place() != "0" * 8 else "1" * 8
    kept = {
        touch(tmp_path / ".snakemake_timestamp"),
        touch(tmp_path / f".other.{temporaries._place()}-{DEAD}-0123abcd.baler"),
        touch(tmp_path / f".table.{temporaries._place()}-{DEAD}-0123abcd.npz"),
        touch(tmp_path / f".table.{temporaries._place()}-{os.getpid()}-0123abcd.baler"),
        touch(tmp_path / f".table.{other}-{DEAD}-0123abcd.baler", age_s=80_000),
        touch(tmp_path / ".table.2024-notes.baler"),
    }
    touch(tmp_path / f".table.{temporaries._place()}-{DEAD}-0123abcd.baler")
    touch(tmp_path / f".table.{DEAD}-0123abcd.baler")  # of an earlier version
    # An earlier process had the number of this one.
    touch(tmp_path / f".table.{temporaries._place()}-{os.getpid()}-4567abcd.baler", age_s=10**7)
    touch(tmp_path / f".table.{other}-{os.getpid()}-0123abcd.baler", age_s=90_000)
    with atomic_path(tmp_path / "table.baler") as temporary:
        assert set(tmp_path.iterdir()) == kept
        temporary.touch()
        remove_temporaries(tmp_path)
        alive = {path for path in kept if f"-{os.getpid()}-" in path.name}
        user = {path for path in kept if "-0123abcd" not in path.name}
        assert set(tmp_path.iterdir()) == {temporary, *alive, *user}


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_every_target_has_its_own_temporary_names(name: str):
    target = Path("folder", f"x{name}")
    first, second = temporary_name(target), temporary_name(target)
    assert first != second and first.parent == target.parent
    found = temporaries._NAME.fullmatch(first.name)
    assert found is not None and (found["stem"], found["suffix"] or "") == (target.stem[:40], target.suffix)
    assert found["place"] == temporaries._place() and int(found["pid"]) == os.getpid()


def test_a_name_of_any_length_fits(tmp_path: Path):
    for target in (tmp_path / ("\N{EURO SIGN}" * 83 + ".npz"), tmp_path / ("x" * 255)):
        temporary_name(target).touch()
