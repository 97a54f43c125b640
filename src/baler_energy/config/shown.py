"""How results show a parameter, from its declaration in `parameters`."""

from typing import Any, get_args

from pydantic.fields import FieldInfo

from baler_energy.config.parameters import Parameters, Shown

__all__ = ["column_type", "number_text", "phrase_of", "shown"]


def shown(name: str) -> Shown:
    """Return how results show a parameter."""
    (words,) = (mark for mark in Parameters.model_fields[name].metadata if isinstance(mark, Shown))
    return words


def phrase_of(name: str, value: Any) -> str:
    """Write a parameter's value in a sentence; in a column with missing values, whole numbers are floats."""
    kind = column_type(name)
    whole = int(value) if kind == "integer" and not isinstance(value, str) else value
    text = number_text(whole) if kind == "number" else whole
    return shown(name).phrase.format(text, s="" if whole == 1 else "s")


def number_text(value: float) -> str:
    """Write a float so that it reads back the same: with six digits if these are enough, otherwise with all.

    Different numbers have different texts, so a text can be part of a path, a name or a command.
    """
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def column_type(name: str) -> str:
    """Return the type of a parameter's column: ``integer``, ``number`` or ``string``."""
    types = _types(Parameters.model_fields[name])
    return "integer" if int in types else "number" if float in types else "string"


def _types(field: FieldInfo) -> set[Any]:
    """Types that a field's value may have, and the words of a `Literal`."""

    def parts(annotation: Any) -> set[Any]:
        inner = get_args(annotation)
        return {annotation}.union(*map(parts, inner)) if inner else {annotation}

    return parts(field.annotation)
