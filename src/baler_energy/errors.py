"""Errors that are written for the person who has to act.

The command line prints the message of a `BalerEnergyError` without a traceback and leaves with its exit code.
A message says what is wrong, where (file, key, column, row) and what to do.
"""

__all__ = ["BalerEnergyError", "InputError", "UnavailableError"]


class BalerEnergyError(Exception):
    """Base of the errors that end in one message."""

    exit_code = 1


class InputError(BalerEnergyError):
    """What the user gave (a file, a key, an option) is wrong."""

    exit_code = 2


class UnavailableError(BalerEnergyError):
    """The machine lacks what was asked for (a GPU, a counter, an optional package)."""

    exit_code = 3
