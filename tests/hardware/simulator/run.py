"""Runs a command on a simulated machine."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from simulator.curves import Curve
from simulator.machine import CURVES_START, Counter, Gpu, Machine, Truth
from simulator.nvml import compile_library

__all__ = ["namespaces_work", "run_on", "server"]

CLASSES = Path("/sys/class")
#: Removes root's right to read files regardless of their mode.
AS_EVERYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@cache
def namespaces_work() -> bool:
    """Return whether this user may mount over /sys/class in a private namespace."""
    try:
        command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", str(CLASSES)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run_on(
    machine: Machine, state: Path, command: Sequence[str], **options: object
) -> subprocess.CompletedProcess[str]:
    """Run a command on a machine; ``SIMULATED_POWERCAP`` is set to the folder of its counters.

    Parameters
    ----------
    machine
        The machine; it starts now.
    state
        An empty folder, in which its journal is kept.
    command
        The command, which sees the machine's counters under /sys/class if namespaces work.
    """
    replace(machine, start_s=time.monotonic()).write(state)
    compile_library(state)
    here = [sys.executable, "-m", "simulator.run", "--inside", str(state), "--", *command]
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "LD_LIBRARY_PATH": str(state) if machine.gpus else "",
        "SIMULATED_GPUS": str(state / "gpus.txt"),
        "SIMULATED_CURVES": str(state / CURVES_START),
    }
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    if machine.gpus:  # codecarbon checks for the driver's program before it loads the library
        program = state / "nvidia-smi"
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
        environment["PATH"] = os.pathsep.join([str(state), os.environ["PATH"]])
    words = ["unshare", "--mount", *here] if namespaces_work() else here
    return subprocess.run(words, env=environment, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def _inside(state: Path, command: Sequence[str]) -> int:
    """Start the writer and run the command, in the namespace if there is one."""
    root = state / "powercap"
    if namespaces_work():
        _cover_classes()
        _cover_sockets(state)
        root = CLASSES / "powercap"
    environment = os.environ | {"SIMULATED_POWERCAP": str(root)}
    writer = subprocess.Popen([sys.executable, "-m", "simulator.writer", str(state), str(root)])
    try:
        while not (state / "ready").exists() and writer.poll() is None:
            time.sleep(0.01)
        words = [*AS_EVERYBODY, *command] if os.geteuid() == 0 else command
        return subprocess.run(words, env=environment, check=False).returncode
    finally:
        writer.kill()
        writer.wait()


def _cover_classes() -> None:
    """Mount a new file system over /sys/class, in which all classes but powercap are unchanged."""
    before = {
        folder.name: {link.name: link.resolve() for link in folder.iterdir()}
        for folder in CLASSES.iterdir()
        if folder.is_dir() and folder.name != "powercap"
    }
    subprocess.run(["mount", "-t", "tmpfs", "none", str(CLASSES)], check=True)
    for name, links in before.items():
        (CLASSES / name).mkdir()
        for link, target in links.items():
            (CLASSES / name / link).symlink_to(target)


def _cover_sockets(state: Path) -> None:
    """Put all CPUs in package 0, which every simulated machine has: a package with CPUs needs a counter."""
    socket = state / "socket"
    socket.write_text("0\n")
    for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/physical_package_id"):
        if path.read_text().strip() != "0":
            subprocess.run(["mount", "--bind", str(socket), str(path)], check=True)


def server(
    curves: Sequence[Curve],
    *,
    gpus: Sequence[Gpu] = (),
    max_uj: int = 262_143_328_850,
    wrap_s: float | None = None,
    mmio: bool = True,
    dies: int = 1,
    uncore: bool = False,
    mode: int = 0o444,
    faults: str = "",
) -> Machine:
    """Make a machine with a package (or die) for each curve, parts in proportion to it, and psys.

    Parameters
    ----------
    curves
        Power of each package.
    gpus
        Its GPUs.
    max_uj
        Range of every counter (microjoule).
    wrap_s
        When every counter wraps (s since the machine's start); the powers are constant then.
    mmio
        Whether the first package appears again under ``intel-rapl-mmio``, as on many Intel machines.
    dies
        Dies per socket; the kernel shows each as a separate package.
    uncore
        Whether each package has integrated graphics, in addition to core and dram.
    mode
        Mode of the counters' files, see `Counter`.
    faults
        Fault of the first package, as ``kind@seconds`` since the curves' start.
    """
    fault, _, at = faults.partition("@")
    counters = []
    parts = {"core": 0.6, "dram": 0.2} | ({"uncore": 0.1} if uncore else {})
    for number, curve in enumerate(curves):
        folder, broken = f"intel-rapl:{number}", {}
        socket, die = divmod(number, dies)
        name = f"package-{socket}" + (f"-die-{die}" if dies > 1 else "")
        if fault and number == 0:
            broken = {"fault": fault, "fault_s": float(at)}
        counters.append(Counter(folder, name, curve, max_uj, **broken, start_uj=_start_uj(counters)))
        for place, (kind, share) in enumerate(parts.items()):
            part = replace(curve, low_w=curve.low_w * share, high_w=curve.high_w * share)
            counters.append(Counter(f"{folder}/{folder}:{place}", kind, part, max_uj, start_uj=_start_uj(counters)))
    total_w = 1.2 * sum(curve.top_w for curve in curves)
    counters.append(Counter(f"intel-rapl:{len(curves)}", "psys", Curve("constant", total_w), max_uj))
    if mmio:
        counters.append(replace(counters[0], folder="intel-rapl-mmio:0", fault=None))
    counters = [replace(counter, mode=mode) for counter in counters]
    if wrap_s is not None:
        counters = [replace(c, start_uj=c.max_uj - int(c.curve.low_w * wrap_s * 1e6)) for c in counters]
    return Machine(tuple(counters), tuple(gpus))


def _start_uj(counters: Sequence[Counter]) -> int:
    """Return a start for the next counter: no two counters of a real machine have the same count."""
    return 1_000_000_000 + 7_000_000 * len(counters)


def main() -> int:
    """Run the command from the command line, and print the true energies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=1)
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--power-w", type=float, default=60.0, help="of each package, constant; a GPU takes twice that")
    parser.add_argument("--busy-w", type=float, help="of each package, which then follows the load of the CPUs")
    parser.add_argument("--max-uj", type=int, default=262_143_328_850, help="where the counters wrap")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if args.inside:
        return _inside(args.inside, command)
    gpus = [Gpu(Curve("constant", 2 * args.power_w))] * args.gpus
    curve = Curve("constant", args.power_w)
    if args.busy_w is not None:
        curve = Curve("load", args.power_w, args.busy_w)
    machine = server([curve] * args.sockets, gpus=gpus, max_uj=args.max_uj)
    with tempfile.TemporaryDirectory() as folder:
        begin_s = time.monotonic()
        done = run_on(machine, Path(folder), command)
        truth, length_s = Truth(Path(folder)), time.monotonic() - begin_s
        ran_s = truth.journal[-1, 0] - truth.journal[0, 0]
    where = "mounted over /sys/class" if namespaces_work() else "not mounted: namespaces are not allowed here"
    print(f"The machine ran for {ran_s:.2f} of {length_s:.2f} s ({where}); its powers were", file=sys.stderr)
    for counter in machine.counters:
        print(f"  {counter.folder:<28}{counter.name:<12}{_powers(counter.curve)} W", file=sys.stderr)
    for index, gpu in enumerate(machine.gpus):
        print(f"  gpu-{index:<36}{_powers(gpu.curve)} W", file=sys.stderr)
    return done.returncode


def _powers(curve: Curve) -> str:
    return f"{curve.low_w:8.2f}" + (f" to {curve.high_w:.2f}" if curve.kind == "load" else "")


if __name__ == "__main__":
    sys.exit(main())
