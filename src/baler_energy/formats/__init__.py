"""Files of tables: one module per format. Each reads and writes blocks of rows, so files may be of any size.

- `base`: a block of rows, the source that yields blocks and the sink that writes them
- `reading`: what all readers share: the request, names and types
- `origin`: the record of where a table comes from
- `npz`: prepared tables and Baler's npz files; `npy`: an array inside an npz file, read and written in pieces
- `parquet`, `hdf5`, `root`: one format each; `branches`: branches of ROOT files; `hdf5_checks`: what HDF5 would not
  notice

The `layout` of a source holds all that a sink needs to write a file of the same kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from baler_energy.damage import is_url, refusing_damage
from baler_energy.errors import InputError
from baler_energy.formats.base import Block, Sink, Source, Target, writing
from baler_energy.formats.reading import Request
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
    """Return the format of a path or URL, by its suffix.

    Raises
    ------
    InputError
        No format has this suffix.
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
    """Check that the format supports URLs, the tree and the layout, and that `leading` fits the layout.

    Raises
    ------
    InputError
        A check fails.
    """
    about = FORMATS[file_format]
    if is_url(source) and not about.is_remote:
        able = " and ".join(f"{one.kind}s" for one in FORMATS.values() if one.is_remote)
        raise InputError(f"{source}: only {able} can be read over the network. Download it and use the local path.")
    if request.tree is not None and not about.has_trees:
        able = " and ".join(f"{one.kind}s" for one in FORMATS.values() if one.has_trees)
        raise InputError(f"{source}: --tree {request.tree!r} is only supported for {able}. Leave it out.")
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
        A file; for formats that support it, also a URL (root://, http://, https://).
    request
        Which columns to read, and how to form rows; None reads all numeric columns.
    file_format
        A key of `variants.FORMATS`; None: by the suffix. A prepared table in an npz file is recognised either way.

    Raises
    ------
    InputError
        The file is missing, truncated, of another format, or lacks what was requested. `Source.blocks` raises it for
        damage in the values.
    UnavailableError
        What the file needs is not installed: a package for the URL's protocol, an HDF5 filter.
    """
    source, request = str(path), request or Request()
    file_format = file_format or format_of(source)
    check_request(source, request, file_format)
    about = FORMATS[file_format]
    with ExitStack() as stack:
        with refusing_damage(source, about.kind):
            opened = load(about.module).source(source, request, file_format, stack)
        yield Source(opened, source, request, file_format)


@contextmanager
def open_sink(
    path: Path, names: Sequence[str], dtypes: Sequence[str], layout: Mapping[str, Any], origin: Mapping[str, Any]
) -> Iterator[Sink]:
    """Open a file to write it in blocks; if writing fails, the file is removed.

    The file is neither synced nor renamed: the caller does that (`files.atomic_path`).

    Parameters
    ----------
    path
        The file, in an existing folder.
    names, dtypes
        Of the columns; every value must fit its column's type.
    layout
        `Source.layout` of the kind of file to write; ``{"format": "table"}`` is enough for a prepared table.
    origin
        See `Table.origin`; only a prepared table stores it.

    Raises
    ------
    InputError
        The layout is unknown or incomplete. From `Sink.write`: a value does not fit its column's type.
    """
    about = FORMATS.get(layout.get("format", ""))
    if about is None:
        raise InputError(
            f"{path}: cannot be written: unknown format {layout.get('format')!r} (supported: {', '.join(FORMATS)})."
        )
    target = Target(tuple(names), tuple(dtypes), layout, origin)
    stack = ExitStack()
    try:
        with writing(path):
            write = load(about.module).sink(path, target, stack)
        yield Sink(path, target, write)
        with writing(path):
            stack.close()
    except BaseException:
        # An unfinished file may not close, but the first error counts.
        with suppress(Exception):
            stack.close()
        path.unlink(missing_ok=True)
        raise
