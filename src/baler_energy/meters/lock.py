"""The lock that allows only one measurement at a time on a machine."""

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Self

import psutil

from baler_energy.errors import InputError
from baler_energy.progress import announce

__all__ = ["DEFAULT_LOCK", "LOCK_VARIABLE", "MachineLock"]

#: Not `tempfile.gettempdir()`: clusters often set TMPDIR to a different folder for each job.
DEFAULT_LOCK = Path("/tmp/baler-energy.lock")
#: Sets another file, for nodes where each job has a private /tmp; the file must be in a folder shared by all jobs.
LOCK_VARIABLE = "BALER_ENERGY_LOCK"


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
            The path is a link or not a regular file, or an ancestor of this process holds the lock (a deadlock).
        """
        if self._descriptor is not None:
            return
        descriptor = self._open()
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._announce(descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

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
        # flock only needs read permission, so all users can share one file. The file is created in a separate call:
        # the kernel (fs.protected_regular) refuses O_CREAT on another user's file in a shared folder. O_NOFOLLOW
        # rejects a link, and O_NONBLOCK prevents blocking on a named pipe.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o644))
        try:
            descriptor = os.open(self.path, flags)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise InputError(f"{self.path}: is a link; a lock file must be a plain file. Remove it.") from error
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise InputError(f"{self.path}: is not a plain file; a lock file must be one. Remove it.")
        return descriptor

    def _announce(self, descriptor: int) -> None:
        holder = _holder(os.fstat(descriptor).st_ino)
        if holder is not None and holder in {parent.pid for parent in psutil.Process().parents()}:
            raise InputError(
                f"This runs inside another measurement (process {holder}), which holds {self.path}: a measured "
                "command cannot start its own measurement. Run only one of the two."
            )
        who = f" (process {holder})" if holder else ""
        announce(f"Waiting for another measurement on this machine{who}, which holds {self.path}.")


def _holder(inode: int) -> int | None:
    """Find the process that holds the lock on a file, from Linux's table of locks."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        # "1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF"; the second field of a waiting process is "->".
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return int(fields[4])
    return None
