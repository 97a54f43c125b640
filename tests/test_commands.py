"""What a rule passes to a stage, and what it watches instead of an input."""

import os
from pathlib import Path
from typing import Any

import pytest

from baler_energy import commands
from baler_energy.config.study import load_study
from baler_energy.errors import InputError
from baler_energy.start import check_inputs


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


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"imports": ["{T}.csv"]}, "imports.0: {T}.csv"),
        ({"carbon_intensity_csv": "hours.csv"}, "carbon_intensity_csv: hours.csv"),
        ({"wattmeter": {"path": "watts.csv"}}, "wattmeter.path: watts.csv"),
    ],
)
def test_a_missing_file_that_all_runs_are_compared_with_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], key: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        check_inputs(study(**changes), ())
    assert f"{key}: no such file" in str(caught.value)
    Path(key.partition(": ")[2]).touch()
    check_inputs(study(**changes), ())


def test_a_url_has_nothing_to_fill_in() -> None:
    assert (
        commands.quoted_url("http://h:80/a b/{T}<x>.root?q=1&r=%7B#t")
        == "http://h:80/a%20b/%7BT%7D%3Cx%3E.root?q=1&r=%7B#t"
    )
