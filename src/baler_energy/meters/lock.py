"""The lock that allows only one measurement at a time on a machine."""

import contextlib
import errno
import fcntl
import math
import os
import re
import shlex
import stat
import time
from pathlib import Path
from typing import Self

import psutil

from baler_energy.errors import BalerEnergyError, InputError
from baler_energy.progress import announce

__all__ = ["DEFAULT_LOCK", "LOCK_VARIABLE", "WAIT_VARIABLE", "MachineLock"]

#: Not `tempfile.gettempdir()`: clusters often set TMPDIR to a different folder for each job.
DEFAULT_LOCK = Path("/tmp/baler-energy.lock")
#: Sets another file, for nodes where each job has a private /tmp; the file must be in a folder shared by all jobs.
LOCK_VARIABLE = "BALER_ENERGY_LOCK"
#: Sets the longest wait for other measurements (s); "inf": no limit.
WAIT_VARIABLE = "BALER_ENERGY_LOCK_WAIT_S"
#: Without the variable: as long as a training of a study may take on a cluster.
_WAIT_S = 4 * 3600.0
#: Time between two tries (s): `flock` itself either waits for ever or not at all.
_PAUSE_S = 0.25
#: flock only needs read permission, so all users can share one file.
_MODE, _FOLDER_MODE = 0o644, 0o755
_COMMAND_CHARACTERS = 200
#: Linux's table of all locks.
_LOCKS = Path("/proc/locks")


class MachineLock:
    """An exclusive `flock` on a file; the kernel releases it when its holder dies.

    Parameters
    ----------
    path
        The lock file. It is created for all users if it is missing, and never removed. None: the file named by the
        environment variable `LOCK_VARIABLE`, else `DEFAULT_LOCK`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(os.environ.get(LOCK_VARIABLE) or DEFAULT_LOCK)
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Wait for the lock; print a message if another measurement holds it.

        Raises
        ------
        InputError
            The file cannot be used: a link, not a regular file, not readable. Or an ancestor of this process holds the
            lock (a deadlock), or `WAIT_VARIABLE` is not a time.
        BalerEnergyError
            Another measurement still holds the lock after the longest wait.
        """
        limit_s, start_s, said = _longest_wait_s(), time.monotonic(), False
        while self._descriptor is None and not self._try():
            if time.monotonic() - start_s >= limit_s:
                raise BalerEnergyError(
                    f"{self.path} is still locked by another measurement, after a wait of {limit_s:g} s: "
                    f"{self._holder()}. Wait longer ({WAIT_VARIABLE}=SECONDS, or inf), end that process, or measure at "
                    f"the same time with another lock file ({LOCK_VARIABLE}=FILE): then each of the two energies "
                    "includes that of the other measurement."
                )
            if not said:
                said = True
                announce(
                    f"Waiting for another measurement on this machine, which locks {self.path}: {self._holder()}. "
                    f"Longest wait: {limit_s:g} s ({WAIT_VARIABLE})."
                )
            time.sleep(_PAUSE_S)

    def fileno(self) -> int:
        """Return the descriptor of the lock, which is held for as long as any process has it open."""
        assert self._descriptor is not None, "the lock is not held"
        return self._descriptor

    def release(self) -> None:
        """Release the lock; does nothing if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def _open(self) -> int:
        # The file is created in a separate call: the kernel (fs.protected_regular) refuses O_CREAT on another user's
        # file in a shared folder. O_NOFOLLOW rejects a link, and O_NONBLOCK prevents blocking on a named pipe.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            missing = [folder for folder in self.path.parents if not folder.exists()]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for folder in missing:  # the umask may also keep others from a new folder
                with contextlib.suppress(PermissionError):  # another user was faster
                    folder.chmod(_FOLDER_MODE)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, flags | os.O_CREAT | os.O_EXCL, _MODE))
            descriptor = os.open(self.path, flags)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise InputError(f"{self.path}: is a link; a lock file must be a plain file. Remove it.") from error
            raise InputError(self._unusable(error)) from error
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise InputError(f"{self.path}: is not a plain file; a lock file must be one. Remove it.")
        # The user's umask may have taken permissions away. A file with contents is somebody's, not a lock.
        if not found.st_size and found.st_mode & _MODE != _MODE:
            with contextlib.suppress(PermissionError):  # it belongs to another user
                os.fchmod(descriptor, _MODE)
        return descriptor

    def _unusable(self, error: OSError) -> str:
        other = f"choose another file for all measurements on this machine with {LOCK_VARIABLE}=FILE"
        try:
            found = self.path.stat()
        except OSError:
            return f"{self.path}: the lock file cannot be created: {error.strerror}. To solve it, {other}."
        owner, mode = _user(found.st_uid), stat.S_IMODE(found.st_mode)
        return (
            f"{self.path}: the lock file cannot be opened: {error.strerror}. It belongs to {owner} and has mode "
            f"{mode:04o}. Ask its owner or root for `chmod a+r {self.path}`, or {other}."
        )

    def _try(self) -> bool:
        """Lock the file unless another process has locked it, or it was removed meanwhile; return whether it worked."""
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), self.path.stat()):
                self._descriptor = descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be locked: {error.strerror}. Set {LOCK_VARIABLE} to a file on a local disk."
            ) from error
        finally:
            if self._descriptor is None:
                os.close(descriptor)
        return self._descriptor is not None

    def _holder(self) -> str:
        """Describe the process that holds the lock; raise `InputError` if it is an ancestor, which waits for us."""
        pid = _locked_by(self.path)
        if pid is not None and pid in {parent.pid for parent in psutil.Process().parents()}:
            raise InputError(
                f"This runs inside another measurement (process {pid}), which holds {self.path}: a measured "
                "command cannot start its own measurement. Run only one of the two."
            )
        hidden = "a process that is not visible from here: one in another container, or a killed one whose command ends"
        return _described(pid) if pid else hidden


def _longest_wait_s() -> float:
    text = os.environ.get(WAIT_VARIABLE)
    try:
        wait_s = float(text) if text else _WAIT_S
    except ValueError:
        wait_s = math.nan
    if not wait_s >= 0:
        raise InputError(f"{WAIT_VARIABLE}={text}: must be a time in seconds, at least 0, or inf.")
    return wait_s


def _locked_by(path: Path) -> int | None:
    """Find the process that holds the lock on a file, from Linux's table of locks."""
    try:
        name = _name_in_table(path)
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        # "1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF"; the second field of a waiting process is "->".
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == name:
            return int(fields[4])
    return None


def _name_in_table(path: Path) -> str:
    """Return the name of a file in `_LOCKS`: its device, in hexadecimal, and its inode.

    Another device may have a file of the same inode. The device is that of the mount; `stat` has another one on Btrfs.
    """
    with path.open("rb") as file:
        facts = Path(f"/proc/self/fdinfo/{file.fileno()}").read_text(encoding="ascii")
        found = os.fstat(file.fileno())
    own = re.search(r"^mnt_id:\s*(\d+)", facts, re.MULTILINE)
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").split("\n")
    devices = {fields[0]: fields[2] for line in lines if len(fields := line.split()) > 2}
    device = devices.get(own[1] if own else "", f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}")
    return f"{':'.join(f'{int(number):02x}' for number in device.split(':'))}:{found.st_ino}"


def _described(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        user, words = process.username(), process.cmdline()
        # The command line of a forked job is that of the process that forks; a study has started it.
        while "baler_energy.warm" in words and (parent := process.parent()) is not None:
            process, words = parent, parent.cmdline()
    except psutil.NoSuchProcess:
        return f"process {pid}, which was killed; what it measured is being ended"
    except psutil.Error:
        return f"process {pid}"
    # Another user may have put a terminal's control sequences there.
    command = "".join(one if one.isprintable() else "?" for one in shlex.join(words))
    return f"process {pid} of user {user}: {command[:_COMMAND_CHARACTERS]}"


def _user(number: int) -> str:
    import pwd

    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"
