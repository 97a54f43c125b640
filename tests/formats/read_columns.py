"""A file's columns, read at once, and the message if it is refused; shared by the tests of formats."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from baler_energy.errors import InputError, UnavailableError
from baler_energy.formats import Request, open_source


@dataclass(frozen=True)
class Columns:
    names: tuple[str, ...]
    arrays: tuple[np.ndarray, ...]
    dtypes: tuple[str, ...]
    unused: str | None
    warnings: tuple[str, ...]
    entries: np.ndarray | None

    @property
    def rows(self) -> int:
        return len(self.arrays[0])


def read(path: Path | str, **request: object) -> Columns:
    with open_source(path, Request(**request)) as source:  # type: ignore[arg-type]
        blocks = list(source.blocks(10_000))
        data = np.concatenate([np.empty((0, len(source.names))), *(block.data for block in blocks)])
        assert source.rows in (None, len(data))
        entries = [block.entries for block in blocks if block.entries is not None]
        return Columns(
            source.names,
            tuple(data.T),
            source.dtypes,
            source.unused,
            source.warnings,
            np.concatenate(entries) if entries else None,
        )


def column(columns: Columns, name: str) -> np.ndarray:
    return columns.arrays[columns.names.index(name)]


def fails(path: Path | str, **request: object) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **request)
    assert str(path) in str(caught.value)
    return str(caught.value)


def refused(path: Path, **request: object) -> str:
    with pytest.raises(UnavailableError) as caught:
        read(path, **request)
    assert str(path) in str(caught.value)
    return str(caught.value)
