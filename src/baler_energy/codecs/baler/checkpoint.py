"""The trained codec as a file."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baler_energy.codecs.baler.architecture import Architecture, latent_columns, network
from baler_energy.codecs.baler.model import DTYPES, Autoencoder, check_parameters
from baler_energy.codecs.baler.pruning.base import Pruning
from baler_energy.codecs.engines.base import Asked
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.precisions import NUMBER_TYPES
from baler_energy.codecs.tensors import read_tensors, write_tensors
from baler_energy.config.parameters import Parameters
from baler_energy.damage import refusing_damage
from baler_energy.errors import InputError

__all__ = ["FORMAT", "VERSION", "Checkpoint", "check_point", "checkpoint_of"]

FORMAT = "baler-energy checkpoint"
VERSION = 2
_AGAIN = "Train again."


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything that compressing and decompressing need: parameters, normalisation and columns.

    Parameters
    ----------
    parameters
        The state dict, on the CPU.
    normalisation
        Features of the training table.
    names, dtypes
        Names and native types (as NumPy names them) of the columns.
    architecture
        Widths, slope and skip of the network.
    precision
        Precision of the parameters: one of `NUMBER_TYPES`.
    """

    parameters: Mapping[str, Tensor]
    normalisation: Normalisation
    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    architecture: Architecture
    precision: str

    @classmethod
    def of(
        cls, model: Autoencoder, normalisation: Normalisation, names: tuple[str, ...], dtypes: tuple[str, ...]
    ) -> "Checkpoint":
        """Take a snapshot of a network, which may be on any device."""
        parameters = {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()}
        precision = str(parameters["en1.bias"].dtype).removeprefix("torch.")
        return cls(parameters, normalisation, names, dtypes, model.architecture, precision)

    @property
    def transform(self) -> str:
        """Baler's autoencoder, as a value of the axis ``transform``."""
        return "baler"

    @property
    def latent(self) -> int:
        """Number of latent columns."""
        return self.architecture.latent

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the content, independent of when and where it is written."""
        widths = _widths(self.architecture)
        facts = [VERSION, self.names, self.dtypes, widths, self.precision, list(self.parameters)]
        digest = hashlib.sha256(json.dumps(facts).encode())
        digest.update(np.ascontiguousarray(self.normalisation.features).tobytes())
        for tensor in self.parameters.values():
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def model(self, device: torch.device) -> Autoencoder:
        """Build the network on a device, ready for inference."""
        model = Autoencoder(self.architecture, self.precision)
        model.load_parameters(self.parameters, "checkpoint")
        return model.to(device).eval()

    def write(self, path: Path) -> None:
        """Write to a file, atomically; the same content gives the same bytes."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "state_dict": dict(self.parameters),
            "normalization_features": torch.from_numpy(self.normalisation.features),
            "names": list(self.names),
            "dtypes": list(self.dtypes),
            "architecture": _widths(self.architecture),
            "precision": self.precision,
            "sha256": self.content_hash,
        }
        write_tensors(path, content)

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Read a checkpoint; objects are never unpickled.

        Raises
        ------
        InputError
            The file is missing, damaged, not a checkpoint of this program, or of another format version.
        """
        content = read_tensors(path, "checkpoint", _AGAIN)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputError(
                f"{path}: is not a checkpoint written by `baler-energy train` (is it from another program?)."
            )
        version = content.get("version")
        if version != VERSION:
            raise InputError(
                f"{path}: has format version {version!r}, but this program reads {VERSION}. Update this program."
            )
        with refusing_damage(path, "checkpoint", _AGAIN):
            checkpoint = _build(content)
            check_parameters(checkpoint.architecture, checkpoint.parameters, str(path))
            if checkpoint.content_hash != content["sha256"]:
                raise ValueError("its checksum does not match")
        return checkpoint


def checkpoint_of(asked: Asked) -> Checkpoint:
    """Read the checkpoint that an operation uses, and check that it matches the point.

    Raises
    ------
    InputError
        It is missing, damaged, or contradicts the point.
    """
    checkpoint = Checkpoint.read(asked.codec_file)
    check_point(checkpoint, asked.point, asked.codec_file)
    return checkpoint


def check_point(checkpoint: Checkpoint, point: Parameters, path: Path) -> None:
    """Refuse options that contradict the checkpoint, as the record would then be wrong.

    Raises
    ------
    InputError
        The precision, the model or the compression ratio differs from the checkpoint's.
    """
    if DTYPES[checkpoint.precision] != DTYPES[point.precision]:
        raise InputError(
            f"{path}: was trained in {checkpoint.precision}, but --precision is {point.precision}. Use --precision "
            f"{checkpoint.precision}."
        )
    columns, latent = checkpoint.architecture.columns, checkpoint.architecture.latent
    known, trained = checkpoint.architecture.network, network(point.model)
    pruning = Pruning.parse(point.pruning)
    if pruning and not pruning.allows(known, trained, latent):
        raise InputError(
            f"{path}: contains network {known.name}, which --model {point.model} --pruning {point.pruning} does not "
            "give. Use the --model and --pruning of its training."
        )
    if not pruning and known != trained:
        name = known.name
        raise InputError(f"{path}: contains network {name}, but --model is {point.model}. Use --model {name}.")
    if latent_columns(columns, point.compression_ratio) != latent:
        raise InputError(
            f"{path}: has {latent} latent columns for {columns} columns, which does not match --compression-ratio "
            f"{point.compression_ratio:g}. Use --compression-ratio {columns / latent!r}."
        )


def _widths(architecture: Architecture) -> dict[str, Any]:
    """Describe a network; the skip is left out if it has none, as in checkpoints from before there were skips."""
    return {name: value for name, value in asdict(architecture).items() if name != "skip" or value}


def _build(content: Mapping[str, Any]) -> Checkpoint:
    names, dtypes, precision = tuple(content["names"]), tuple(content["dtypes"]), content["precision"]
    widths, scale = content["architecture"], content["normalization_features"]
    architecture = Architecture(**widths | {"hidden": tuple(widths["hidden"])})
    sizes = (architecture.columns, architecture.latent, *architecture.hidden)
    if not all(type(size) is int and size >= 1 for size in sizes) or not math.isfinite(architecture.negative_slope):
        raise ValueError(f"a network of {widths}")
    if not all(isinstance(name, str) for name in names) or any(np.dtype(dtype).kind not in "fiub" for dtype in dtypes):
        raise ValueError(f"names {names[:3]} ..., types {dtypes[:3]} ...")
    counts = {len(names), len(dtypes), scale.shape[-1], architecture.columns}
    if len(counts) != 1 or precision not in NUMBER_TYPES:
        raise ValueError(f"column counts disagree {sorted(counts)} or unknown precision {precision!r}")
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    features = Normalisation(scale.numpy())
    parameters = content["state_dict"]
    if any(tensor.dtype != DTYPES[precision] for tensor in parameters.values()):
        raise ValueError(f"parameters are not {precision}")
    return Checkpoint(parameters, features, names, dtypes, architecture, precision)
