"""Compress and decompress a table without measuring, for errors only."""

from pathlib import Path
from typing import NamedTuple

from baler_energy.codecs.container import Reader
from baler_energy.codecs.engines import operation_of
from baler_energy.data.table import Table
from baler_energy.files import naming_target
from baler_energy.stages.file_names import COMPRESSED, RECONSTRUCTED
from baler_energy.stages.options import PointOptions, configure_torch
from baler_energy.temporaries import temporary_folder

__all__ = ["RoundTrip", "round_trip"]


class RoundTrip(NamedTuple):
    """A table before and after, and the size of its compressed file (B)."""

    original: Table
    reconstructed: Table
    compressed_bytes: int


def round_trip(data: Path, checkpoint: Path | None, point: PointOptions, scratch: Path) -> RoundTrip:
    """Compress the prepared table in `data` with a codec and decompress it, in a temporary folder within `scratch`.

    Parameters
    ----------
    data, checkpoint, point
        See `stages.compress.compress`.
    scratch
        A folder for temporary files, which are removed.

    Raises
    ------
    InputError
        Table, checkpoint and options do not match, or a value cannot be stored.
    UnavailableError
        The device or the engine is missing.
    """
    device = configure_torch(point)
    scratch.mkdir(parents=True, exist_ok=True)
    with temporary_folder(scratch / "round-trip") as folder, naming_target(data, folder / COMPRESSED):
        packed, back = folder / COMPRESSED, folder / RECONSTRUCTED
        asked = point.asked(data, packed, device, checkpoint=checkpoint)
        with operation_of(point, "compress").compressing(asked) as work, work.running():
            work.finish(work.operation())
        asked = point.asked(packed, back, device, checkpoint=checkpoint, content=Reader(packed))
        with operation_of(point, "decompress").decompressing(asked) as work, work.running():
            work.finish(work.operation())
        return RoundTrip(Table.read(data), Table.read(back), packed.stat().st_size)
