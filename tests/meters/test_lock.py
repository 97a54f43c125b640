"""The lock of a machine: one measurement at a time, for all users, and not for ever."""

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from baler_energy.cli import main
from baler_energy.errors import BalerEnergyError, InputError
from baler_energy.meters.lock import LOCK_VARIABLE, WAIT_VARIABLE, MachineLock, _described

Holder = Callable[..., AbstractContextManager[subprocess.Popen[str]]]


def test_the_environment_names_another_lock_but_an_argument_wins(tmp_path, monkeypatch):
    monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "node"))
    assert MachineLock().path == tmp_path / "node"
    assert MachineLock(tmp_path / "own").path == tmp_path / "own"
    monkeypatch.setenv(LOCK_VARIABLE, "")
    assert str(MachineLock().path) == "/tmp/baler-energy.lock"


def test_lock_excludes_other_descriptors_until_released(tmp_path, capsys):
    path = tmp_path / "lock"
    taken = threading.Event()

    def wait():
        with MachineLock(path):
            taken.set()

    with MachineLock(path):
        thread = threading.Thread(target=wait)
        thread.start()
        deadline_s = time.monotonic() + 600
        while "Waiting for another measurement" not in capsys.readouterr().err:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert not taken.is_set()
    thread.join()
    assert taken.is_set()


def test_lock_is_freed_when_its_holder_dies(tmp_path, capsys):
    path = tmp_path / "lock"
    code = f"import sys, time\nfrom pathlib import Path\nfrom baler_energy.meters.lock import MachineLock\n" \
        f"MachineLock(Path({str(path)!r})).acquire()\nprint(flush=True)\ntime.sleep(60)\n"  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1) as holder:
        holder.stdout.readline()
        with path.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder.kill()
        holder.wait()
        with MachineLock(path):
            assert "Waiting" not in capsys.readouterr().err


def test_lock_refuses_links_and_other_things(tmp_path):
    target = tmp_path / "precious"
    target.write_text("data")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(InputError, match="is a link"):
        MachineLock(tmp_path / "link").acquire()
    assert target.read_text() == "data"
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(InputError, match="not a plain file"):
            MachineLock(tmp_path / name).acquire()


def test_a_measurement_inside_another_is_an_error_not_a_deadlock(tmp_path):
    code = (
        "import subprocess, sys\nfrom pathlib import Path\nfrom baler_energy.meters.lock import MachineLock\n"
        "lock = MachineLock(Path(sys.argv[1]))\n"
        "lock.acquire()\n"
        "if len(sys.argv) == 2: sys.exit(subprocess.run([sys.executable, __file__, sys.argv[1], '']).returncode)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script, tmp_path / "lock"], capture_output=True, text=True, timeout=600)
    assert "inside another measurement" in done.stderr


@pytest.fixture
def holder() -> Holder:
    """Return a function that starts a process with these arguments, which holds a lock for the block."""

    @contextmanager
    def hold(path: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
        code = (
            "import sys\nfrom pathlib import Path\nfrom baler_energy.meters.lock import MachineLock\n"
            "MachineLock(Path(sys.argv[1])).acquire()\nprint(flush=True)\nsys.stdin.read()\n"
        )
        command = [sys.executable, "-c", code, str(path), *words]
        with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
            assert process.stdout is not None and process.stdout.readline()
            yield process
            process.kill()

    return hold


def test_a_wait_has_a_limit_and_names_the_holder_and_what_can_be_done(tmp_path, monkeypatch, capsys, holder):
    monkeypatch.setenv(WAIT_VARIABLE, "0.1")
    with holder(tmp_path / "lock", "events.root", "\x1b[31mred") as process:
        with pytest.raises(BalerEnergyError) as failure:
            MachineLock(tmp_path / "lock").acquire()
        said = capsys.readouterr().err
    for text in (said, str(failure.value)):
        assert f"process {process.pid} of user " in text and Path(sys.executable).name in text
        assert WAIT_VARIABLE in text and "\x1b" not in text
    assert "Waiting for another measurement" in said and "0.1 s" in said
    assert f"{LOCK_VARIABLE}=FILE" in str(failure.value)
    MachineLock(tmp_path / "lock").acquire()


def test_a_lock_on_another_device_with_the_same_inode_is_not_this_one(tmp_path, monkeypatch, holder):
    """It may be an ancestor's, which would look as if this ran inside of its measurement."""
    monkeypatch.setenv(WAIT_VARIABLE, "0")
    path, table = tmp_path / "lock", tmp_path / "locks"
    with holder(path) as process:
        other = f"1: FLOCK  ADVISORY  WRITE {os.getppid()} fff:7f:{path.stat().st_ino} 0 EOF\n"
        table.write_text(other + Path("/proc/locks").read_text())
        monkeypatch.setattr("baler_energy.meters.lock._LOCKS", table)
        with pytest.raises(BalerEnergyError, match=f"process {process.pid} of user "):
            MachineLock(path).acquire()


def test_a_holder_that_was_killed_is_said_to_be() -> None:
    """The process that ends its command keeps the lock until then."""
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    assert _described(ended.pid) == f"process {ended.pid}, which was killed; what it measured is being ended"


def test_the_command_of_a_forked_job_is_that_of_its_study(tmp_path, monkeypatch):
    monkeypatch.setenv(WAIT_VARIABLE, "0")
    code = (
        "import subprocess, sys\nif sys.argv[1] == 'study': sys.exit(subprocess.run([sys.executable, '-c', "
        "sys.argv[3], 'baler_energy.warm', sys.argv[2], sys.argv[3]]).returncode)\n"
        "from pathlib import Path\nfrom baler_energy.meters.lock import MachineLock\n"
        "MachineLock(Path(sys.argv[2])).acquire()\nprint(flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", "import sys; exec(sys.argv[3])", "study", str(tmp_path / "lock"), code]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as study:
        assert study.stdout is not None and study.stdout.readline()
        with pytest.raises(BalerEnergyError, match=" study ") as failure:
            MachineLock(tmp_path / "lock").acquire()
    assert "baler_energy.warm" not in str(failure.value).partition(" study ")[0]


def test_a_measurement_that_may_not_wait_fails_with_one_message(tmp_path, monkeypatch, capsys, holder):
    monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "lock"))
    monkeypatch.setenv(WAIT_VARIABLE, "0")
    mark = tmp_path / "mark"
    words = ["measure", "--meters", "process", "--idle-s", "0", "--", "touch", str(mark)]
    with holder(tmp_path / "lock"):
        assert main(words) == 1
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"baler-energy measure: {tmp_path}/lock is still locked by another measurement")
        assert not mark.exists()
        monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "another"))
        assert main(words) == 0
    assert mark.exists()


@pytest.mark.parametrize("text", ["nan", "-1", "soon"])
def test_a_limit_that_is_no_time_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setenv(WAIT_VARIABLE, text)
    with pytest.raises(InputError, match=f"{WAIT_VARIABLE}={text}"):
        MachineLock(tmp_path / "lock").acquire()


@pytest.mark.parametrize("text", ["inf", "", "0"])
def test_a_free_lock_needs_no_wait(tmp_path, monkeypatch, text):
    monkeypatch.setenv(WAIT_VARIABLE, text)
    with MachineLock(tmp_path / "lock"):
        pass


def test_a_lock_that_was_removed_meanwhile_excludes_nobody(tmp_path, capsys, holder):
    path, taken = tmp_path / "lock", threading.Event()

    def wait() -> None:
        with MachineLock(path):
            taken.set()
            done.wait(600)

    done, thread = threading.Event(), threading.Thread(target=wait)
    with holder(path):
        thread.start()
        deadline_s = time.monotonic() + 600
        while "Waiting for another measurement" not in capsys.readouterr().err:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        path.unlink()  # as a cleaner of /tmp does
        assert taken.wait(600)
        with path.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        done.set()
        thread.join()


# permissions


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def careful() -> Iterator[None]:
    """Run the test with a umask that keeps files from other users."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_all_users_can_use_a_lock_whatever_the_umask(tmp_path, careful):
    with MachineLock(tmp_path / "lock"):
        assert mode(tmp_path / "lock") == 0o644
    with MachineLock(tmp_path / "new" / "folder" / "lock"):
        assert mode(tmp_path / "new") == mode(tmp_path / "new" / "folder") == 0o755


def test_a_lock_of_an_earlier_version_is_opened_to_all_but_no_file_with_contents_is(tmp_path):
    for name, text, expected in (("lock", "", 0o644), ("secrets", "mine", 0o600)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
        with MachineLock(tmp_path / name):
            assert mode(tmp_path / name) == expected


def as_another_user(path: Path) -> subprocess.CompletedProcess[str]:
    """Take a lock as a user without privileges."""
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom baler_energy.meters.lock import MachineLock\n"
        "from baler_energy.errors import InputError\nos.setuid(65534)\n"
        "try:\n    MachineLock(Path(sys.argv[1])).acquire()\nexcept InputError as error:\n    print(error)\n"
    )
    return subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=600, check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_can_lock_it_or_learns_who_can_help(careful):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o1777)
        path = Path(folder, "lock")
        with MachineLock(path):
            pass
        assert as_another_user(path).stdout == ""
        path.chmod(0o600)
        said = as_another_user(path).stdout
        assert "Permission denied" in said and "belongs to user root and has mode 0600" in said
        assert f"chmod a+r {path}" in said and LOCK_VARIABLE in said


def test_a_lock_that_cannot_be_created_is_an_error_with_a_way_out(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"file/lock: the lock file cannot be created: .*{LOCK_VARIABLE}=FILE"):
        MachineLock(tmp_path / "file" / "lock").acquire()
