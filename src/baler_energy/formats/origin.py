"""The record of where a table comes from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baler_energy.formats.reading import Request, is_url

__all__ = ["file_origin"]


def file_origin(
    source: str,
    request: Request,
    *,
    unused: str | None,
    warnings: Sequence[str],
    rows: int | None,
    available: int | None,
    stored_bytes: int | str | None,
) -> dict[str, Any]:
    """Return `Table.origin` for rows of a user's file.

    Parameters
    ----------
    source, request
        Path or URL, and what was read from it.
    unused, warnings
        See `Source`.
    rows, available
        Rows taken, and rows in the file. None if only reading can count them; then all are taken.
    stored_bytes
        Bytes on disk of all rows of what was read, or why they are unknown; None: they are those of the whole file.
    """
    name = source if is_url(source) else Path(source).name
    return {
        "source": "file",
        "label": name,
        "file": name,
        "tree": request.tree,
        "layout": request.layout,
        "leading": request.leading,
        "rows_in_source": available,
        **_source_bytes(source, unused, rows, available, stored_bytes),
        "warnings": list(warnings),
    }


def _source_bytes(
    source: str, unused: str | None, rows: int | None, available: int | None, stored_bytes: int | str | None
) -> dict[str, Any]:
    """Return the taken rows' share of the bytes on disk, of the file or of what was read of it, or null and why."""
    if isinstance(stored_bytes, str):
        also = "the source is remote" if unused is None else f"the file also contains {unused}"
        return {"source_bytes": None, "source_bytes_reason": f"{also}, and {stored_bytes}"}
    size = Path(source).stat().st_size if stored_bytes is None else stored_bytes
    return {"source_bytes": round(size * rows / available) if rows and available else size, "source_bytes_reason": None}
