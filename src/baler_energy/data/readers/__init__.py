"""Columns out of files: one module per format, found by the file's suffix or by name.

- `base`: what the readers share: the request, the answer, and their errors
- `root`, `parquet`, `hdf5`, `npz`: one format each
"""

from pathlib import PurePosixPath

from baler_energy.data.readers.base import Columns, Request, check_layout, is_url
from baler_energy.errors import InputError
from baler_energy.variants import READERS, load

__all__ = ["FORMATS", "Columns", "Request", "check_layout", "format_of", "is_url", "read_columns"]

#: Suffixes of each format.
FORMATS: dict[str, tuple[str, ...]] = {
    "root": (".root",),
    "parquet": (".parquet", ".parq", ".pq"),
    "hdf5": (".h5", ".hdf5", ".hdf"),
    "npz": (".npz",),
}


def format_of(source: str) -> str:
    """Tell the format of a path or URL by its suffix.

    Raises
    ------
    InputError
        The suffix is none of `FORMATS`.
    """
    suffix = PurePosixPath(source.partition("?")[0] if is_url(source) else source).suffix.lower()
    for name, suffixes in FORMATS.items():
        if suffix in suffixes:
            return name
    known = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    raise InputError(
        f"{source}: the suffix {suffix!r} is none of {known}. Say the format with --format {'|'.join(FORMATS)}."
    )


def read_columns(source: str, request: Request, file_format: str) -> Columns:
    """Read columns of numbers.

    Parameters
    ----------
    source
        Local path, or for ``root`` also a URL (root://, http://, https://).
    request
        Which columns, and how the file lays them out.
    file_format
        One of `FORMATS`.

    Raises
    ------
    InputError
        The file is missing, truncated or of another format, or lacks what was asked for.
    UnavailableError
        The URL's protocol needs a package that is not installed.
    """
    if is_url(source) and file_format != "root":
        raise InputError(f"{source}: only ROOT files are read over the network. Download it and give the local path.")
    check_layout(source, request, file_format)
    columns: Columns = load(READERS[file_format]).read(source, request)
    return columns
