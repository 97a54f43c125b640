"""What a process of ours has started ends with it, even if it is killed (SIGKILL) and can do nothing itself."""

import subprocess
import sys
import time

import psutil
import pytest

LIMIT_S = 300
SLEEP = ["sh", "-c", "sleep 604 & sleep 604"]
#: Each starts processes and waits for them; a pool starts them with its first few items.
STARTS = {
    "profiler": f"from baler_energy.profilers.running import run_group\nrun_group({SLEEP})",
    "training with a tool": f"from baler_energy.stages.peer import run_limited\nrun_limited({SLEEP}, 600.0)",
    "command": f"""
from baler_energy.signals import exit_code, guarding
with guarding() as guard_from:
    exit_code({SLEEP}, guard_from)
""",
    "pool": """
import time
from baler_energy.processes import mapping
if __name__ == "__main__":
    with mapping(2) as in_order:
        list(in_order(time.sleep, [604.0] * 8))
""",
}


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, left = psutil.wait_procs(processes, timeout=LIMIT_S)
    return [process for process in left if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("start", STARTS)
def test_nothing_outlives_a_killed_process(start: str, tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(STARTS[start])
    with subprocess.Popen([sys.executable, str(script)]) as ours:
        started, deadline_s = psutil.Process(ours.pid), time.monotonic() + LIMIT_S
        children: list[psutil.Process] = []
        # A pool has two processes and a tracker of resources; a program a shell, two sleeps and a guard.
        enough = 3 if start == "pool" else 4
        while len(children) < enough and time.monotonic() < deadline_s and ours.poll() is None:
            time.sleep(0.02)
            children = started.children(recursive=True)
        ours.kill()
    try:
        assert len(children) >= enough
        assert not alive(children)
    finally:
        for process in children:
            if process.is_running():
                process.kill()
