"""Studies that are damaged, hostile or far too large end as one message, before anything is made."""

import datetime
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from mutants import mutants

from baler_energy.config.extent import MOST_RUNS, check_config
from baler_energy.config.study import Study, load_study
from baler_energy.errors import InputError


def nine(line: str, levels: int = 20) -> str:
    """Write anchors, each of which uses the one before it nine times."""
    lines = ["a0: &a0 {x: 1}" if "<<" in line else "a0: &a0 [x, y]"]
    for before, name in pairwise(f"a{level}" for level in range(levels)):
        lines.append(f"{name}: &{name} {line.format(', '.join([f'*{before}'] * 9))}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text", [nine("[{}]"), nine("{{<<: [{}]}}"), nine("{{k: [{}]}}"), "a: &a [*a]", "a: &a {b: *a}"]
)
def test_aliases_that_stand_for_billions_of_values_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"study\.yaml: the study has more than 100,000 values"):
        load_study(path)


def test_aliases_that_repeat_a_little_are_allowed(study: Any, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    text = yaml.safe_dump(study(profile={"points": [{"rows": 100}]}))
    path.write_text(text.replace("rows: 100\n", "rows: &n 100\n") + "peers: {points: [{rows: *n}]}\n")
    assert len(load_study(path).peer_points) == 2


def test_aliases_that_snakemake_has_read_are_refused() -> None:
    value: Any = ["x"]
    for _ in range(20):
        value = [value] * 9
    for config in ({"name": value}, {"name": {"a": value}}):
        with pytest.raises(InputError, match="more than 100,000 values"):
            load_study(config)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: " + "[" * 5000, "is nested too deeply"),
        ("name: 2026-13-45", "is not a YAML file: month must be in 1..12"),
        ("name: !!int ''", "is not a YAML file"),
        ("name: !!timestamp x", "is not a YAML file"),
        ("name: !!float x", "is not a YAML file"),
        ("repeats: " + "1" * 5000, "is not a YAML file"),
        ("repeats: 1" + "0" * 20, "the number 1" + "0" * 20 + " is too large"),
        ('name: "a\\0b"', "the text 'a\\x00b' has a character"),
        ('"a\\0b": 1', "the text 'a\\x00b' has a character"),
        ('name: "\\ud800"', "has a character that cannot be written"),
        ("a: 1\n" * 200_000, "is larger than 500 kB"),
        ("", "a study must be a mapping"),
    ],
)
def test_files_that_no_study_is_like_are_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert str(path) in str(caught.value) and why in str(caught.value)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match=f"{path}: cannot be read: it is not a file"):
            load_study(path)


@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        ({"repeats": 1_000_000}, "4,000,000 runs"),
        ({"repeats": {"least": 2, "most": 1_000_000}}, "4,000,000 runs"),
        ({"axes": {"rows": list(range(2, 1002)), "epochs": list(range(1, 1001))}}, "2,000,000 runs"),
        ({"peers": {"tools": ["zeus", "perun"], "points": [{}], "repeats": 1_000_000}}, "8,000,000 runs with other"),
    ],
)
def test_a_grid_that_is_too_large_is_refused_with_its_size(study: Any, changes: dict[str, Any], runs: str) -> None:
    with pytest.raises(InputError, match=f"the grid has {runs}"):
        load_study(study(**changes))


def test_one_axis_at_a_time_counts_as_such(study: Any) -> None:
    around: dict[str, Any] = {"design": "one-at-a-time", "reference": {"dataset": "toy", "rows": 100, "epochs": 1}}
    axes = {"rows": list(range(2, 302)), "batch_size": list(range(1, 301)), "epochs": list(range(1, 301))}
    assert len(load_study(study(**around, axes=axes, repeats=1)).points) == 1 + 299 + 300 + 299
    with pytest.raises(InputError, match="the grid has 90,100,000 runs"):
        load_study(study(**around, axes=axes, repeats=100_000))


def test_a_grid_as_large_as_can_be_planned_is_allowed(study: Any) -> None:
    points = load_study(study(axes={"rows": [100], "epochs": [1]}, repeats=2000)).points
    assert len(points) == 2000 < MOST_RUNS


def test_rows_of_more_shards_than_a_seed_has_are_refused(study: Any) -> None:
    with pytest.raises(InputError, match="a seed has only 10000"):
        load_study(study(axes={"rows": [10**15], "epochs": [1]}))


@pytest.mark.parametrize("section", ["profile", "peers"])
def test_more_selections_of_points_than_can_be_compared_are_refused(study: Any, section: str) -> None:
    axes = {"rows": [400], "epochs": list(range(1, 2001))}
    with pytest.raises(InputError, match=rf"{section}\.points: 9,000 entries are too many for a grid of 2,000 runs"):
        load_study(study(axes=axes, repeats=1, **{section: {"points": [{"epochs": 1}] * 9000}}))


@pytest.mark.parametrize(("axis", "number"), [("threads", 3_000_000_000), ("epochs", 10**14), ("batch_size", 10**13)])
def test_numbers_that_no_machine_gets_through_are_refused(study: Any, axis: str, number: int) -> None:
    axes = {"rows": [400], "epochs": [1]} | {axis: [number]}
    with pytest.raises(InputError, match=rf"{axis}.*should be at most"):
        load_study(study(axes=axes))


def test_many_mistakes_and_long_values_are_cut(study: Any) -> None:
    with pytest.raises(InputError) as caught:
        load_study(study(country="x" * 5000, **{f"key{number}": 1 for number in range(1000)}))
    said = str(caught.value)
    assert "1001 mistakes" in said and "and 981 more" in said and len(said) < 2000 and "x" * 79 + "..." in said


def test_other_types_of_yaml_are_counted(study: Any) -> None:
    check_config({"a": datetime.date(2026, 1, 1), "b": {1, 2}, "c": b"x", "d": None, "e": (1.5, True)})


def test_a_damaged_study_is_a_study_or_one_message(repository: Path, tmp_path: Path) -> None:
    path, loaded = tmp_path / "study.yaml", 0
    for content in mutants((repository / "config" / "studies" / "smoke.yaml").read_bytes()):
        path.write_bytes(content)
        try:
            loaded += isinstance(load_study(path), Study)
        except InputError as error:
            assert str(error).startswith(f"{path}: ") and len(str(error)) < 5000
    assert 0 < loaded < 300
