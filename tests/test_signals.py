"""A process that is asked to end removes its temporary files, and gives the signals back."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from baler_energy.signals import Terminated, end_tree, handling, terminable


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", ["atomic_path(target)", "temporary_folder(target)"])
def test_nothing_half_written_is_left(tmp_path: Path, number: signal.Signals, kind: str):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom baler_energy.files import atomic_path\n"
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


def test_a_second_request_does_not_interrupt_the_ending():
    ended = []
    with pytest.raises(Terminated, match="SIGTERM") as request, terminable():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGHUP)
            ended.append(True)
    assert ended and request.value.exit_code == 143


def test_handlers_are_given_back_and_ignored_signals_stay_ignored():
    asked, before = [], signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handling(lambda number, _: asked.append(number)):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
        assert asked == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_have_no_handlers():
    ran = []

    def run() -> None:
        with terminable():
            ran.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ran


def test_a_process_that_has_ended_has_no_tree():
    with subprocess.Popen(["true"]) as process:
        process.wait()
    end_tree(process.pid)
