"""ROOT files, through uproot: columns as branches of a TTree, or as fields of an RNTuple."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from baler_energy.codecs.coders.base import level_of
from baler_energy.codecs.coders.tables import TableCoder

__all__ = ["WORD", "RootFile"]

#: ROOT's coders and their default levels (ROOT::RCompressionSetting: 505, 101, 207 and 404).
_LEVELS = {"zstd": 5, "zlib": 1, "lzma": 7, "lz4": 4}
_WRITTEN = re.compile(rf"(?P<inner>{'|'.join(_LEVELS)})(?:-(?P<level>[1-9]))?")
_TABLE = "table"


@dataclass(frozen=True)
class RootFile(TableCoder):
    """A ROOT file with one table and one basket or page list per column.

    uproot does not shuffle bytes before it packs them, whereas ROOT does in its RNTuples.

    Parameters
    ----------
    table
        ``root`` for a TTree, ``rntuple`` for an RNTuple.
    inner
        ROOT's coder.
    level
        Its level, from 1 to 9.
    """

    table: str
    inner: str
    level: int

    package = "uproot"
    suffix = "root"
    usage = (
        f"root-zstd-5 or rntuple-zstd-5 (a ROOT file with a TTree or an RNTuple; coder: {', '.join(_LEVELS)}; level)"
    )

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``root``, ``root-zstd`` or ``root-zstd-5``, and the same with ``rntuple``."""
        written = _WRITTEN.fullmatch("zstd" if parameter is None else parameter)
        if written is None:
            raise ValueError(f"coder {parameter}")
        inner = written["inner"]
        return cls(name, inner, level_of(written["level"], 1, 9, _LEVELS[inner]))

    def pack(self, columns: Mapping[str, NDArray[Any]]) -> bytes:
        """Write columns to a file."""
        import uproot

        content = _File()
        with uproot.recreate(content, compression=getattr(uproot, self.inner.upper())(self.level)) as file:
            if self.table == "rntuple":
                file.mkrntuple(_TABLE, dict(columns))
            else:
                file.mktree(_TABLE, {name: values.dtype for name, values in columns.items()}).extend(dict(columns))
        return content.getvalue()

    def unpack(self, packed: bytes, names: Sequence[str]) -> list[NDArray[Any]]:
        """Read columns of a file."""
        import uproot

        with uproot.open(io.BytesIO(packed)) as file:
            found = file[_TABLE].arrays(list(names), library="np")
            return [found[name] for name in names]


class _File(io.BytesIO):
    """A file in memory that keeps its content when uproot closes it."""

    def close(self) -> None:
        """Stay open."""


WORD = RootFile
