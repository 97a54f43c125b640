"""Messages of other packages are suppressed, only where that is asked for."""

import logging

import pytest

from baler_energy.quiet import without_logs


def test_warnings_of_loggers_are_suppressed_until_the_end_of_the_block(caplog: pytest.LogCaptureFixture) -> None:
    def log() -> None:
        logging.getLogger("other").warning("first")
        logging.getLogger("other").error("second")

    with pytest.raises(ValueError), without_logs():
        log()
        raise ValueError
    assert caplog.messages == ["second"]
    log()
    assert caplog.messages == ["second", "first", "second"]
