"""Files of tensors, as PyTorch saves them: never unpickled, and refused if they are damaged.

PyTorch itself does not compare the checksums of such a file, which is a zip.
"""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from baler_energy.damage import check_members, refusing_damage
from baler_energy.files import atomic_path

__all__ = ["read_tensors", "write_tensors"]


def read_tensors(path: Path, kind: str, advice: str = "") -> Any:
    """Read what ``torch.save`` wrote: tensors, numbers and text in dictionaries and lists, on the CPU.

    Parameters
    ----------
    path, kind, advice
        As for `damage.refusing_damage`.

    Raises
    ------
    InputError
        The file is missing or damaged, unpacks to more than its size, or contains other Python objects.
    """
    with refusing_damage(path, kind, advice), path.open("rb") as handle:
        with zipfile.ZipFile(handle) as archive:
            check_members(archive, stored=True)
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"the checksum of {damaged!r} does not match")
        handle.seek(0)
        try:
            return torch.load(handle, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            # torch's own message recommends unpickling the file.
            raise ValueError(
                "it contains Python objects other than tensors, which could run code and are not loaded"
            ) from error


def write_tensors(path: Path, content: Any) -> None:
    """Write with ``torch.save``, whole or not at all; the same content gives the same bytes."""
    # In memory first: torch would store a (temporary) name in the file, and turns a full disk into an error of its own.
    whole = io.BytesIO()
    torch.save(content, whole)
    with atomic_path(path) as temporary:
        temporary.write_bytes(whole.getbuffer())
