"""Stage ``profile``: profile operations with one profiler; no energy is measured in these runs."""

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from baler_energy.codecs.engines import engine_of, operation_of, profiles_itself, refuse_runtime
from baler_energy.config.measuring import Profile
from baler_energy.config.options import add_options
from baler_energy.config.parameters import Training
from baler_energy.errors import UnavailableError
from baler_energy.files import check_outputs, output_folder
from baler_energy.profilers.base import Profiler, set_environment
from baler_energy.profilers.hotspots import Hotspot, write_hotspots
from baler_energy.progress import announce
from baler_energy.stages.file_names import HOTSPOTS
from baler_energy.stages.options import PointOptions, add_point_arguments, point_options
from baler_energy.stages.profiled import PROFILED_WARM_UP_BATCHES, Job
from baler_energy.temporaries import temporary_folder
from baler_energy.variants import PROFILERS, load
from baler_energy.vocabulary import OPERATIONS

__all__ = [
    "EPILOG",
    "HELP",
    "add_arguments",
    "profile",
    "run",
]

HELP = "profile operations with one profiler; shares of time only, no energy"
_PROFILERS = {name: kind for name, kind in PROFILERS.items() if kind.stage == "profile"}
_WRITES = "\n".join(f"  {name:<11}{kind.writes}" for name, kind in _PROFILERS.items())
EPILOG = f"""examples:
  baler-energy profile --data table.npz --operation train --profiler cprofile --out profiles/cprofile
  baler-energy profile --data table.npz --checkpoint run/train/checkpoint.pt --operation compress decompress \\
      --profiler scalene --max-batches 50 --out profiles/scalene

writes hotspots.parquet and the profiler's own files to a folder for each operation:
{_WRITES}
A profiler that is missing, exceeds the time limit, or cannot see what the codec does, leaves a row with the reason.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="table of `baler-energy prepare`")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="checkpoint of `baler-energy train`, to compress or decompress"
    )
    parser.add_argument(
        "--operation",
        nargs="+",
        choices=[operation.value for operation in OPERATIONS],
        required=True,
        help="operations to profile, one after the other",
    )
    parser.add_argument("--profiler", choices=tuple(_PROFILERS), required=True, help="profiler to use")
    add_options(parser, Profile, only=["max_batches", "time_limit_s"])
    parser.add_argument("--out", type=output_folder, required=True, metavar="DIR", help="folder to write to")
    add_point_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    set_environment()
    point = point_options(args)
    for operation in args.operation:
        profile(
            args.data,
            args.checkpoint,
            operation,
            args.profiler,
            args.max_batches,
            point,
            args.out / operation,
            time_limit_s=args.time_limit_s,
        )


def profile(
    data: Path,
    checkpoint: Path | None,
    operation: str,
    profiler: str,
    max_batches: int,
    point: PointOptions,
    out: Path,
    *,
    time_limit_s: int,
) -> None:
    """Profile an operation on the first rows of a table; write hotspots, and the profiler's own files, to `out`.

    Training runs for one epoch; compress and decompress need the `checkpoint` of a codec that is trained. A profiler
    that is not installed, does not support the codec or takes longer than `time_limit_s` leaves one row of kind
    ``absent`` with the reason.

    Raises `InputError`, and `UnavailableError` if the device is not available.
    """
    refuse_runtime(point, "profiling")
    check_outputs(out, HOTSPOTS)
    with temporary_folder() as folder:
        job = Job(data, checkpoint, operation, max_batches, point, folder, time_limit_s)
        parameters = job.parameters()
        try:
            hotspots = _hotspots(job, profiler, out)
        except UnavailableError as error:
            hotspots = [_absent(profiler, str(error))]
        finally:
            job.close()
    write_hotspots(out / HOTSPOTS, parameters | {"profiler": profiler}, hotspots)
    first = hotspots[0]
    if first.reason is not None:
        announce(f"profile: no values from {profiler}: {first.reason}")
    elif first.self_share is not None:
        announce(f"profile: {first.name}: {first.self_share:.0%} of the time")


def _hotspots(job: Job, profiler: str, out: Path) -> list[Hotspot]:
    """Run a profiler; raises `UnavailableError` with the reason if it gives no values."""
    point, engine = job.point, engine_of(job.point)
    if engine.profilers is not None and profiler not in engine.profilers:
        able = (
            f"can only be profiled with {' and '.join(engine.profilers)}" if engine.profilers else "cannot be profiled"
        )
        kind = "engine" if point.engine else "transform"
        raise UnavailableError(f"{kind} {engine.name!r} {able}.")
    engine.refuse(point, Training())
    job.check()
    outside = profiles_itself(point)
    chosen: Profiler = load(_PROFILERS[profiler].module).PROFILER
    if not chosen.elsewhere and not outside:
        job.of_batches(PROFILED_WARM_UP_BATCHES)()
    out.mkdir(parents=True, exist_ok=True)
    announce(f"profile: {job.operation} of {job.batches} batches with {profiler}")
    with _time_limit(job.time_limit_s):
        return _by_engine(job, out) if outside else chosen.profile(job, out)


def _absent(profiler: str, reason: str) -> Hotspot:
    return Hotspot(kind="absent", name=profiler, reason=reason)


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """Raise `UnavailableError` in the block after `seconds`, which also ends a program that it waits for."""

    def stop(_signal: int, _frame: object) -> NoReturn:
        raise UnavailableError(
            f"it took longer than the time limit of {seconds} s; lower max_batches or raise the limit."
        )

    before = signal.signal(signal.SIGALRM, stop)
    # Repeated, because an exception raised in a Python finaliser is lost.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _by_engine(job: Job, out: Path) -> list[Hotspot]:
    """Let an engine that runs in a separate process profile itself."""
    table, few = job.part(job.max_batches), job.part(PROFILED_WARM_UP_BATCHES)
    asked = job.asked(job.data, job.folder / "profiled", table)
    hotspots: list[Hotspot] = operation_of(job.point, "profile").profile(asked, job.operation, table, few, out)
    return hotspots
