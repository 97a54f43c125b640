"""Options that select what to read from a user's file."""

import argparse
from collections.abc import Iterable

from baler_energy.formats import Request

__all__ = ["add_file_arguments", "request_of"]


def add_file_arguments(
    group: argparse._ArgumentGroup, *, formats: Iterable[str], default_format: str, default_columns: str
) -> None:
    """Add the options of a file; the help shows the defaults as given here."""
    group.add_argument("--format", choices=tuple(formats), help=f"default: {default_format}")
    group.add_argument("--tree", help="ROOT tree, or HDF5 dataset or group; default: the only one in the file")
    group.add_argument(
        "--layout",
        choices=("objects", "leading"),
        default="objects",
        help="ROOT: a row per object, or a row per event with its first K objects (default: %(default)s)",
    )
    group.add_argument("--leading", type=int, metavar="K", help="number of objects, for --layout leading")
    group.add_argument(
        "--columns",
        nargs="+",
        metavar="NAME",
        help=f"columns in the desired order, Jet_* for all that match; default: {default_columns}",
    )


def request_of(args: argparse.Namespace) -> Request:
    """Return what to read from the file, from parsed options."""
    columns = None if args.columns is None else tuple(args.columns)
    return Request(columns, args.tree, args.layout, args.leading)
