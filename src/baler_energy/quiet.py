"""Messages of other packages that users need not read."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_logs"]


@contextmanager
def without_logs() -> Iterator[None]:
    """Suppress what loggers write, up to warnings."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
