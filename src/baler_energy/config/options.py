"""Parameters as command-line options, and as the arguments that a rule passes."""

import argparse
import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from baler_energy.config.parameters import Config
from baler_energy.config.texts import filled
from baler_energy.errors import InputError

__all__ = ["add_options", "option", "option_words", "options_of", "reader"]

_OR_ZERO: Any = Annotated[float, Field(ge=0)]


def option(name: str) -> str:
    """Return the option of a parameter: ``--batch-size`` for ``batch_size``."""
    return f"--{name.replace('_', '-')}"


def add_options(
    group: argparse._ActionsContainer,
    model: type[Config],
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    defaults: Mapping[str, Any] | None = None,
    unset: Collection[str] = (),
    or_zero: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Add an option for each field of `model`; a value that its type does not allow raises `InputError`.

    Parameters
    ----------
    group
        Where to add them.
    model
        The section that declares them.
    only, without
        Names of fields that get an option, by default all, and of fields that get none.
    defaults
        Other defaults than those of the fields.
    unset
        Options that are None unless they are given; their help still shows the default.
    or_zero
        Options of numbers above 0 that may also be 0, and what this means.
    """
    hints = get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        if name in without or (only is not None and name not in only):
            continue
        help_text = f"{_help(field)}; 0: {or_zero[name]}" if name in or_zero else _help(field)
        if field.annotation is bool:
            group.add_argument(option(name), action="store_true", help=help_text)
            continue
        default = (defaults or {}).get(name, None if field.is_required() else field.default)
        # A stage may change the default of an option after it was added.
        shown = default if name in unset else "%(default)s"
        group.add_argument(
            option(name),
            type=reader(name, _OR_ZERO if name in or_zero else hints[name]),
            default=None if name in unset else default,
            metavar="S" if name.endswith("_s") else _metavar(field.annotation),
            help=help_text if default is None else f"{help_text} (default: {shown})",
        )


def options_of(section: Config, *, only: Collection[str] | None = None, without: Collection[str] = ()) -> list[str]:
    """Return the options that pass a section's values, without those that are not set; names as for `add_options`."""
    passed: list[str] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in without or (only is not None and name not in only) or value is None or value is False:
            continue
        if value is True:
            passed.append(option(name))
        else:
            passed += option_words(option(name), map(str, value if isinstance(value, tuple) else (value,)))
    return passed


def option_words(name: str, values: Iterable[str]) -> list[str]:
    """Write an option and its values; one that would be read as an option, or not at all, is joined to the name."""
    words: list[str] = []
    separate = False
    for value in values:
        if not value or value.startswith("-"):
            words.append(f"{name}={value}")
        else:
            words += [value] if separate else [name, value]
        separate = bool(value) and not value.startswith("-")
    return words


def reader(name: str, kind: Any) -> Any:
    """Return the type of an option, which refuses what the type of its parameter does not allow; see `add_options`."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))

    def read(text: str) -> Any:
        try:
            return adapter.validate_strings(text)
        except ValidationError as error:
            reasons = (e["msg"].removeprefix("Value error, ") for e in error.errors(include_url=False))
            reason = " or ".join(dict.fromkeys(reason.removeprefix("Input ") for reason in reasons))
            raise InputError(f"{option(name)} {text}: {reason.rstrip('.')}.") from error

    return read


def _help(field: FieldInfo) -> str:
    """Return a field's description without markup, and without what only the documentation says."""
    text = " ".join(filled(field.description or "").split())
    text = text.replace("``", "").replace("%", "%%").rstrip(".")
    return re.sub(r"`([^`]*)`", r"\1", text[:1].lower() + text[1:])


def _metavar(annotation: Any) -> str:
    """Describe the values of a type: their list, ``N``, ``X``, or ``TEXT``."""
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    if kinds and get_origin(annotation) is not None and not hasattr(annotation, "__metadata__"):
        return "|".join(_metavar(kind) for kind in kinds)
    bare = getattr(annotation, "__origin__", annotation)
    return {int: "N", float: "X"}.get(bare, "TEXT")
