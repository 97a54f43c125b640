"""What is recorded of the file that a table comes from."""

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
) -> dict[str, Any]:
    """Give `Table.origin` of rows of a user's file.

    Parameters
    ----------
    source, request
        Path or URL, and what was taken of it.
    unused, warnings
        As those of `Source`.
    rows, available
        Rows taken, and rows that there are; None where they have to be counted by reading, and then all are taken.
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
        **_source_bytes(source, unused, rows, available),
        "warnings": list(warnings),
    }


def _source_bytes(source: str, unused: str | None, rows: int | None, available: int | None) -> dict[str, Any]:
    """Give the size of the rows taken in the source file, in proportion, or null with the reason."""
    reason = None
    if is_url(source):
        reason = "the source is remote, so its size is unknown"
    elif unused is not None:
        reason = f"the file also contains {unused}"
    if reason is not None:
        return {"source_bytes": None, "source_bytes_reason": reason}
    size = Path(source).stat().st_size
    return {"source_bytes": round(size * rows / available) if rows and available else size, "source_bytes_reason": None}
