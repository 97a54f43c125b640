"""Files of tensors, as PyTorch saves them: never unpickled, and refused if they are damaged.

PyTorch itself does not compare the checksums of such a file, which is a zip.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from baler_energy.damage import check_members, refusing_damage
from baler_energy.files import atomic_path

__all__ = ["read_tensors", "write_tensors"]

#: Most values of a file, apart from those in tensors.
_MOST_VALUES = 10_000_000


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
            content = torch.load(handle, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            # torch's own message recommends unpickling the file.
            raise ValueError(
                "it contains Python objects other than tensors, which could run code and are not loaded"
            ) from error
        if _count(content, {}) > _MOST_VALUES:
            raise ValueError(f"it has more than {_MOST_VALUES:,} values, as its lists contain each other")
        return content


def _count(item: Any, known: dict[int, float]) -> float:
    """Count the values in an item, with every list in it written out; infinite if one contains itself."""
    if id(item) not in known:
        known[id(item)] = math.inf  # until it is known
        pairs = chain.from_iterable(item.items()) if isinstance(item, Mapping) else ()
        parts = item if isinstance(item, list | tuple | set) else pairs
        known[id(item)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(item)]


def write_tensors(path: Path, content: Any) -> None:
    """Write with ``torch.save``, whole or not at all; the same content gives the same bytes."""
    # In memory first: torch would store a (temporary) name in the file, and turns a full disk into an error of its own.
    whole = io.BytesIO()
    torch.save(content, whole)
    with atomic_path(path) as temporary:
        temporary.write_bytes(whole.getbuffer())
