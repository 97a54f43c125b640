"""Files of tables read and written a block of rows at a time, with the same memory whatever their size.

- `base`: the block, the source that gives blocks and the sink that takes them
- `npy`: an array inside a zip, read and written in pieces
- `npz`: the prepared table, and Baler's npz files
- `parquet`, `hdf5`, `root`: one format each

A source describes in its `layout` all that a sink needs to write a file of the same kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from baler_energy.data.blocks.base import Block, Sink, Source, Target
from baler_energy.data.readers import Request, check_layout, format_of
from baler_energy.data.readers.base import reading
from baler_energy.errors import InputError
from baler_energy.variants import BLOCKS, load

__all__ = ["FORMATS", "Block", "Sink", "Source", "open_sink", "open_source"]

#: What the files of each format are called in messages.
FORMATS = {
    "table": "prepared table",
    "npz": "npz file",
    "parquet": "Parquet file",
    "hdf5": "HDF5 file",
    "root": "ROOT file",
}


@contextmanager
def open_source(path: Path, request: Request | None = None, file_format: str | None = None) -> Iterator[Source]:
    """Open a file to read it in blocks.

    Parameters
    ----------
    path
        A prepared table, or a file of one of `readers.FORMATS`.
    request
        Which columns, and how the file lays them out; None takes all.
    file_format
        A key of `FORMATS`; None goes by the suffix. An npz file that is a prepared table is read as such either way.

    Raises
    ------
    InputError
        The file is missing, truncated or of another format, or lacks what was asked for. Damage that shows only in
        the values comes from `Source.blocks`.
    """
    source, request = str(path), request or Request()
    file_format = file_format or format_of(source)
    check_layout(source, request, "npz" if file_format == "table" else file_format)
    kind = FORMATS[file_format]
    with ExitStack() as stack:
        with reading(source, kind):
            opened = load(BLOCKS[file_format]).source(source, request, file_format, stack)
        yield Source(opened, source, kind)


@contextmanager
def open_sink(
    path: Path, names: Sequence[str], dtypes: Sequence[str], layout: Mapping[str, Any], origin: Mapping[str, Any]
) -> Iterator[Sink]:
    """Open a file to write it in blocks; it is removed again where that fails.

    It is written as it is: the caller makes it durable and gives it its name (`files.atomic_path`).

    Parameters
    ----------
    path
        The file, in a folder that is there.
    names, dtypes
        Of the columns; values must be ones that their types hold.
    layout
        `Source.layout` of the kind of file to write; ``{"format": "table"}`` is enough for a prepared table.
    origin
        As of `Table.origin`; only a prepared table has a place for it.

    Raises
    ------
    InputError
        The layout is none of this program's. From `Sink.write`: a value that its column's type does not hold.
    """
    module = BLOCKS.get(layout.get("format", ""))
    if module is None:
        raise InputError(
            f"{path}: cannot be written: the format {layout.get('format')!r} is none of {', '.join(FORMATS)}."
        )
    target = Target(tuple(names), tuple(dtypes), layout, origin)
    try:
        with ExitStack() as stack:
            try:
                write = load(module).sink(path, target, stack)
            except (KeyError, TypeError, ValueError) as error:
                whole = f"its layout {dict(layout)} is not whole ({error})"
                raise InputError(f"{path}: cannot be written: {whole}.") from error
            yield Sink(path, target, write)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
