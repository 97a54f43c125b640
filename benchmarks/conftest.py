"""Print the results of the benchmarks as one table, for docs/engines.md."""

from collections.abc import Callable

import pytest

_ROWS = pytest.StashKey[list[dict[str, str]]]()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[dict[str, str]], None]:
    """Add a row, by column, to the table at the end."""
    rows = request.config.stash.setdefault(_ROWS, [])
    return rows.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    rows = config.stash.get(_ROWS, [])
    if rows:
        names = list(rows[0])
        terminalreporter.write_line(f"\n| {' | '.join(names)} |\n|{'---|' * len(names)}")
        for row in rows:
            terminalreporter.write_line(f"| {' | '.join(row.values())} |")
