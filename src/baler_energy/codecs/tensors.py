"""Files of tensors, as PyTorch saves them: never unpickled, and refused if they are damaged.

PyTorch itself does not compare the checksums of such a file, which is a zip.
"""

import io
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from pickletools import genops, markobject
from typing import Any

import torch

from baler_energy.damage import check_members, refusing_damage
from baler_energy.files import atomic_path

__all__ = ["read_tensors", "write_tensors"]

#: Most values of a file, apart from those in tensors, and most levels of lists, tuples and dictionaries in each other.
_MOST_VALUES, _DEEPEST = 10_000_000, 100
#: Opcodes of a pickle that put the topmost values of its stack into the one below them.
_FILLING = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD")


def read_tensors(path: Path, kind: str, advice: str = "") -> Any:
    """Read what ``torch.save`` wrote: tensors, numbers and text in dictionaries and lists, on the CPU.

    Parameters
    ----------
    path, kind, advice
        As for `damage.refusing_damage`.

    Raises
    ------
    InputError
        The file is missing or damaged, unpacks to more than its size, or contains other Python objects.
    """
    with refusing_damage(path, kind, advice), path.open("rb") as handle:
        with zipfile.ZipFile(handle) as archive:
            check_members(archive, stored=True)
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"the checksum of {damaged!r} does not match")
            for info in archive.infolist():
                if info.filename.lower().endswith("data.pkl"):  # PyTorch finds it in upper case, too
                    _check_nesting(archive.read(info))
        handle.seek(0)
        try:
            return torch.load(handle, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            # torch's own message recommends unpickling the file.
            raise ValueError(
                "it contains Python objects other than tensors, which could run code and are not loaded"
            ) from error


class _Value:
    """A value of a pickle: how many values it is with all of them written out, how deep, and whether one holds it."""

    def __init__(self) -> None:
        self.count, self.depth, self.is_held = 1, 0, False

    def hold(self, parts: Sequence["_Value"]) -> None:
        """Put values into this one, which no other one may hold yet."""
        if parts and (self.is_held or self in parts):
            raise ValueError("a list or dictionary in it contains itself")
        for part in parts:
            self.count += part.count
            self.depth = max(self.depth, 1 + part.depth)
            part.is_held = True
        if self.count > _MOST_VALUES or self.depth > _DEEPEST:
            raise ValueError(
                f"its lists, tuples and dictionaries contain each other, to more than {_MOST_VALUES:,} values or "
                f"{_DEEPEST} levels"
            )


def _check_nesting(pickled: bytes) -> None:
    """Refuse values that contain each other, before they are made, by following what each opcode does to the stack.

    To hash a tuple, as for a key, or to show it in a message takes as long as if each value in it was written out, and
    ends the process if it is very deep.

    Raises
    ------
    ValueError
        They are too many or too deep, one contains itself, or the bytes are no pickle.
    """
    stack: list[_Value] = []
    marks: list[int] = []
    memo: dict[Any, _Value] = {}
    for opcode, argument, _ in genops(pickled):
        before, name = opcode.stack_before, opcode.name
        if name == "MARK":
            marks.append(len(stack))
        elif name.endswith("PUT") or name == "MEMOIZE":
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name.endswith("GET"):
            stack.append(memo[argument])
        else:
            first = marks.pop() - before.index(markobject) if markobject in before else len(stack) - len(before)
            parts = stack[first:]
            del stack[first:]
            made = parts.pop(0) if name in _FILLING else _Value()
            made.hold(parts)
            stack += [made] * len(opcode.stack_after)


def write_tensors(path: Path, content: Any) -> None:
    """Write with ``torch.save``, whole or not at all; the same content gives the same bytes."""
    # In memory first: torch would store a (temporary) name in the file, and turns a full disk into an error of its own.
    whole = io.BytesIO()
    torch.save(content, whole)
    with atomic_path(path) as temporary:
        temporary.write_bytes(whole.getbuffer())
