"""Finds the readers of a file by its content."""

from pathlib import Path

from baler_energy.errors import InputError
from baler_energy.foreign import carbontracker, codecarbon, eco2ai, pyjoules, zeus
from baler_energy.foreign.rows import Window

__all__ = ["TOOLS", "read_file"]

#: All tools whose results can be read; figures assign markers in this order.
TOOLS = (codecarbon.TOOL, eco2ai.TOOL, pyjoules.TOOL, zeus.TOOL, carbontracker.TOOL)
_KNOWN = ", ".join(tool.files for tool in TOOLS)


def read_file(path: Path) -> list[Window]:
    """Read the windows of one foreign file, recognised by its content.

    Raises
    ------
    InputError
        The file cannot be read, is empty, does not come from a supported tool, or has a damaged row.
    """
    text = _text(path)
    tables = [tool.table for tool in TOOLS if tool.table and tool.table.recognises(text)]
    # A table comes from one tool; a program's log may have lines from several.
    readers = tables[:1] or [tool.log for tool in TOOLS if tool.log and tool.log.recognises(text)]
    if not readers:
        raise InputError(f"{path}: is not a result of a supported tool. Supported: {_KNOWN}. Leave the file out.")
    return [window for reader in readers for window in reader.read(text, path)]


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    if not raw.strip():
        raise InputError(f"{path}: is empty. Leave the file out, or export it again.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{path}: is not a text file. Supported: {_KNOWN}.")
    return text.replace("\r\n", "\n")
