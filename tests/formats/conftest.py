"""Fixtures of the tests of formats."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("block_files", "read_columns")


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Folder of the small files that make_fixtures.py writes."""
    return Path(__file__).parent / "fixtures"
