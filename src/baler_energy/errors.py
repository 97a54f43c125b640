"""Errors that report what is wrong and what to do.

The command line prints the message of a `BalerEnergyError` without a traceback and exits with its exit code.
A message states what is wrong, where (file, key, column, row) and what to do.
"""

__all__ = ["BalerEnergyError", "InputError", "UnavailableError"]


class BalerEnergyError(Exception):
    """Base of the errors that are printed as one message."""

    exit_code = 1


class InputError(BalerEnergyError):
    """The user's input (a file, a key, an option) is wrong."""

    exit_code = 2


class UnavailableError(BalerEnergyError):
    """The machine lacks something required (a GPU, a counter, an optional package)."""

    exit_code = 3
