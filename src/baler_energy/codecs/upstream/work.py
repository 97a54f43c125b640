"""Shared by Baler's operations: a project's configuration and inputs, and the process around the measured window."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.engines.base import Asked
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.config import Config, Folder, exact_ratio, type_list
from baler_energy.codecs.upstream.process import Upstream, started
from baler_energy.config.parameters import Parameters
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.temporaries import remove_temporaries, temporary_folder

__all__ = ["Process", "baler_config", "refuse_constants", "workplace", "write_inputs"]


def baler_config(point: Parameters, architecture: Architecture, dtypes: tuple[str, ...]) -> Config:
    """Make the configuration of a point's project; `new_project` sets the input path."""
    return Config(
        input_path="",
        compression_ratio=exact_ratio(architecture.columns, architecture.latent),
        model_name=files.model_name(architecture),
        type_list=type_list(dtypes),
        batch_size=point.batch_size,
    )


def write_inputs(
    project: Folder, table: Table, checkpoint: Checkpoint, latents: NDArray[np.floating] | None = None
) -> None:
    """Write what Baler reads to compress a table or, with latents (rows, latent), to decompress one."""
    files.write_table(project.data, table)
    files.write_model(project.model, checkpoint)
    files.write_features(project.features, checkpoint.normalisation)
    if latents is not None:
        files.write_latents(project.compressed, latents, checkpoint)


def refuse_constants(table: Table, path: Path) -> None:
    """Refuse columns with a single value: Baler divides by their range, which is 0.

    Raises
    ------
    InputError
        A column has a single value.
    """
    constant: NDArray[np.bool_] = (table.data == table.data[0]).all(axis=0)
    names = [name for name, is_constant in zip(table.names, constant, strict=True) if is_constant]
    if names:
        raise InputError(
            f"{path}: column {', '.join(map(repr, names))} has a single value, and upstream Baler divides by a "
            "column's range. Prepare the table without it, or use another engine."
        )


@contextmanager
def workplace(out: Path) -> Iterator[Path]:
    """Make a folder for Baler's projects on the file system of `out`, where the other engines write, too.

    Folders that killed runs left behind are removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    remove_temporaries(out)
    with temporary_folder(out / "upstream") as folder:
        yield folder.absolute()


class Process:
    """Baler's process, which runs around the measured window, within the session that has the machine to itself.

    Parameters
    ----------
    root
        The folder that it runs in.
    asked
        What the engine is asked to do.
    """

    def __init__(self, root: Path, asked: Asked) -> None:
        self._root, self._asked = root, asked
        self._baler: Upstream | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start the process, and end it with the block."""
        with started(self._root, device=self._asked.device.type, threads=self._asked.threads) as self._baler:
            yield

    @property
    def baler(self) -> Upstream:
        """The running process."""
        assert self._baler is not None
        return self._baler

    def perform(self, project: Folder, mode: str) -> dict[str, Any]:
        """Run a mode of Baler's command line."""
        return self.baler.perform(project, mode, self._asked.seed)

    def synchronise(self) -> None:
        """Wait for its GPU. The first call makes the CUDA context, which must exist before the idle baseline."""
        self.baler.synchronise()

    def facts(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Give the record's entries about Baler, from what a mode returned."""
        versions = ("version", "commit", "python", "torch", "numpy")
        known = {f"upstream_{name}": self.baler.facts[name] for name in versions}
        return {"startup_s": self.baler.startup_s, "torch_gpu_memory_peak_b": result["gpu_memory_peak_b"]} | known
