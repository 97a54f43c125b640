"""Options that describe a point of the grid, shared by all stages that run the codec and by all records."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from baler_energy.codecs.baler.architecture import latent_columns
from baler_energy.codecs.baler.runtimes import runtime_of
from baler_energy.codecs.engines import check_values, device_of, trains
from baler_energy.codecs.engines.base import Asked
from baler_energy.codecs.packing import Packing
from baler_energy.config.options import add_options, option
from baler_energy.config.parameters import Count, Name, Parameters, applies, default_schedule
from baler_energy.cores import allowed_cpus, default_threads
from baler_energy.errors import InputError, UnavailableError
from baler_energy.files import output_folder
from baler_energy.meters.visible import hold_first_gpu, number_by_bus
from baler_energy.progress import announce
from baler_energy.variants import TIMED_ENGINE

if TYPE_CHECKING:
    import torch

__all__ = [
    "DEFAULTS",
    "PointOptions",
    "actual_device",
    "add_codec_file_arguments",
    "add_point_arguments",
    "configure_torch",
    "point_options",
]


#: Values of options that are not given to a stage that trains.
DEFAULTS: Mapping[str, Any] = {"epochs": 5}


class PointOptions(Parameters):
    """A point of the grid as the stages see it; ``device`` and ``threads`` may be ``auto``."""

    run_id: str = "run"
    """Name of the point."""
    dataset: Name = "data"
    """Name of the dataset."""
    rows: int | Literal["all"] = "all"
    """Rows of the table; a stage always uses the whole table."""
    epochs: Count | None = None  # type: ignore[assignment]
    """Passes over the table in training; unknown if not given, for a codec that is only applied."""
    repeat: Annotated[int, Field(ge=0)] = 0
    """Number of the repeat."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Seed of the starting parameters."""

    @property
    def thread_count(self) -> int:
        """Actual number of torch threads."""
        return self.threads if isinstance(self.threads, int) else default_threads()

    def asked(self, data: Path, target: Path, device: "torch.device", **more: Any) -> Asked:
        """Make the request for an operation that writes `target` at this point; `more` are other fields of `Asked`.

        Raises
        ------
        InputError
            There is a checkpoint, but the codec is not trained.
        """
        checkpoint = more.get("checkpoint")
        if checkpoint is not None and not trains(self.transform):
            raise InputError(f"--checkpoint {checkpoint}: transform {self.transform!r} is not trained. Leave it out.")
        of_point: dict[str, Any] = {"point": self, "seed": self.seed, "threads": self.thread_count}
        return Asked(data=data, out=target.parent, target=target, device=device, **of_point, **more)

    def parameters(self, *, source: str | None, rows: int, columns: int) -> dict[str, str | int | float | bool | None]:
        """Return the record's parameters, with the actual device, threads and rows.

        Parameters
        ----------
        source
            Where the table comes from (``pythia8``, ``toy``, ``file``); None if the input does not record it.
        rows, columns
            Size of the table.

        Raises
        ------
        InputError
            The codec does not run on the device.
        UnavailableError
            The device is not available.
        """
        known = {"source": source, "rows": rows, "columns": columns}
        actual = {"device": actual_device(device_of(self)), "threads": self.thread_count}
        ratio: float | None = self.compression_ratio
        latent = None if ratio is None else latent_columns(columns, ratio)
        return self.model_dump() | known | actual | {"latent_columns": latent}


def add_codec_file_arguments(
    parser: argparse.ArgumentParser, *, data_help: str = "table of `baler-energy prepare`"
) -> None:
    """Add the file options of a stage that applies a trained codec."""
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help=data_help)
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="checkpoint of `baler-energy train`; none for a transform that is not trained",
    )
    parser.add_argument("--out", type=output_folder, required=True, metavar="DIR", help="folder to write to")


def add_point_arguments(parser: argparse.ArgumentParser, *, defaults: Mapping[str, Any] | None = None) -> None:
    """Add the options of a point to `parser`; `defaults` are what their help shows as defaults."""
    group = parser.add_argument_group("point of the grid")
    add_options(group, PointOptions, without=["rows"], defaults=defaults, unset=PointOptions.model_fields)


def point_options(args: argparse.Namespace, defaults: Mapping[str, Any] | None = None) -> PointOptions:
    """Read the options of a point from parsed arguments.

    Parameters
    ----------
    args
        Parsed arguments; an option that is not given is None.
    defaults
        Values of options that are not given, where they differ from those of `PointOptions`.

    Raises
    ------
    InputError
        A value is out of range, or the calibration cannot be read.
    """
    # A schedule that is not given depends on the options of the training.
    patience = getattr(args, "plateau_patience", None)
    schedule = {} if patience is None else {"schedule": default_schedule(patience)}
    given = {name: value for name in PointOptions.model_fields if (value := getattr(args, name, None)) is not None}
    point = PointOptions(**dict(defaults or {}) | schedule | given).changed()
    if unused := [option(name) for name in given if not applies(name, point.transform)]:
        announce(f"{', '.join(unused)}: no effect with --transform {point.transform}.")
    check_values(point)
    if (runtime := runtime_of(point.runtime)) and (reason := runtime.missing()):
        raise UnavailableError(f"--runtime {point.runtime}: {reason}")
    if reason := Packing.parse(point.packing).missing():
        raise UnavailableError(f"--packing {point.packing}: {reason}")
    if point.engine == TIMED_ENGINE and point.threads == "auto" and (threads := _calibrated_threads(args)):
        return point.changed(threads=threads)
    return point


def _calibrated_threads(args: argparse.Namespace) -> int | None:
    """Return the calibration's number of threads, if one is given and the device is not a GPU."""
    path = getattr(args, "calibration", None)
    if path is None or args.device == "cuda":
        return None
    from baler_energy.meters.calibration import calibrated_threads

    threads = calibrated_threads(path)
    return None if threads is None else min(threads, default_threads())


def configure_torch(point: PointOptions) -> "torch.device":
    """Set torch's threads for this process and return the point's device; report if the threads share CPUs.

    ``torch.use_deterministic_algorithms`` is not called: it imports torch's compiler, which takes longer than many
    trainings, and every operation of the codec is deterministic on a CPU without it.

    Raises
    ------
    UnavailableError
        The device is not available.
    """
    import torch

    name = actual_device(device_of(point))
    device = torch.device(name, 0) if name == "cuda" else torch.device(name)
    allowed = allowed_cpus()
    if point.thread_count > allowed:
        cpus = f"{allowed} CPU{'' if allowed == 1 else 's'}"
        announce(f"--threads {point.thread_count}: this process may only use {cpus}, which the threads share.")
    torch.set_num_threads(point.thread_count)
    return device


def actual_device(name: str) -> str:
    """Resolve ``auto`` to ``cuda`` if torch finds a GPU, else ``cpu``.

    A run on ``cuda`` computes on CUDA's first GPU. From then on the meters only see this GPU: other allocated or
    visible GPUs do no work for the run.

    Raises
    ------
    UnavailableError
        ``cuda`` was requested, but torch finds no GPU.
    """
    import torch

    number_by_bus()
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UnavailableError(
            "--device cuda: torch finds no CUDA GPU here (no GPU, no driver, or a CPU build of torch). "
            "Use `--device cpu`, or `--device auto` to use a GPU only if there is one."
        )
    if not available or name == "cpu":
        return "cpu"
    hold_first_gpu()
    return "cuda"
