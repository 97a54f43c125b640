"""What a file's contents have wrong, in words: mistakes that pydantic found, with key, value and what is allowed."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

__all__ = ["explain", "mistakes", "shortened"]

#: Most mistakes that are listed, and most characters of a value.
_MOST, _LONGEST = 20, 80
#: Parts of pydantic's location that name a member of a union, and no key.
_MEMBER = re.compile(r"\[|(^|-)(int|float|str|bool)$")


def mistakes(error: ValidationError, whole: str) -> Iterator[str]:
    """Yield the mistakes, each in one line and once, at most 20; `whole` names what has no key."""
    lines = list(dict.fromkeys(explain(one, whole) for one in error.errors(include_url=False)))
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"and {len(lines) - _MOST} more"


def explain(error: Any, whole: str = "study") -> str:
    """Describe a mistake in one line: key (`whole` if it has none), value, what is allowed."""
    place = [part for part in error["loc"] if isinstance(part, int) or not _MEMBER.search(part)]
    key = ".".join(map(str, place)) or whole
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key (a typo?)"
    if error["type"] == "missing":
        return f"{key}: is missing"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    value = error["input"]
    shown = "" if isinstance(value, dict) else f" is {shortened(value)};"
    return f"{key}:{shown} {message}"


def shortened(value: Any) -> str:
    """Write a value as JSON, cut after 80 characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
