"""A project of upstream Baler: its folder and its configuration, a Python file.

Baler finds a project as ``workspaces/WORKSPACE/PROJECT`` below the folder that it runs in, and imports the
configuration. The configuration is never run here: only plain values that are assigned to ``c`` are read.
"""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from baler_energy.config.parameters import AXIS_DEFAULTS
from baler_energy.damage import check_regular
from baler_energy.errors import InputError

__all__ = ["EXTRA", "Config", "Folder", "config_text", "exact_ratio", "read_config", "type_list"]

#: Name for values that Baler ignores: the columns' types and the table's origin.
EXTRA = "baler_energy"


@dataclass(frozen=True)
class Folder:
    """Paths of a project.

    Parameters
    ----------
    path
        ``.../workspaces/WORKSPACE/PROJECT``.
    """

    path: Path

    @property
    def name(self) -> str:
        """Name of the project."""
        return self.path.absolute().name

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.path / "config" / f"{self.name}_config.py"

    @property
    def data(self) -> Path:
        """The input of a project that is written here, inside the project's folder."""
        return self.path / "data" / f"{self.name}_data.npz"

    @property
    def model(self) -> Path:
        """The trained network."""
        return self.path / "output" / "compressed_output" / "model.pt"

    @property
    def features(self) -> Path:
        """Minimum and range of the columns."""
        return self.path / "output" / "training" / "normalization_features.npy"

    @property
    def losses(self) -> Path:
        """Training and validation loss (2, epochs)."""
        return self.path / "output" / "training" / "loss_data.npy"

    @property
    def compressed(self) -> Path:
        """The latents."""
        return self.path / "output" / "compressed_output" / "compressed.npz"

    @property
    def decompressed(self) -> Path:
        """The reconstructed table."""
        return self.path / "output" / "decompressed_output" / "decompressed.npz"

    @property
    def root(self) -> Path:
        """The folder that holds ``workspaces``; Baler runs in it, and Baler's paths are relative to it."""
        return Path(*self.path.absolute().parts[:-3])

    def check(self) -> None:
        """Refuse a folder that Baler would not find, or whose names it could not import.

        Raises
        ------
        InputError
            It is not a folder ``workspaces/WORKSPACE/PROJECT``.
        """
        *_, workspaces, workspace, project = ("", "", *self.path.absolute().parts)
        if workspaces != "workspaces" or not all(re.fullmatch(r"\w[\w-]*", name) for name in (workspace, project)):
            raise InputError(
                f"{self.path}: Baler only finds projects at workspaces/WORKSPACE/PROJECT, with names of letters, "
                "digits, _ and -. Use such a folder, for example workspaces/mine/jets."
            )


@dataclass(frozen=True)
class Config:
    """What varies between the projects that are written here.

    Parameters
    ----------
    input_path
        Path of the input, relative to the folder that holds ``workspaces``.
    compression_ratio
        Baler's latent columns are ``ceil(columns / ratio)``: see `exact_ratio`.
    model_name
        A key of `networks.MODELS`.
    type_list
        Types that decompressed columns are cast to: see `type_list`.
    epochs, learning_rate, batch_size
        Of the training; the batch size also applies to the other operations.
    early_stopping_patience
        Epochs without a lower loss before training stops; None: never.
    custom_norm
        Whether the input is already normalised.
    extra
        Plain values to store under the name `EXTRA`.
    """

    input_path: str
    compression_ratio: float
    model_name: str
    type_list: Sequence[str]
    epochs: int = 5
    learning_rate: float = 1e-3
    batch_size: int = AXIS_DEFAULTS["batch_size"]
    early_stopping_patience: int | None = None
    custom_norm: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


def config_text(config: Config) -> str:
    """Write a configuration that Baler runs with current versions of its libraries.

    The learning-rate schedule, error bounds and separate models are off, because they fail with these versions. The
    other switches have no effect on a table or are set as in Baler's example. Every key that Baler reads must be there.
    """
    values = {
        "input_path": config.input_path,
        "data_dimension": 1,
        "compression_ratio": config.compression_ratio,
        "apply_normalization": True,
        "custom_norm": config.custom_norm,
        "model_name": config.model_name,
        "model_type": "dense",
        "epochs": config.epochs,
        "lr": config.learning_rate,
        "batch_size": config.batch_size,
        "test_size": 0,
        "early_stopping": config.early_stopping_patience is not None,
        "early_stopping_patience": config.early_stopping_patience or 100,
        "min_delta": 0,
        "lr_scheduler": False,
        "lr_scheduler_patience": 50,
        "reg_param": 0.001,
        "RHO": 0.05,
        "l1": True,
        "mse_avg": False,
        "mse_sum": True,
        "emd": False,
        "type_list": list(config.type_list),
        "convert_to_blocks": False,
        "extra_compression": False,
        "save_error_bounded_deltas": False,
        "error_bounded_requirement": 10,
        "separate_model_saving": False,
        "intermittent_model_saving": False,
        "intermittent_saving_patience": 100,
        "activation_extraction": False,
        "deterministic_algorithm": False,
    }
    if config.extra:
        values[EXTRA] = dict(config.extra)
    # repr makes literals, so that a text cannot become code.
    lines = [f"    c.{name} = {value!r}" for name, value in values.items()]
    return "\n".join(["def set_config(c):", *lines, ""])


def read_config(path: Path) -> dict[str, Any]:
    """Read the plain values of a configuration, without running it; computed and conditional values are left out.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    InputError
        The file is missing, cannot be read, or is not Python.
    """
    check_regular(path)
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{path}: is not valid Python ({error}).") from error
    values: dict[str, Any] = {}
    # Of several functions of this name, Python keeps the last one.
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "set_config"]
    for statement in functions[-1].body if functions else ():
        for node in ast.walk(statement):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                values.pop(node.attr, None)  # set in a condition or a loop, for example
        match statement:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(), attr=name)], value=value):
                with suppress(ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                    values[name] = ast.literal_eval(value)
    return values


def exact_ratio(columns: int, latent: int) -> float:
    """Give the compression ratio for which Baler's ``ceil(columns / ratio)`` is `latent`, despite rounding."""
    ratio = columns / latent
    return ratio if math.ceil(columns / ratio) == latent else math.nextafter(ratio, math.inf)


def type_list(dtypes: Sequence[str]) -> tuple[str, ...]:
    """Types for Baler to cast decompressed columns to.

    Integers and booleans become int64. Baler truncates: a narrow type would wrap values outside its range (a
    multiplicity of -1 in uint16 would come back as 65,535), and a boolean would be true for everything except 0.
    """
    return tuple("int64" if np.dtype(dtype).kind in "iub" else dtype for dtype in dtypes)
