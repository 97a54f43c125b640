"""What the measured stages share: opening the session, and writing its record last."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.codecs.engines.base import WARM_UP_BATCHES, Work
from baler_energy.config.parameters import Parameters
from baler_energy.files import check_outputs, discard, write_parquet
from baler_energy.meters.base import Meter, prepare
from baler_energy.meters.options import make_meters, session_settings
from baler_energy.meters.segments import Segment
from baler_energy.meters.session import Outcome, Session
from baler_energy.meters.settings import SessionSettings
from baler_energy.progress import announce
from baler_energy.provenance import provenance
from baler_energy.records import Measurement
from baler_energy.sources import measured
from baler_energy.stages.file_names import RECORD, SAMPLES
from baler_energy.temporaries import remove_temporaries
from baler_energy.variants import PREPARED
from baler_energy.vocabulary import Flag, Operation

if TYPE_CHECKING:
    import torch

__all__ = [
    "WARM_UP_BATCHES",
    "Measuring",
    "facts_of_work",
    "gpu_memory_peak_b",
    "open_session",
    "open_work",
    "shared_session",
    "warm_up_of",
    "warmed_up",
    "write_record",
]


@dataclass(frozen=True)
class Measuring:
    """How a stage is measured: the session's settings, and its meters, unopened."""

    settings: SessionSettings
    meters: tuple[Meter, ...]
    session: Session | None = None
    """The session of several stages in one process; None: each opens its own."""

    @classmethod
    def of(cls, args: argparse.Namespace) -> "Measuring":
        """Make it from parsed arguments; slow meters start in the background while the stage loads torch.

        Raises
        ------
        UnavailableError
            A requested meter is not available.
        """
        settings = session_settings(args)
        meters = tuple(make_meters(args.meters, sample_interval_s=settings.sample_interval_s))
        prepare(meters)
        return cls(settings, meters)


@contextmanager
def shared_session(measuring: Measuring) -> Iterator[Measuring]:
    """Measure several stages in one session: the meters start once, and all use the first idle baseline."""
    session = Session(measuring.meters, measuring.settings)
    try:
        # The first stage opens it after its imports and its reading; slow meters start in the meantime.
        yield replace(measuring, session=session)
    finally:
        session.close()


@contextmanager
def open_session(
    measuring: Measuring, device: "torch.device", out: Path, synchronise: Callable[[], None] | None = None
) -> Iterator[Session]:
    """Open the session of a stage; remove an earlier run's record in `out`, which would certify the new files.

    `synchronise` waits for the GPU if another process uses it; the default waits for this process's own work.
    """
    out.mkdir(parents=True, exist_ok=True)
    check_outputs(out, SAMPLES, RECORD)
    discard(out / RECORD)
    session = measuring.session or Session(measuring.meters, measuring.settings)
    if device.type == "cuda":
        import torch

        session.synchronise = synchronise or torch.cuda.synchronize
    session.open()
    try:
        yield session
    finally:
        if session is not measuring.session:
            session.close()


@contextmanager
def open_work(work: Work, measuring: Measuring, device: "torch.device", out: Path) -> Iterator[Session]:
    """Open the session of an engine's work, and start what must run around its window."""
    with open_session(measuring, device, out, work.synchronise) as session, work.running():
        yield session


def warm_up_of(work: Work, device: "torch.device") -> Callable[[], object]:
    """Return an engine's warm-up; the peak GPU memory of this process counts from its end."""
    return work.warm_up if work.elsewhere else warmed_up(work.warm_up, device)


def facts_of_work(work: Work, device: "torch.device", result: Any) -> dict[str, Any]:
    """Return further results of an engine's work for the record."""
    own = {} if work.elsewhere else {"torch_gpu_memory_peak_b": gpu_memory_peak_b(device)}
    return {**own, **work.facts(result)}


def warmed_up(operation: Callable[[], object], device: "torch.device") -> Callable[[], None]:
    """Wrap a warm-up so that the peak GPU memory counts from its end."""

    def warm_up() -> None:
        operation()
        if device.type == "cuda":
            import torch

            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()

    return warm_up


def gpu_memory_peak_b(device: "torch.device") -> int | None:
    """Peak GPU memory of torch's tensors since the warm-up (bytes); None without a GPU."""
    if device.type != "cuda":
        return None
    import torch

    return int(torch.cuda.max_memory_allocated())


def write_record(
    out: Path,
    operation: Operation,
    parameters: Mapping[str, str | int | float | bool | None],
    outcome: Outcome[Any],
    results: Mapping[str, str | int | float | bool | None],
    segments: Sequence[Segment] = (),
    file_format: str = PREPARED,
) -> Measurement:
    """Write ``samples.parquet`` and, last, ``measurement.json``; remove partial files of killed attempts.

    Parameters
    ----------
    out
        Folder of the run, which already has its other files.
    operation, parameters, outcome, results
        Contents of the record.
    segments
        Measurements of earlier processes; their times and hosts go into the provenance.
    file_format
        Format of the file that was compressed.

    Returns
    -------
    Measurement
        The record.
    """
    meters = [reading.meter for reading in outcome.readings]
    codec = Parameters.model_construct(None, **parameters)
    made_with = provenance(*measured(operation.value, codec, meters, file_format))
    job = made_with["slurm"]
    if job and job["exclusive"] is False:
        announce(
            f"SLURM job {job['job_id']} shares its node {job['node']}: the node's counters include the energy of "
            "other jobs. Submit measured jobs with --exclusive (profiles/slurm/config.yaml)."
        )
    if segments:
        facts = {"start", "duration_s", "hostname"}
        made_with["segments"] = [segment.model_dump(mode="json", include=facts) for segment in segments]
    remove_temporaries(out)
    write_parquet(out / SAMPLES, outcome.samples, outcome.window.start)
    record = outcome.record(
        run_id=str(parameters["run_id"]),
        operation=operation,
        parameters=dict(parameters),
        flags=tuple(sorted({*outcome.flags, *([Flag.RUNTIME_FAULT] if results.get("runtime_reason") else [])})),
        results=dict(results),
        provenance=made_with,
    )
    record.write(out / RECORD)
    return record
