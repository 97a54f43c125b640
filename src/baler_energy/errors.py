"""Errors that report what is wrong and what to do.

The command line prints the message of a `BalerEnergyError` without a traceback and exits with its exit code.
A message states what is wrong, where (file, key, column, row) and what to do.
"""

__all__ = ["BalerEnergyError", "InputError", "UnavailableError", "is_out_of_memory"]

#: What torch says if there is not enough memory: of the CPU, for which it has no exception of its own, and of a GPU.
_NO_MEMORY = ("can't allocate memory", "out of memory")


class BalerEnergyError(Exception):
    """Base of the errors that are printed as one message."""

    exit_code = 1


class InputError(BalerEnergyError):
    """The user's input (a file, a key, an option) is wrong."""

    exit_code = 2


class UnavailableError(BalerEnergyError):
    """The machine lacks something required (a GPU, a counter, an optional package)."""

    exit_code = 3


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception, also one of torch, says that there is not enough memory."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)
    )
