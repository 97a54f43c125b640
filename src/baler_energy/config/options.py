"""Parameters as command-line options, and as the arguments that a rule passes."""

import argparse
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from baler_energy.config.parameters import Config
from baler_energy.errors import InputError

__all__ = ["add_options", "option", "options_of"]


def option(name: str) -> str:
    """Return the option of a parameter: ``--batch-size`` for ``batch_size``."""
    return f"--{name.replace('_', '-')}"


def add_options(
    group: argparse._ActionsContainer,
    model: type[Config],
    *,
    without: Collection[str] = (),
    defaults: Mapping[str, Any] | None = None,
    unset: Collection[str] = (),
) -> None:
    """Add an option for each field of `model`; a value that its type does not allow raises `InputError`.

    Options of the fields `unset` are None unless they are given; their help still shows the default.
    """
    hints = get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        if name in without:
            continue
        help_text = _help(field)
        if field.annotation is bool:
            group.add_argument(option(name), action="store_true", help=help_text)
            continue
        default = (defaults or {}).get(name, None if field.is_required() else field.default)
        group.add_argument(
            option(name),
            type=_reader(name, hints[name]),
            default=None if name in unset else default,
            metavar=_metavar(field.annotation),
            help=help_text if default is None else f"{help_text} (default: {default})",
        )


def options_of(section: Config, *, without: Collection[str] = ()) -> list[str]:
    """Return the options that pass a section's values, without those that are not set."""
    passed: list[str] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in without or value is None or value is False:
            continue
        passed += [option(name)] if value is True else [option(name), str(value)]
    return passed


def _reader(name: str, kind: Any) -> Any:
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
    """Return a field's description without markup."""
    text = " ".join((field.description or "").split()).replace("``", "").replace("%", "%%").rstrip(".")
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
