"""Whether this process was forked from the warm process (`warm.py`), which has done all imports."""

import os

__all__ = ["SOCKET_VARIABLE", "forked"]

#: Environment variable with the socket of the warm process; empty in a process that it forked.
SOCKET_VARIABLE = "BALER_ENERGY_WARM"


def forked() -> bool:
    """Return whether the warm process forked this one."""
    return os.environ.get(SOCKET_VARIABLE) == ""
