"""What HDF5 would read as zeros, cannot unpack, or would never end reading."""

import math
import mmap
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from h5py import h5d, h5z

from baler_energy.damage import check_rows
from baler_energy.errors import UnavailableError

__all__ = ["absence", "check_heaps", "check_values"]

# Beginning of a global heap, which holds texts of any length: signature, version, three zeros. Its size and then its
# objects follow (HDF5 File Format Specification 3.0, III.E).
_HEAP = b"GCOL\x01\0\0\0"
_HEAP_SIZE, _OBJECT = struct.Struct("<Q"), struct.Struct("<H6xQ")


def absence(file: Any, dataset: Any) -> str | None:
    """Say why values of a dataset are not in an open file, as words that follow "is"; None: all are.

    HDF5 would give the fill value, usually 0, for values that are missing.
    """
    if dataset.is_virtual:
        return "a virtual dataset with values in other files"
    if dataset.external:
        return "in external storage, which is another file"
    if dataset.file.filename != file.filename:
        return "a link to another file"
    # An empty dataset has no space.
    if dataset.size and dataset.id.get_space_status() != h5d.SPACE_STATUS_ALLOCATED:
        return "not written, at least in part"
    return None


def check_values(source: str, datasets: Iterable[Any]) -> None:
    """Refuse datasets that cannot be unpacked.

    Parameters
    ----------
    source, datasets
        Path of the file, and the datasets.

    Raises
    ------
    InputError
        Values take far more memory than the file has.
    UnavailableError
        A filter is not installed.
    """
    for dataset in datasets:
        _check_filters(source, dataset)
        for values in (dataset.size, math.prod(dataset.chunks or ())):
            check_rows(source, values, dataset.dtype.itemsize)


def _check_filters(source: str, dataset: Any) -> None:
    """Refuse a dataset that needs a filter which is not installed."""
    created = dataset.id.get_create_plist()
    for place in range(created.get_nfilters()):
        number, _, _, name = created.get_filter(place)
        if not h5z.filter_avail(number):
            raise UnavailableError(
                f"{source}: {dataset.name} is packed by the HDF5 filter {number} ({name.decode(errors='replace')}), "
                "which is not installed. Most filters are in the package hdf5plugin: `pip install hdf5plugin`, and set "
                "HDF5_PLUGIN_PATH to what `python -c 'import hdf5plugin; print(hdf5plugin.PLUGIN_PATH)'` prints."
            )


def check_heaps(path: Path) -> None:
    """Refuse a file with a heap on which the HDF5 library (1.14) never ends, because an object in it has no size.

    A single byte or a gap of zeros is enough, as an interrupted copy may leave. Texts of any length, such as the names
    of columns, are in heaps.

    Raises
    ------
    ValueError
        There is such a heap.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = content.find(_HEAP)
        while 0 <= place <= len(content) - len(_HEAP) - _HEAP_SIZE.size:
            start = place + len(_HEAP)
            stop = min(len(content), place + _HEAP_SIZE.unpack_from(content, start)[0])
            place = start + _HEAP_SIZE.size
            while place + _OBJECT.size <= stop:
                number, size_b = _OBJECT.unpack_from(content, place)
                # The object of number 0 is the free space, whose size includes this header.
                size_b = _OBJECT.size + -(-size_b // 8) * 8 if number else size_b
                if size_b < _OBJECT.size:
                    raise ValueError(f"an object of {size_b} B in a heap")
                place += size_b
            place = content.find(_HEAP, place)
