"""What a file's contents have wrong, in words: mistakes that pydantic found, with key, value and what is allowed."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

__all__ = ["explain", "mistakes", "shortened"]

#: Most mistakes that are listed, and most characters of a value.
_MOST, _LONGEST = 20, 80
#: Parts of pydantic's location that name a member of a union, and no key.
_MEMBER = re.compile(r"\[|(^|-)(int|float|str|bool)$")
#: Types of pydantic's errors where a list or a mapping is required, which it calls by their names in Python.
_LISTS = ("tuple_type", "list_type", "set_type", "frozen_set_type")
_MAPPINGS = ("dict_type", "mapping_type", "model_type", "model_attributes_type")


def mistakes(error: ValidationError, whole: str, model: type[BaseModel] | None = None) -> Iterator[str]:
    """Yield the mistakes, each in one line and once, at most 20.

    Parameters
    ----------
    error
        The mistakes.
    whole
        Name of what has no key.
    model
        What was validated, so that the key that may be meant is named instead of an unknown one.
    """
    lines = list(dict.fromkeys(explain(one, whole, model) for one in error.errors(include_url=False)))
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"and {len(lines) - _MOST} more"


def explain(error: Any, whole: str = "study", model: type[BaseModel] | None = None) -> str:
    """Describe a mistake in one line: key (`whole` if it has none), value, what is allowed."""
    place = [part for part in error["loc"] if isinstance(part, int) or not _MEMBER.search(part)]
    key = ".".join(map(str, place)) or whole
    value = error["input"]
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key" + _meant(str(error["loc"][-1]), _keys(model, place[:-1]))
    if error["type"] == "missing":
        return f"{key}: is missing"
    if error["type"] == "union_tag_not_found":
        kind = error["ctx"]["discriminator"].strip("'")
        near = difflib.get_close_matches(kind, map(str, value), n=1) if isinstance(value, Mapping) else []
        return f"{key}.{kind}: is missing{f' (is {near[0]!r} a typo?)' if near else ''}"
    if error["type"] == "union_tag_invalid":
        kind, allowed = error["ctx"]["discriminator"].strip("'"), error["ctx"]["expected_tags"]
        return f"{key}.{kind}: is {shortened(error['ctx']['tag'])}; should be one of {allowed}"
    shown = "" if isinstance(value, dict) else f" is {shortened(value)};"
    return f"{key}:{shown} {_allowed(error)}"


def shortened(value: Any) -> str:
    """Write a value as JSON, cut after 80 characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _allowed(error: Any) -> str:
    """Say what is allowed instead of a value."""
    value = error["input"]
    if error["type"] in _LISTS:
        plain = isinstance(value, str) and len(value) <= _LONGEST
        example = "" if value is None or isinstance(value, dict) else f": [{value if plain else shortened(value)}]"
        return f"should be a list{example}"
    if error["type"] in _MAPPINGS:
        return "should be a mapping of keys to values"
    return str(error["msg"]).removeprefix("Value error, ").replace("Input should", "should")


def _meant(name: str, keys: Iterable[str]) -> str:
    """Suggest the key that may be meant."""
    near = difflib.get_close_matches(name, keys, n=1)
    return f". Did you mean {near[0]!r}?" if near else " (a typo?)"


def _keys(kind: Any, place: Sequence[str | int]) -> set[str]:
    """Return the keys that a mapping at this place of a type may have; empty if they are not known."""
    if _is_model(kind):
        if not place:
            return set(kind.model_fields)
        field = kind.model_fields.get(place[0])
        return set() if field is None else _keys(field.annotation, place[1:])
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _keys(inner[0], place)
    if origin in (Union, UnionType):
        found = {key for one in inner for key in _keys(one, place)}
        # The location of a mistake has the tag that has chosen a member.
        return found or {key for one in inner if place and _has_tag(one, place[0]) for key in _keys(one, place[1:])}
    if origin in (dict, tuple) and place:
        return _keys(inner[-1 if origin is dict else 0], place[1:])
    return set()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _has_tag(kind: Any, tag: str | int) -> bool:
    return _is_model(kind) and any(tag in get_args(field.annotation) for field in kind.model_fields.values())
