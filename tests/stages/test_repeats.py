"""Rounds of further repeats: what stage ``repeats`` decides, and which points result."""

import json
from datetime import UTC, datetime
from functools import partial

import pytest
import yaml

from baler_energy.config.study import load_study
from baler_energy.errors import InputError
from baler_energy.records import Contamination, Measurement, Reading, Window
from baler_energy.rounds import points_so_far, round_file
from baler_energy.vocabulary import Evidence, MeterName, Operation, Quantity

START = datetime(2026, 1, 1, tzinfo=UTC)
STUDY = {
    "name": "rounds",
    "data": {"toy": {"source": "toy"}},
    "design": "factorial",
    "axes": {"rows": [100], "epochs": [1, 2]},
    "repeats": {"least": 3, "most": 5, "target": 0.05},
}
QUIET, NOISY = "toy/rows~100/epochs~1", "toy/rows~100/epochs~2"


@pytest.fixture
def results(tmp_path):
    """Return a folder of results with the study, to which `write` adds records."""
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return tmp_path


def write(results, point, energies_j, operation=None, flags=(), first=0):
    """Write a record per repeat with this energy of two iterations; with None, a record has only a duration."""
    for number, energy_j in enumerate(energies_j, start=first):
        reading = Reading.of(
            MeterName.RAPL, "cpu", Quantity.ENERGY, energy_j, Evidence.MEASURED, None if energy_j else "no counter"
        )
        for name in [operation] if operation else [Operation.TRAIN, Operation.COMPRESS, Operation.DECOMPRESS]:
            path = results / "runs" / point / f"repeat~{number}" / name / "measurement.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            Measurement(
                run_id=f"{point}/repeat~{number}",
                operation=name,
                parameters={"device": "cpu"},
                iterations=2,
                window=Window(start=START, duration_s=4.0),
                readings=(reading,),
                idle=None,
                contamination=Contamination(fraction=0.0, other_cpu_s=0.0, logical_cpus=1),
                flags=flags,
                provenance={},
            ).write(path)


def decide(stage, results, number=1):
    """Run a round and return the repeats that it adds."""
    out = round_file(results, number)
    stage("repeats", "--study", results / "study.yaml", "--results", results, "--round", number, "--out", out)
    return json.loads(out.read_text())["points"]


def test_points_with_a_wide_interval_get_one_more_repeat(stage, results):
    write(results, QUIET, [100.0, 101.0, 102.0])
    write(results, NOISY, [100.0, 110.0, 120.0])
    assert decide(stage, results) == [f"{NOISY}/repeat~3"]
    # 1 J of 101 J at n = 3: t(0.975, 2) = 4.303 over the root of 3, times 1/101.
    widths = json.loads(round_file(results, 1).read_text())["relative_half_widths"]
    assert widths[f"{QUIET}/repeat~0"]["train"] == pytest.approx(4.3027 / 3**0.5 / 101, rel=1e-4)


def test_one_wide_operation_is_enough(stage, results):
    write(results, QUIET, [100.0] * 3)
    write(results, NOISY, [100.0] * 3)
    write(results, NOISY, [1.0, 2.0, 3.0], Operation.DECOMPRESS)
    assert decide(stage, results) == [f"{NOISY}/repeat~3"]


def test_flagged_runs_are_replaced_and_not_counted(stage, results):
    write(results, QUIET, [100.0] * 3)
    write(results, NOISY, [100.0, 100.0])
    write(results, NOISY, [500.0], flags=("contaminated",), first=2)
    assert decide(stage, results) == [], "the two clean runs agree"
    write(results, NOISY, [100.0], flags=("contaminated",), first=1)
    assert decide(stage, results) == [f"{NOISY}/repeat~3"], "one clean run has no interval"


def test_a_runtime_with_a_fault_is_not_repeated(stage, results):
    write(results, QUIET, [100.0] * 3)
    write(results, NOISY, [100.0] * 3, flags=("runtime_fault",))
    assert decide(stage, results) == []


def test_without_energy_the_duration_counts(stage, results):
    write(results, QUIET, [None] * 3)
    write(results, NOISY, [None] * 3)
    assert decide(stage, results) == []


def test_rounds_follow_each_other_up_to_the_most(stage, results):
    write(results, QUIET, [100.0] * 3)
    write(results, NOISY, [100.0, 200.0, 300.0])
    assert decide(stage, results) == [f"{NOISY}/repeat~3"]
    write(results, NOISY, [50.0], first=3)
    assert decide(stage, results, 2) == [f"{NOISY}/repeat~4"]
    write(results, NOISY, [500.0], first=4)
    points = points_so_far(load_study(results / "study.yaml"), partial(round_file, results))
    grid = [f"{point}/repeat~{number}" for point in (QUIET, NOISY) for number in range(3)]
    assert [p.path for p in points] == [*grid, f"{NOISY}/repeat~3", f"{NOISY}/repeat~4"]
    assert decide(stage, results, 3) == [], "five are the most"


def test_a_round_that_adds_nothing_is_the_last_one_asked_for(results):
    study = load_study(results / "study.yaml")
    round_file(results, 1).parent.mkdir()
    round_file(results, 1).write_text('{"points": []}')
    assert points_so_far(study, partial(round_file, results)) == list(study.points)


@pytest.mark.parametrize("content", ['{"points": ["toy/rows~7/epochs~1/repeat~3"]}', '{"points": 3}', "{}"])
def test_a_round_of_another_study_is_refused(results, content):
    round_file(results, 1).parent.mkdir()
    round_file(results, 1).write_text(content)
    with pytest.raises(InputError, match=r"round~1\.json: is not a valid round of this study"):
        points_so_far(load_study(results / "study.yaml"), partial(round_file, results))


def test_a_missing_record_is_reported(stage, results):
    with pytest.raises(InputError, match=r"measurement\.json: cannot be read"):
        decide(stage, results)


def test_the_study_is_not_replaced(stage, results):
    study = results / "study.yaml"
    before = study.read_text()
    with pytest.raises(InputError, match="is the file to read"):
        stage("repeats", "--study", study, "--results", results, "--round", 1, "--out", study)
    assert study.read_text() == before


def test_a_fixed_number_has_no_rounds(stage, results):
    (results / "study.yaml").write_text(yaml.safe_dump(STUDY | {"repeats": 3}))
    assert load_study(results / "study.yaml").rounds == 0
    with pytest.raises(InputError, match="repeats: is a fixed number"):
        decide(stage, results)


@pytest.mark.parametrize(
    ("repeats", "message"),
    [
        ({"least": 5, "most": 4}, r"'most' \(4\) is below 'least' \(5\)"),
        ({"least": 1}, "greater than or equal to 2"),
        ({"target": 0}, "greater than 0"),
        ({"least": 3, "until": 0.1}, "unknown key"),
    ],
)
def test_mistakes_in_the_key_are_reported(repeats, message):
    with pytest.raises(InputError, match=message):
        load_study(STUDY | {"repeats": repeats})
