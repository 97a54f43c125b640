"""Finds the readers of a file by its content."""

from pathlib import Path

from baler_energy.damage import refusing_damage
from baler_energy.errors import InputError
from baler_energy.foreign import carbontracker, codecarbon, eco2ai, pyjoules, zeus
from baler_energy.foreign.rows import Window
from baler_energy.logs import read_text

__all__ = ["TOOLS", "read_file"]

#: All tools whose results can be read; figures assign markers in this order.
TOOLS = (codecarbon.TOOL, eco2ai.TOOL, pyjoules.TOOL, zeus.TOOL, carbontracker.TOOL)
#: Most windows and values of a file: tables of all of them are made in memory.
_MOST_WINDOWS, _MOST_VALUES = 100_000, 1_000_000
_KNOWN = ", ".join(tool.files for tool in TOOLS)


def read_file(path: Path) -> list[Window]:
    """Read the windows of one foreign file, recognised by its content.

    Raises
    ------
    InputError
        The file cannot be read, is empty, does not come from a supported tool, or has a damaged row. Whatever else
        damage makes a reader raise is such a message, too.
    """
    with refusing_damage(path, "result of another tool", "Export it again, or leave it out."):
        return _read(path)


def _read(path: Path) -> list[Window]:
    text = read_text(path)
    if not text.strip():
        raise InputError(f"{path}: is empty. Leave the file out, or export it again.")
    tables = [tool.table for tool in TOOLS if tool.table and tool.table.recognises(text)]
    # A table comes from one tool; a program's log may have lines from several.
    readers = tables[:1] or [tool.log for tool in TOOLS if tool.log and tool.log.recognises(text)]
    if not readers:
        raise InputError(f"{path}: is not a result of a supported tool. Supported: {_KNOWN}. Leave the file out.")
    windows, values = list[Window](), 0
    for window in (window for reader in readers for window in reader.read(text, path)):
        windows.append(window)
        values += len(window.values)
        if len(windows) > _MOST_WINDOWS or values > _MOST_VALUES:
            most = f"{_MOST_WINDOWS:,} rows or windows, or {_MOST_VALUES:,} values"
            raise InputError(f"{path}: has more than {most}. Cut out the part that is needed.")
    if not windows:
        raise InputError(f"{path}: has a header and no rows. Run the tool to its end, or leave the file out.")
    damage = next((window.damage for window in windows if window.damage), None)
    if damage:
        raise InputError(f"{path}: has {damage}, which no tool measures. Remove the row, or export the file again.")
    return windows
