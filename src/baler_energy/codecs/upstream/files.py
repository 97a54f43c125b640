"""Reads and writes the files of upstream Baler.

- ``model.pt``: a state dict ``en1.weight``, ``en1.bias``, ... of float64. Baler takes the number of columns from the
  length of its last entry; if a name is not the expected one, it silently starts that layer at random.
- ``normalization_features.npy`` (2, columns) float64: minimum and range.
- ``compressed.npz``: ``data`` (rows, latent) float64, ``names`` (columns,), ``normalization_features``.
- input and ``decompressed.npz``: ``data`` (rows, columns) float64, ``names``.

None of them contains the columns' number types.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from baler_energy.codecs.baler.architecture import Architecture, Network
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.model import Autoencoder, check_parameters
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.tensors import read_tensors, write_tensors
from baler_energy.codecs.upstream.networks import MODELS, class_of
from baler_energy.damage import refusing_damage
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import atomic_path, check_distinct, read_npy, read_npz, write_npz
from baler_energy.formats import open_source

__all__ = [
    "column_names",
    "is_padded",
    "model_name",
    "read_checkpoint",
    "read_features",
    "read_latents",
    "read_model",
    "read_table",
    "unscaled",
    "write_features",
    "write_latents",
    "write_model",
    "write_table",
]

# Rows read at once.
_ROWS = 1 << 16


def model_name(architecture: Architecture) -> str:
    """Give the name of Baler's class for a network, which may be narrower than Baler's: `write_model` pads it.

    Raises
    ------
    InputError
        Baler does not have the network.
    """
    if name := class_of(architecture.network):
        return name
    widths, slope = "-".join(map(str, architecture.hidden)), architecture.negative_slope
    unknown = f"has no network with hidden layers {widths} (slope {slope:g})"
    wrong = "cannot read a network with a skip" if architecture.skip else unknown
    raise InputError(
        f"Baler {wrong}: train with --model baler (200-100-50), --model baler-small (20-10), or as many hidden "
        "layers that are no wider."
    )


def is_padded(architecture: Architecture) -> bool:
    """Whether `write_model` adds neurons to the network."""
    return architecture.hidden != MODELS[model_name(architecture)].hidden


def read_model(path: Path) -> tuple[Architecture, dict[str, Tensor]]:
    """Read ``model.pt``; objects are never unpickled, and the names in the file determine the network.

    Returns
    -------
    Architecture
        Widths and slope.
    dict
        The parameters (float64) by name, in the order of the layers.

    Raises
    ------
    InputError
        The file is missing, damaged or holds objects; a name is missing or unknown; a shape is wrong; or a value is not
        finite.
    """
    content = read_tensors(path, "Baler model", "Save the model's state dict, as Baler does.")
    if not isinstance(content, Mapping) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise InputError(f"{path}: is not a state dict (names and tensors) as written by Baler's `--mode train`.")
    known = min(MODELS.values(), key=lambda known: len(_names(known) ^ set(content)))
    last = len(known.hidden) + 1
    # `check_parameters` reports names that are missing or unknown.
    whole = _names(known) <= set(content)
    columns, latent = (content[f"{half}{last}.bias"].numel() if whole else 1 for half in ("de", "en"))
    try:
        architecture = known.sized(columns, latent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    check_parameters(architecture, content, str(path))
    model = Autoencoder(architecture)
    model.load_parameters(content, str(path))
    return architecture, {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def write_model(path: Path, checkpoint: Checkpoint) -> None:
    """Write ``model.pt``, atomically: plain tensors of float64, in the order of the layers.

    Baler's widths are fixed. A narrower network, such as a pruned one, gets neurons without weights until it has them;
    they change no output.

    Raises
    ------
    InputError
        Baler does not have the network.
    """
    wide = replace(checkpoint.architecture, hidden=MODELS[model_name(checkpoint.architecture)].hidden)
    content = OrderedDict()
    for layer, (inputs, outputs) in (wide.encoder | wide.decoder).items():
        for name, shape in ((f"{layer}.weight", (outputs, inputs)), (f"{layer}.bias", (outputs,))):
            own = checkpoint.parameters[name].double()
            content[name] = own.new_zeros(shape)
            content[name][tuple(slice(size) for size in own.shape)] = own
    write_tensors(path, content)


def read_features(path: Path) -> Normalisation:
    """Read ``normalization_features.npy``.

    Raises
    ------
    InputError
        The file is missing, damaged, holds Python objects, or does not contain minima and ranges.
    """
    return _normalisation(read_npy(path), path)


def write_features(path: Path, normalisation: Normalisation) -> None:
    """Write ``normalization_features.npy``, atomically."""
    with atomic_path(path) as temporary:
        np.save(temporary, normalisation.features, allow_pickle=False)


def column_names(names: NDArray[Any], path: Path) -> tuple[str, ...]:
    """Read column names from an array ``names`` of text, or of bytes, as in older files; `InputError` names `path`."""
    with refusing_damage(path, "file of Baler"):
        return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in np.atleast_1d(names).tolist())


def unscaled(columns: int) -> Normalisation:
    """Give the normalisation that changes no bit, for a project with ``apply_normalization = False``."""
    return Normalisation(np.stack([np.zeros(columns), np.ones(columns)]))


def read_checkpoint(
    path: Path, normalisation: Normalisation, names: Sequence[str], dtypes: Sequence[str]
) -> Checkpoint:
    """Make a checkpoint from ``model.pt`` and the contents of other files.

    Parameters
    ----------
    path
        ``model.pt``.
    normalisation
        Normalisation of the same training, from `read_features` or `unscaled`.
    names, dtypes
        Names and types (as NumPy names them) of the columns.

    Raises
    ------
    InputError
        The file is invalid (see `read_model`), the number of features, names or types differs from its columns, or two
        columns have the same name.
    """
    check_distinct(path, names)
    architecture, parameters = read_model(path)
    counts = {"features": normalisation.features.shape[1], "names": len(names), "types": len(dtypes)}
    for what, count in counts.items():
        if count != architecture.columns:
            raise InputError(f"{path}: is a network for {architecture.columns} columns, but there are {count} {what}.")
    return Checkpoint(parameters, normalisation, tuple(names), tuple(dtypes), architecture, "float64")


def read_latents(path: Path, checkpoint: Checkpoint) -> NDArray[np.float64]:
    """Read the latents (rows, latent) of ``compressed.npz``, which `checkpoint` decodes.

    Parameters
    ----------
    path
        The file.
    checkpoint
        The codec of the same training.

    Raises
    ------
    InputError
        The file is missing, damaged or holds Python objects; it belongs to another training; or a latent is not finite.
    """
    arrays = read_npz(path, ("data", "names", "normalization_features"))
    latents, features = arrays["data"], arrays["normalization_features"]
    width = checkpoint.architecture.latent
    if latents.ndim != 2 or latents.shape[1] != width or latents.dtype.kind != "f":
        raise InputError(
            f"{path}: 'data' is {latents.dtype} {latents.shape}, but must be numbers of shape (rows, {width})."
        )
    # Without normalisation Baler stores an empty array.
    scaling = _normalisation(features, path) if features.size else unscaled(len(checkpoint.names))
    if not np.array_equal(scaling.features, checkpoint.normalisation.features):
        raise InputError(
            f"{path}: 'normalization_features' differ from those of the training: the model was trained again since. "
            "Compress again with Baler."
        )
    names = column_names(arrays["names"], path)
    if names != checkpoint.names:
        raise InputError(f"{path}: 'names' {names} differ from the checkpoint's {checkpoint.names}.")
    bad = np.argwhere(~np.isfinite(latents))
    if len(bad):
        raise InputError(
            f"{path}: 'data' contains NaN or infinity (row {bad[0][0]}, latent {bad[0][1]}, counting from 0). Baler "
            "divides by 0 in columns with a single value: remove these and train again."
        )
    return np.ascontiguousarray(latents, dtype=np.float64)


def write_latents(path: Path, latents: NDArray[np.floating], checkpoint: Checkpoint) -> None:
    """Write ``compressed.npz``, atomically; in float64, as Baler fails on other types."""
    arrays = {
        "data": latents.astype(np.float64),
        "names": np.array(checkpoint.names, dtype=np.str_),
        "normalization_features": checkpoint.normalisation.features,
    }
    write_npz(path, arrays)


def read_table(path: Path, dtypes: Sequence[str] | None = None, origin: Mapping[str, Any] | None = None) -> Table:
    """Read Baler's input or ``decompressed.npz``.

    Parameters
    ----------
    path
        The file.
    dtypes
        NumPy's names of the columns' types. Without them, a column of whole numbers counts as integer, as for every
        file with one type for all columns (`integral_dtypes`).
    origin
        Origin of the table; by default, a file with the name of this one.

    Raises
    ------
    InputError
        The file is missing, damaged, holds Python objects, or does not have as many columns as types.
    """
    with open_source(path, file_format="npz") as source:
        names, own = source.names, source.dtypes
        data = np.concatenate([np.empty((0, len(names))), *(block.data for block in source.blocks(_ROWS))])
    if dtypes is not None and len(dtypes) != len(names):
        raise InputError(f"{path}: has {len(names)} columns, but {len(dtypes)} types were given.")
    known = {"source": "file", "label": path.stem} if origin is None else dict(origin)
    return Table(data, names, tuple(dtypes or own), known)


def write_table(path: Path, table: Table) -> None:
    """Write a table in Baler's format, atomically; types and origin are lost."""
    write_npz(path, {"data": table.data, "names": np.array(table.names, dtype=np.str_)})


def _names(known: Network) -> set[str]:
    layers = range(1, len(known.hidden) + 2)
    return {f"{half}{layer}.{kind}" for half in ("en", "de") for layer in layers for kind in ("weight", "bias")}


def _normalisation(features: Any, path: Path) -> Normalisation:
    try:
        return Normalisation(features)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
