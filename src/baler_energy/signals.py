"""How a process of ours ends when it is asked to: everything is closed and removed, and its children end first."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

__all__ = ["Terminated", "end_tree", "exit_code", "guarding", "handle_in_thread", "handling", "terminable"]

#: What asks a process to end: `kill`, SLURM and containers (SIGTERM), a terminal that is closed (SIGHUP), its Ctrl-\\
#: (SIGQUIT), and batch systems before a job's time is over (SIGUSR1, SIGUSR2).
_REQUESTS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
#: How long a process may take to end after SIGTERM, before it is killed (s). Containers allow ten seconds in all.
_GRACE_S = 5.0
#: Reads numbers of processes, each in place of the one before (an empty line: none). When its input is closed, which a
#: process that was killed does, too, it ends the last of them. A shell, as it starts at once and takes little memory.
_GUARD = 'while read -r pid; do last=$pid; done; [ -z "$last" ] || exec "$0" -P -m baler_energy.signals "$last"'


class Terminated(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextmanager
def handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call `handler` for a request to end; requests that this process ignores (`nohup`) stay ignored."""
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield
        return
    known = {number: signal.getsignal(number) for number in _REQUESTS}
    before = {number: one for number, one in known.items() if one not in (None, signal.SIG_IGN)}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, one in before.items():
            signal.signal(number, one)


@contextmanager
def terminable() -> Iterator[None]:
    """Turn a request to end into `Terminated`, so that files are removed, children ended and locks released."""

    def leave(number: int, frame: FrameType | None) -> None:
        for again in _REQUESTS:  # a terminal sends SIGHUP twice, and the second must not interrupt the ending
            signal.signal(again, signal.SIG_IGN)
        raise Terminated(number)

    with handling(leave):
        yield


def handle_in_thread() -> None:
    """Let the handler of SIGTERM that is installed run in a thread of its own, once.

    Snakemake's handler takes a lock that the main thread may hold where the signal interrupts it, and would then wait
    for ever. This is almost certain if two arrive together, as where SLURM asks each process of a job to end, and a
    study passes its own request on.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):
        return

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Thread(target=handler, args=(number, frame), daemon=True).start()

    signal.signal(signal.SIGTERM, handle)


def end_tree(pid: int) -> None:
    """End a child process and its descendants: ask first, and kill those that have not ended after a while."""
    import psutil

    left: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        left.append(psutil.Process(pid))
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in list(left):
            with suppress(psutil.NoSuchProcess):
                left += [child for child in process.children(recursive=True) if child not in left]
        for process in left:
            with suppress(psutil.Error):
                end(process)
        with suppress(KeyboardInterrupt):  # impatience only shortens the wait
            _, left = psutil.wait_procs(left, timeout=_GRACE_S)


@contextmanager
def guarding(*kept: int) -> Iterator[Callable[[int | None], None]]:
    """Run a process that ends a command if this process is killed (SIGKILL), and so can do nothing itself.

    Parameters
    ----------
    kept
        Descriptors that this process keeps open, too, such as that of a lock: it is free when the command has ended.

    Yields
    ------
    callable
        Takes the number of the process that must not outlive this one; None: there is none any more.
    """
    command = ["sh", "-c", _GUARD, sys.executable]
    # In a session of its own, so that no signal to this process's group or terminal ends it first.
    with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, start_new_session=True, pass_fds=kept) as guard:
        assert guard.stdin is not None
        pipe = guard.stdin

        def guard_from(pid: int | None) -> None:
            with suppress(BrokenPipeError):  # somebody has killed it
                pipe.write(f"{pid or ''}\n".encode())

        yield guard_from


def exit_code(command: Sequence[str], guard_from: Callable[[int | None], None], *, stdout: TextIO | None = None) -> int:
    """Run a command and return its exit code; if this process has to end, all of the command ends first.

    Parameters
    ----------
    command
        Program and arguments.
    guard_from
        That of `guarding`.
    stdout
        Where its output goes; None: where ours does.
    """
    with subprocess.Popen(command, stdout=stdout) as process:
        guard_from(process.pid)
        try:
            return process.wait()
        except BaseException:
            end_tree(process.pid)
            raise
        finally:
            guard_from(None)


if __name__ == "__main__":
    end_tree(int(sys.argv[1]))
