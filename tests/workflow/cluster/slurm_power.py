"""A simulated power counter of the pretend nodes, where SLURM's plugin `pm_counters` looks for one (HPE Cray)."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

#: Power of each node, busy or not (W).
POWER_W = 150
_INTERVAL_S = 0.05
#: sysfs takes no new folders, so a separate mount namespace rebuilds /sys as a folder with its content and the counter.
_REBUILD = """
set -e
counters=$1; shift
parts=$(mktemp -d)
mount --rbind /sys "$parts"
mount -t tmpfs sys /sys
for part in "$parts"/*; do
    mkdir "/sys/${part##*/}"
    mount --rbind "$part" "/sys/${part##*/}"
done
umount -l "$parts"
rmdir "$parts"
mkdir -p /sys/cray/pm_counters
mount --bind "$counters" /sys/cray/pm_counters
exec "$@"
"""


def start(folder: Path, pid: Path) -> None:
    """Start a process that keeps the counter's files in a folder, and its id in a file."""
    folder.mkdir(parents=True)
    subprocess.run(["setsid", "--fork", sys.executable, __file__, folder, pid], check=True)
    while not (folder / "energy").exists():
        time.sleep(_INTERVAL_S)


def within(folder: Path, *words: str) -> Sequence[str]:
    """Return the words of a command that runs with the folder's files as the machine's counter."""
    return ["unshare", "--mount", "sh", "-c", _REBUILD, "sh", str(folder), *words]


def count(folder: Path) -> None:
    """Write the joules since the start, for ever."""
    begin_s = time.monotonic()
    while True:
        elapsed_s = time.monotonic() - begin_s
        for name, value, unit in (("power", POWER_W, "W"), ("energy", int(POWER_W * elapsed_s), "J")):
            (folder / "new").write_text(f"{value} {unit} {int(elapsed_s * 1e6)} us\n")
            (folder / "new").replace(folder / name)
        time.sleep(_INTERVAL_S)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(str(os.getpid()))
    count(Path(sys.argv[1]))
