"""A large grid's load on the file system and Snakemake: few files, a separate folder per job, short commands."""

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from rule_names import OF_A_POINT

AXES = {"rows": [400], "epochs": [1, 2, 3], "batch_size": [64, 128]}
#: Outputs and logs of all rules of a point.
FILES_PER_POINT = 15
#: One for each operation, and one for the errors.
FOLDERS_PER_POINT = 4


@pytest.fixture(scope="module")
def said(workspace):
    """Return the output of a dry run."""
    return workspace.snakemake(workspace.study(axes=AXES), "--dry-run", "--printshellcmds")


@pytest.fixture(scope="module")
def jobs(said):
    """Rule and files (outputs and log) of each job."""
    blocks = re.findall(r"^(?:localrule|rule|checkpoint) (\w+):\n((?:    .+\n)*)", said, flags=re.MULTILINE)
    found = []
    for rule, block in blocks:
        files = [re.search(rf"^    {key}: (.+)$", block, flags=re.MULTILINE) for key in ("output", "log")]
        found.append((rule, [Path(name) for match in files if match for name in match[1].split(", ")]))
    return found


def test_a_point_makes_few_files(jobs):
    points = Counter(
        str(file).split("/toy/")[1].split("/repeat~0")[0]
        for rule, files in jobs
        if rule in OF_A_POINT
        for file in files
    )
    assert len(points) == 6 and set(points.values()) == {FILES_PER_POINT}


def test_no_job_writes_into_anothers_folder(jobs):
    folders = [
        (number, file.parent)
        for number, (_, files) in enumerate(jobs)
        for file in files
        if file.parts[2] in ("runs", "profiles", "peers", "figures")
    ]
    owners: dict[Path, set[int]] = {}
    for number, folder in folders:
        owners.setdefault(folder, set()).add(number)
    # The figures of each chapter are a folder; these folders share a parent.
    owners.pop(Path("results/tiny/figures"), None)
    assert len(owners) == 6 * FOLDERS_PER_POINT and all(len(numbers) == 1 for numbers in owners.values())
    assert not [(a, b) for a, b in combinations(owners, 2) if a in b.parents or b in a.parents]


def test_no_command_grows_with_the_grid(workspace, said):
    larger = workspace.study(axes=AXES | {"batch_size": list(range(64, 80))})
    commands = [
        re.findall(r"baler-energy (?:collect|figures|tables|report) .+", text)
        for text in (said, workspace.snakemake(larger, "--dry-run", "--printshellcmds"))
    ]
    longest = [max(map(len, found)) for found in commands]
    assert longest[0] == longest[1] < 1000
