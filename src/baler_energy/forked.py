"""Whether this process was forked from one that had made its imports (`warm`), as the environment tells."""

import os

__all__ = ["SOCKET_VARIABLE", "forked"]

#: Names the socket of the process that forks; empty in a job that it forked.
SOCKET_VARIABLE = "BALER_ENERGY_WARM"


def forked() -> bool:
    """Tell whether this process was forked so."""
    return os.environ.get(SOCKET_VARIABLE) == ""
