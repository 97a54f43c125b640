"""What the stages share: a project's configuration and inputs, and the measured window around Baler's process."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.upstream.config import Config, Folder, exact_ratio, type_list
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.meters.session import Outcome
from baler_energy.stages.measured import WARM_UP_BATCHES, Measuring, open_session
from baler_energy.stages.options import PointOptions, actual_device

if TYPE_CHECKING:
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.upstream.process import Upstream

__all__ = [
    "Done",
    "Results",
    "Work",
    "baler_config",
    "first_rows",
    "measure",
    "refuse_constants",
    "workplace",
    "write_inputs",
]

#: Of a run's folder of projects.
_PREFIX = ".upstream-"

Results = dict[str, str | int | float | bool | None]


def baler_config(point: PointOptions, architecture: Architecture, dtypes: tuple[str, ...]) -> Config:
    """Make the configuration of a point's project; `new_project` gives it its input."""
    from baler_energy.codecs.upstream.files import model_name

    return Config(
        input_path="",
        compression_ratio=exact_ratio(architecture.columns, architecture.latent),
        model_name=model_name(architecture),
        type_list=type_list(dtypes),
        batch_size=point.batch_size,
    )


def write_inputs(
    project: Folder, table: Table, checkpoint: "Checkpoint", latents: "NDArray[np.floating] | None" = None
) -> None:
    """Write what Baler reads to compress a table or, with latents (rows, latent), to decompress one."""
    from baler_energy.codecs.upstream import files

    files.write_table(project.data, table)
    files.write_model(project.model, checkpoint)
    files.write_features(project.features, checkpoint.normalisation)
    if latents is not None:
        files.write_latents(project.compressed, latents, checkpoint)


def refuse_constants(table: Table, path: Path) -> None:
    """Refuse columns of a single value, by whose range of 0 Baler divides.

    Raises
    ------
    InputError
        There is one.
    """
    constant: NDArray[np.bool_] = (table.data == table.data[0]).all(axis=0)
    names = [name for name, is_constant in zip(table.names, constant, strict=True) if is_constant]
    if names:
        raise InputError(
            f"{path}: column {', '.join(map(repr, names))} holds a single value, and upstream Baler divides by a "
            "column's range. Prepare the table without it, or take another engine."
        )


@dataclass(frozen=True)
class Work:
    """A mode of two projects in a folder: what is measured, and the few rows to warm up with."""

    root: Path
    full: Folder
    few: Folder
    mode: str


@dataclass(frozen=True)
class Done:
    """A measured window, and what goes into the record besides."""

    outcome: Outcome[dict[str, Any]]
    facts: Results


@contextmanager
def workplace(out: Path) -> Iterator[Path]:
    """Give a folder for Baler's projects on the file system of `out`, as the other engines write there.

    What a killed run left of its own is removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    for killed in out.glob(f"{_PREFIX}*"):
        shutil.rmtree(killed, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=out) as folder:
        yield Path(folder).absolute()


def measure(work: Work, point: PointOptions, measuring: Measuring, out: Path) -> Done:
    """Measure a mode of Baler's command line; samples and record of `out` are the caller's to write.

    Raises
    ------
    UnavailableError
        Baler is not installed, or the device is not there.
    BalerEnergyError
        Baler failed.
    """
    import torch

    from baler_energy.codecs.upstream.process import started

    device, threads = actual_device(point.device), point.thread_count

    def perform(project: Folder) -> dict[str, Any]:
        return baler.perform(project, work.mode, point.seed)

    # Baler starts inside of the session, which has the machine to itself; a GPU's context is made before the baseline.
    with (
        open_session(measuring, torch.device(device), out, lambda: baler.synchronise()) as session,
        started(work.root, device=device, threads=threads) as baler,
    ):
        outcome = session.run(lambda: perform(work.full), warm_up=lambda: perform(work.few))
        return Done(outcome, _facts(baler, outcome.result))


def _facts(baler: "Upstream", result: Mapping[str, Any]) -> Results:
    versions = {f"upstream_{name}": baler.facts[name] for name in ("version", "commit", "python", "torch", "numpy")}
    return {"startup_s": baler.startup_s, "torch_gpu_memory_peak_b": result["gpu_memory_peak_b"]} | versions


def first_rows(table: Table, point: PointOptions) -> Table:
    """Rows to warm up with."""
    return Table(table.data[: WARM_UP_BATCHES * point.batch_size], table.names, table.dtypes, table.origin)
