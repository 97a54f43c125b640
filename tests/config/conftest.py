"""A small study, which the tests of the configuration change."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def study() -> Callable[..., dict[str, Any]]:
    """Return a function that describes a valid study, with changes of its keys."""

    def described(**changes: Any) -> dict[str, Any]:
        base: dict[str, Any] = {
            "name": "tiny",
            "country": "CHE",
            "data": {"toy": {"source": "toy"}},
            "design": "factorial",
            "axes": {"rows": [100, 200], "epochs": [1, 2]},
            "repeats": 2,
        }
        return base | changes

    return described
