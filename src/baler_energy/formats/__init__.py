"""Files of tables: one module per format, read and written a block of rows at a time, whatever their size.

- `base`: the block, the source that gives blocks and the sink that takes them
- `reading`: what the formats share in reading: the request, names, types and errors
- `origin`: what is recorded of the file that a table comes from
- `npz`: the prepared table, and Baler's npz files; `npy`: an array inside one, read and written in pieces
- `parquet`, `hdf5`, `root`: one format each; `branches`: those of ROOT files

A source describes in its `layout` all that a sink needs to write a file of the same kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from baler_energy.errors import InputError
from baler_energy.formats.base import Block, Sink, Source, Target
from baler_energy.formats.reading import Request, is_url, reading
from baler_energy.variants import FORMATS, load

__all__ = [
    "FILE_FORMATS",
    "Block",
    "Request",
    "Sink",
    "Source",
    "check_request",
    "format_of",
    "is_url",
    "open_sink",
    "open_source",
]

#: Formats that a user's file may have.
FILE_FORMATS = tuple(name for name, one in FORMATS.items() if one.by_suffix)


def format_of(source: str) -> str:
    """Tell the format of a path or URL by its suffix.

    Raises
    ------
    InputError
        The suffix is that of no format.
    """
    suffix = PurePosixPath(source.partition("?")[0] if is_url(source) else source).suffix.lower()
    suffixes = {suffix: name for name in FILE_FORMATS for suffix in FORMATS[name].suffixes}
    if suffix not in suffixes:
        raise InputError(
            f"{source}: unknown suffix {suffix!r} (supported: {', '.join(suffixes)}). Set the format with --format "
            f"{'|'.join(FILE_FORMATS)}."
        )
    return suffixes[suffix]


def check_request(source: str, request: Request, file_format: str) -> None:
    """Refuse a URL or a layout that the format does not have, or a layout that lacks its number of objects.

    Raises
    ------
    InputError
        It does.
    """
    about = FORMATS[file_format]
    if is_url(source) and not about.is_remote:
        able = " and ".join(f"{one.kind}s" for one in FORMATS.values() if one.is_remote)
        raise InputError(f"{source}: only {able} can be read over the network. Download it and use the local path.")
    if request.layout == "leading" and not about.has_events:
        able = " and ".join(f"{one.kind}s" for one in FORMATS.values() if one.has_events)
        raise InputError(f"{source}: layout 'leading' is only supported for jagged branches of {able}.")
    if request.layout == "leading" and (request.leading is None or request.leading < 1):
        raise InputError(f"{source}: layout 'leading' needs --leading with the number of objects, at least 1.")
    if request.layout == "objects" and request.leading is not None:
        raise InputError(f"{source}: --leading {request.leading} requires --layout leading.")


@contextmanager
def open_source(path: Path | str, request: Request | None = None, file_format: str | None = None) -> Iterator[Source]:
    """Open a file to read it in blocks.

    Parameters
    ----------
    path
        A file, or where the format allows it a URL (root://, http://, https://).
    request
        Which columns, and how the file lays them out; None takes all.
    file_format
        A key of `variants.FORMATS`; None goes by the suffix. An npz file that is a prepared table is read as such
        either way.

    Raises
    ------
    InputError
        The file is missing, truncated or of another format, or lacks what was asked for. Damage that shows only in
        the values comes from `Source.blocks`.
    UnavailableError
        The URL's protocol needs a package that is not installed.
    """
    source, request = str(path), request or Request()
    file_format = file_format or format_of(source)
    check_request(source, request, file_format)
    about = FORMATS[file_format]
    with ExitStack() as stack:
        with reading(source, about.kind):
            opened = load(about.module).source(source, request, file_format, stack)
        yield Source(opened, source, request, file_format)


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
    about = FORMATS.get(layout.get("format", ""))
    if about is None:
        raise InputError(
            f"{path}: cannot be written: unknown format {layout.get('format')!r} (supported: {', '.join(FORMATS)})."
        )
    target = Target(tuple(names), tuple(dtypes), layout, origin)
    try:
        with ExitStack() as stack:
            try:
                write = load(about.module).sink(path, target, stack)
            except (KeyError, TypeError, ValueError) as error:
                whole = f"its layout {dict(layout)} is incomplete ({error})"
                raise InputError(f"{path}: cannot be written: {whole}.") from error
            yield Sink(path, target, write)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
