"""Options that select what to read from a user's file, and the type of options that are numbers."""

import argparse
import math
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Literal

from baler_energy.config.options import add_options
from baler_energy.config.own_file import OwnFile
from baler_energy.formats import Request

__all__ = ["add_file_arguments", "number_type", "request_of", "size_type", "whole_type"]

#: Largest size: a yottabyte.
_LARGEST_B = 1e24
_SIZE = re.compile(r"\s*([0-9][0-9.]*(?:e[+-]?[0-9]+)?)\s*(?:([kKMGTPE])(i?))?B\s*", re.ASCII)


def add_file_arguments(
    group: argparse._ArgumentGroup, *, formats: Iterable[str], default_format: str, default_columns: str
) -> None:
    """Add the options of a file; the help shows the defaults as given here."""
    group.add_argument("--format", choices=tuple(formats), help=f"default: {default_format}")
    add_options(group, OwnFile, only=["tree", "layout", "leading"])
    group.add_argument(
        "--columns",
        nargs="+",
        action="extend",
        metavar="NAME",
        help=f"columns in the desired order, Jet_* for all that match; default: {default_columns}",
    )


def request_of(args: argparse.Namespace) -> Request:
    """Return what to read from the file, from parsed options."""
    columns = None if args.columns is None else tuple(args.columns)
    return Request(columns, args.tree, args.layout, args.leading)


def number_type(
    low: float, high: float = math.inf, *, inclusive: Literal["both", "right", "neither"] = "both"
) -> Callable[[str], float]:
    """Return the type of an option that is a finite number between two ends.

    Parameters
    ----------
    low, high
        The ends.
    inclusive
        Which of the ends are allowed themselves.
    """
    at_low, at_high = inclusive == "both", inclusive != "neither"
    words = f"a number {'of at least' if at_low else 'above'} {low:g}"
    if math.isfinite(high):
        words += f" and {'at most' if at_high else 'below'} {high:g}"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        inside = low < value < high or (at_low and value == low) or (at_high and value == high)
        if not inside or math.isinf(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
        return value

    return parse


def whole_type(low: float, high: float) -> Callable[[str], float]:
    """Return the type of an option that is a whole number between two ends, such as 500e6."""
    number = number_type(low, high)

    def parse(text: str) -> float:
        value = number(text)
        if not value.is_integer():
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
        return value

    return parse


def size_type(text: str) -> float:
    """Read a size (B) with its unit, decimal such as 50TB or binary such as 2TiB: the type of an option."""
    size = 0.0
    if found := _SIZE.fullmatch(text):
        number, prefix, binary = found.groups()
        with suppress(ValueError):
            size = float(number) * (1024.0 if binary else 1000.0) ** " KMGTPE".index((prefix or " ").upper())
    if not 0 < size <= _LARGEST_B:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size from above 0 to 1e6EB with its unit, such as 50TB or 2TiB"
        )
    return size
