"""The subcommand ``study``: how it ends its Snakemake."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

#: Replaces Snakemake: runs until SIGTERM, then takes a moment to end, as Snakemake does.
SNAKEMAKE = """
import signal, sys, time
from pathlib import Path

def end(*_):
    time.sleep(0.3)
    Path("ended").touch()
    sys.exit(1)

signal.signal(signal.SIGTERM, end)
Path("started").touch()
time.sleep(600)
"""


def test_sigterm_ends_snakemake_too(tmp_path: Path) -> None:
    (tmp_path / "snakemake").mkdir()
    (tmp_path / "snakemake" / "__init__.py").touch()
    (tmp_path / "snakemake" / "__main__.py").write_text(SNAKEMAKE)
    code = "import sys; from baler_energy.stages.study import _snakemake; sys.exit(10 + _snakemake())"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE
    )
    while not (tmp_path / "started").exists():
        assert process.poll() is None, "it runs until SIGTERM"
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert (tmp_path / "ended").exists() and process.returncode == 11, "it waited for Snakemake, and passed its code on"
    assert b"Asked to stop" in said and b"Traceback" not in said
