"""A process that is asked to end removes its temporary files, and gives the signals back."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from baler_energy.signals import end_tree, terminable


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", ["atomic_path(target)", "temporary_folder(target)"])
def test_nothing_half_written_is_left(tmp_path: Path, number: signal.Signals, kind: str):
    code = (
        f"import signal, sys, time\nsignal.signal({number.value}, signal.SIG_DFL)\n"  # which nohup changes
        "from pathlib import Path\nfrom baler_energy.files import atomic_path\n"
        "from baler_energy.signals import terminable\nfrom baler_energy.temporaries import temporary_folder\n"
        f"target = Path('table.baler')\nwith terminable(), {kind} as temporary:\n"
        "    (temporary / 'half' if temporary.is_dir() else temporary).touch()\n"
        "    print(flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None and process.stdout.readline()
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
    assert not list(tmp_path.iterdir())


def run(code: str) -> str:
    """Run code in a process of its own, so that its signals cannot end the tests; return what it prints."""
    start = "import signal\nfrom baler_energy.signals import Terminated, handling, terminable\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_request_does_not_interrupt_the_ending():
    said = run("""
try:
    with terminable():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGHUP)
            print("ended")
except Terminated as request:
    print(request, request.exit_code)
""")
    assert said == "ended\nSIGTERM 143\n"


def test_a_handler_that_takes_a_lock_does_not_wait_for_the_thread_that_it_interrupts():
    """As Snakemake's: two requests together, the second while the main thread holds the lock."""
    said = run("""
import threading
from baler_energy.signals import handle_in_thread
lock, handled = threading.Lock(), threading.Event()
def handler(number, frame):
    with lock:
        print(number)
    handled.set()
signal.signal(signal.SIGTERM, handler)
handle_in_thread()
with lock:
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    print("held")
handled.wait()
""")
    assert said == "held\n15\n"


def test_handlers_are_given_back_and_ignored_signals_stay_ignored():
    said = run("""
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with handling(lambda number, _: print(number)):
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGHUP)
print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
""")
    assert said == f"{signal.SIGTERM.value}\nTrue True\n"


def test_other_threads_have_no_handlers():
    ran = []

    def enter() -> None:
        with terminable():
            ran.append(True)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert ran


def test_a_process_that_has_ended_has_no_tree():
    with subprocess.Popen(["true"]) as process:
        process.wait()
    end_tree(process.pid)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2])
def test_signals_of_terminals_and_batch_systems_are_requests(number: signal.Signals):
    said = run(f"""
signal.signal({number.value}, signal.SIG_DFL)  # a shell's background jobs ignore some
try:
    with terminable():
        signal.raise_signal({number.value})
except Terminated as request:
    print(request, request.exit_code)
""")
    assert said == f"{number.name} {128 + number}\n"


@pytest.mark.parametrize("released", [True, False])
@pytest.mark.parametrize("killed", [True, False])
def test_a_process_is_only_ended_if_the_one_that_needs_it_is_killed(released: bool, killed: bool):
    with subprocess.Popen(["sleep", "600"]) as other:
        reaper = threading.Thread(target=other.wait)
        reaper.start()
        code = f"""
import os, signal
from baler_energy.signals import guarding
with guarding() as guard_from:
    guard_from({other.pid})
    if {released} or not {killed}:
        guard_from(None)
    if {killed}:
        os.kill(os.getpid(), signal.SIGKILL)
"""
        # The guard has the same standard output, so this waits for its end, too.
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=120)
        ended = not psutil.pid_exists(other.pid)
        other.kill()
        reaper.join()
    assert done.returncode == (-signal.SIGKILL if killed else 0)
    assert ended == (killed and not released)
