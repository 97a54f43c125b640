"""Atomic file writes: a file is whole or not there, and what is no regular file stays what it is."""

import errno
import io
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from baler_energy.errors import InputError
from baler_energy.files import (
    atomic_path,
    discard,
    output_file,
    output_folder,
    read_json,
    read_npz,
    write_json,
    write_npz,
)


def test_a_failure_in_the_middle_leaves_the_old_file_and_no_other(tmp_path: Path):
    target = tmp_path / "a.json"
    write_json(target, {"old": 1})
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(target) == {"old": 1}
    assert list(tmp_path.iterdir()) == [target]


def test_errors_name_the_file_that_is_written_not_the_temporary_one(tmp_path: Path):
    target = tmp_path / "sub" / "a.npz"
    for fail in (
        lambda path: path.with_name("other.npz").open("rb"),
        lambda path: path.open("rb"),
        lambda path: read_npz(path),
        lambda path: (path.write_bytes(b"PK"), read_npz(path)),
        lambda path: pq.read_table(path),
    ):
        with pytest.raises((InputError, OSError)) as caught, atomic_path(target) as temporary:
            fail(temporary)
        assert temporary.name not in str(caught.value)
        assert "a.npz" in str(caught.value) or "other.npz" in str(caught.value)
    with pytest.raises(FileNotFoundError) as caught, atomic_path(target):
        pass
    assert caught.value.filename == str(target)


# where a file is written


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed(tmp_path: Path, exists: bool):
    real, hop, link = tmp_path / "elsewhere" / "real.json", tmp_path / "hop", tmp_path / "a.json"
    real.parent.mkdir()
    if exists:
        real.write_text("old")
    hop.symlink_to(Path("elsewhere") / "real.json")
    link.symlink_to(hop)
    assert output_file(str(link)) == link
    write_json(link, 1)
    assert link.is_symlink() and hop.is_symlink() and read_json(real) == 1
    assert list(real.parent.iterdir()) == [real], "it was replaced in its own folder"
    discard(link)
    assert link.is_symlink() and not real.exists()
    write_json(link, 2)
    assert link.is_symlink() and read_json(real) == 2


def test_a_pipe_gets_the_whole_file_and_stays(tmp_path: Path):
    pipe, read = tmp_path / "a.npz", []
    os.mkfifo(pipe)
    assert output_file(str(pipe)) == pipe
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_npz(pipe, {"x": np.arange(50_000.0)})
    reader.join(300)
    with np.load(io.BytesIO(read[0])) as arrays:
        assert arrays["x"].tolist() == list(range(50_000))
    discard(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode) and list(tmp_path.iterdir()) == [pipe]


def test_nothing_of_a_failed_file_gets_into_a_pipe(tmp_path: Path):
    pipe = tmp_path / "a.json"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    with pytest.raises(RuntimeError), atomic_path(pipe) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    with pytest.raises(BlockingIOError):
        os.read(end, 1)
    os.close(end)


@pytest.fixture
def device(tmp_path: Path) -> Callable[[int, int, int], Path]:
    """Return a function that makes a device node; the test is skipped if that is not permitted."""

    def make(kind: int, major: int, minor: int) -> Path:
        try:
            os.mknod(tmp_path / "device", kind | 0o600, os.makedev(major, minor))
        except OSError as error:
            pytest.skip(f"no device nodes here: {error}")
        return tmp_path / "device"

    return make


@pytest.mark.parametrize("linked", [True, False])
def test_a_device_is_written_to_and_stays_a_device(tmp_path: Path, device, linked: bool):
    null = device(stat.S_IFCHR, 1, 3)  # a null device
    try:
        null.write_bytes(b"")
    except OSError as error:
        pytest.skip(f"no devices in this file system: {error}")
    target = tmp_path / "link"
    target.symlink_to(null)
    target = target if linked else null
    assert output_file(str(target)) == target
    write_json(target, 1)
    discard(target)
    found = null.lstat()
    assert stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)
    assert (tmp_path / "link").is_symlink()


def test_a_full_device_is_an_error(device):
    full = device(stat.S_IFCHR, 1, 7)
    with pytest.raises(OSError) as failure:
        write_json(full, 1)
    assert failure.value.errno in (errno.ENOSPC, errno.EACCES, errno.EPERM)
    assert stat.S_ISCHR(full.lstat().st_mode)


@pytest.mark.parametrize("to", ["file", "pipe"])
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_an_open_file_of_the_process_is_continued(tmp_path: Path, name: str, to: str):
    if not Path(name).exists():
        pytest.skip(f"no {name} here")
    code = (
        "import sys\nfrom baler_energy.files import output_file, write_json\n"
        "print('before')\nwrite_json(output_file(sys.argv[1]), [1])\nprint('after')\n"
    )
    with (tmp_path / "said").open("w") as said:
        stdout = said if to == "file" else subprocess.PIPE
        done = subprocess.run([sys.executable, "-c", code, name], stdout=stdout, text=True, check=True, timeout=600)
    text = (tmp_path / "said").read_text() if to == "file" else done.stdout
    assert text == "before\n[\n  1\n]\nafter\n"


# what cannot be written


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("folder", "is a folder"),
        ("", "is a folder"),
        ("file/a.json", "cannot be written: Not a directory"),
        ("loop", "cannot be written: Too many levels of symbolic links"),
        ("socket", "is a disk or a socket"),
        ("x" * 300, "cannot be written: File name too long"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_by_name(tmp_path: Path, monkeypatch, name: str, reason: str):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    Path("loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        before = set(tmp_path.iterdir())
        with pytest.raises(InputError, match=reason) as refusal:
            output_file(name)
        assert str(refusal.value).startswith(f"{name or '.'}: ")
        with pytest.raises((InputError, OSError)):
            write_json(Path(name), 1)
        assert set(tmp_path.iterdir()) == before


def test_a_disk_is_never_written_to(device):
    disk = device(stat.S_IFBLK, 7, 250)  # a loop device that does not exist
    with pytest.raises(InputError, match="is a disk"):
        output_file(str(disk))
    with pytest.raises(InputError, match="is a disk"):
        write_json(disk, 1)
    assert stat.S_ISBLK(disk.lstat().st_mode)


@pytest.mark.parametrize("name", ["file", "pipe", "file/below", "gone", "gone/below"])
def test_a_folder_that_cannot_be_written_to_is_refused_by_name(tmp_path: Path, monkeypatch, name: str):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    os.mkfifo("pipe")
    Path("gone").symlink_to("nowhere")
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError, match=f"^{name}: cannot be written: "):
        output_folder(name)
    assert set(tmp_path.iterdir()) == before


def test_the_check_leaves_everything_as_it_was(tmp_path: Path):
    target = tmp_path / "new" / "deep" / "a.html"
    assert output_file(str(target)) == target
    assert output_folder(str(target)) == target
    assert not list(tmp_path.iterdir()), "a missing folder is created by the first file in it"
    target.parent.mkdir(parents=True)
    target.write_text("old")
    output_file(str(target))
    output_folder(str(target.parent))
    assert target.read_text() == "old" and list(target.parent.iterdir()) == [target]


@pytest.fixture
def other_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a folder of this user that all may enter, while the test runs as a user without privileges."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755 if os.geteuid() == 0 else 0o555)
        if user := os.geteuid():
            yield Path(folder)
            Path(folder).chmod(0o755)
            return
        os.seteuid(65534)
        yield Path(folder)
        os.seteuid(user)


def test_a_folder_without_permission_is_refused(other_user: Path):
    for check in (output_file, output_folder):
        with pytest.raises(InputError, match="cannot be written: Permission denied"):
            check(str(other_user / "new"))
    assert not list(other_user.iterdir())


def test_another_users_file_in_a_folder_such_as_tmp_is_refused(other_user: Path):
    if os.getuid():
        pytest.skip("only root can become another user")
    os.seteuid(0)
    target = other_user / "a.json"
    target.touch()
    other_user.chmod(0o1777)
    os.seteuid(65534)
    with pytest.raises(InputError, match="belongs to another user"):
        output_file(str(target))
    assert output_file(str(other_user / "b.json")) == other_user / "b.json"


@pytest.mark.parametrize("name", ["shard", "x" * 240 + ".npz", "archive.tar"])
def test_any_name_can_be_written(tmp_path: Path, name: str):
    output_file(str(tmp_path / name))
    write_npz(tmp_path / name, {"x": np.zeros(1)})
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_protected_file_is_refused_before_the_work_also_for_root(tmp_path: Path):
    target, link = tmp_path / "a.json", tmp_path / "link.json"
    target.write_text("precious")
    target.chmod(0o444)
    link.symlink_to(target)  # as git-annex keeps files
    for path in (target, link):
        with pytest.raises(InputError, match=rf"{path.name}: cannot be written: it is read-only"):
            output_file(str(path))
    target.chmod(0o644)
    assert output_file(str(link)) == link


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EIO])
def test_a_file_that_is_mounted_into_a_container_gets_the_contents(tmp_path: Path, monkeypatch, number: int):
    target = tmp_path / "a.json"
    target.write_text("[0]")
    before = target.stat().st_ino

    def refuse(path: Path, to: Path) -> None:
        raise OSError(number, os.strerror(number), str(path), None, str(to))

    monkeypatch.setattr(Path, "replace", refuse)
    if number == errno.EBUSY:
        write_json(target, 1)
    else:
        with pytest.raises(OSError, match=r"a\.json"):
            write_json(target, 1)
    assert read_json(target) == (1 if number == errno.EBUSY else [0])
    assert target.stat().st_ino == before and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("make", [InputError, ValueError, lambda said: OSError(errno.ENOSPC, "full", said)])
def test_errors_of_what_goes_into_a_pipe_name_the_pipe(tmp_path: Path, make: Callable[[str], Exception]):
    pipe = tmp_path / "a.npz"
    os.mkfifo(pipe)
    with pytest.raises((InputError, ValueError, OSError)) as caught, atomic_path(pipe) as temporary:
        raise make(f"{temporary}")
    assert str(pipe) in str(caught.value) and str(temporary.parent) not in str(caught.value)


def test_an_error_without_a_file_keeps_its_words(tmp_path: Path):
    for error in (OSError(errno.ENOSPC, "full"), KeyError(3), ValueError()):
        with pytest.raises(type(error)) as caught, atomic_path(tmp_path / "a.npz"):
            raise error
        assert str(caught.value) == str(type(error)(*error.args))


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_a_replaced_file_keeps_its_permissions_and_owner(tmp_path: Path, mode: int):
    target = tmp_path / "a.json"
    target.touch()
    target.chmod(mode)
    if os.geteuid() == 0:
        os.chown(target, 65534, 65534)
    before = target.stat()
    write_json(target, 1)
    after = target.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert read_json(target) == 1


def test_a_file_is_replaced_where_the_file_system_has_no_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    write_json(tmp_path / "a.json", 1)
    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(Path, "chmod", refuse)
    write_json(tmp_path / "a.json", 2)
    assert read_json(tmp_path / "a.json") == 2
