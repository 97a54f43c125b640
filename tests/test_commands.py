"""What a rule passes to a stage, and what it watches instead of an input."""

import os
from pathlib import Path
from typing import Any

from baler_energy import commands
from baler_energy.config.study import load_study


def study(**changes: Any) -> Any:
    base: dict[str, Any] = {
        "name": "mine",
        "data": {"toy": {"source": "toy"}},
        "design": "factorial",
        "axes": {"rows": [100], "epochs": [1]},
    }
    return load_study(base | changes)


def test_a_file_that_changes_has_another_state(tmp_path: Path) -> None:
    path = tmp_path / "{T} <x>.root"
    (missing,) = commands.file_states([str(path)])
    path.write_text("a")
    (first,) = commands.file_states([str(path)])
    assert commands.file_states([str(path)]) == [first] != [missing]
    os.utime(path, ns=(1, 1))
    (touched,) = commands.file_states([str(path)])
    path.write_text("ab")
    os.utime(path, ns=(1, 1))
    (longer,) = commands.file_states([str(path)])
    assert len({missing, first, touched, longer}) == 4
    assert commands.file_states(["root://host/a", "root://host/b"])[0] != commands.file_states(["root://host/b"])[0]


def test_a_url_has_nothing_to_fill_in() -> None:
    assert (
        commands.quoted_url("http://h:80/a b/{T}<x>.root?q=1&r=%7B#t")
        == "http://h:80/a%20b/%7BT%7D%3Cx%3E.root?q=1&r=%7B#t"
    )
