"""The centre of a study."""

import pytest

from baler_energy.config.centre import central_points
from baler_energy.config.study import load_study

GENERATED = {"name": "s", "country": "CHE", "data": {"jets": {"source": "toy"}}, "repeats": 2}
REFERENCE = {"dataset": "jets", "rows": 300, "epochs": 5, "batch_size": 128}
AROUND = GENERATED | {"design": "one-at-a-time"}
FACTORIAL = GENERATED | {"design": "factorial"}


def _central(config: dict) -> set[tuple]:
    """Points at the centre, by the axes that the tests vary."""
    study = load_study(config)
    found = [study.by_path[path] for path in central_points(study)]
    assert {point.repeat for point in found} == {0, 1}
    return {(p.transform, p.engine, p.model, p.device, p.rows, p.epochs) for p in found}


def _by_dataset(config: dict) -> set[tuple]:
    study = load_study(config | {"data": {"jets": {"source": "toy"}, "others": {"source": "toy", "seed": 2}}})
    points = [study.by_path[path] for path in central_points(study)]
    assert len(points) == 2 * len({point.dataset for point in points}), "two repeats"
    return {(point.dataset, point.rows, point.epochs) for point in points}


def test_in_a_factorial_study_each_dataset_has_its_middle():
    axes = {"rows": [100, 300, 200], "epochs": [1, 5, 25]}
    assert _by_dataset(FACTORIAL | {"axes": axes}) == {("jets", 200, 5), ("others", 200, 5)}


def test_another_dataset_has_the_point_that_is_most_like_the_reference():
    around = AROUND | {"reference": REFERENCE}
    axes = {"dataset": ["jets", "others"], "epochs": [1, 5]}
    assert _by_dataset(around | {"axes": axes}) == {("jets", 300, 5), ("others", 300, 5)}
    further = [{"dataset": "others", "rows": 100, "epochs": 1}, {"dataset": "others", "rows": 100}]
    assert _by_dataset(around | {"axes": {}, "also": further}) == {("jets", 300, 5), ("others", 100, 5)}


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_in_a_one_at_a_time_study_it_is_the_reference(engine):
    axes = {"epochs": [1, 2, 3, 5], "engine": ["upstream", "fast"], "device": ["cpu", "cuda"]}
    config = AROUND | {"reference": REFERENCE | {"engine": engine}, "axes": axes}
    central = {("baler", engine, "baler", device, 300, 5) for device in ("auto", "cpu", "cuda")}
    assert _central(config) == central


def test_in_a_factorial_study_it_is_the_middle():
    axes = {"rows": [100, 300, 200], "epochs": [1, 5, 25]}
    assert _central(FACTORIAL | {"axes": axes}) == {("baler", "reference", "baler", "auto", 200, 5)}


def test_words_at_their_default_come_before_the_middle():
    axes = {"rows": [100], "epochs": [1], "model": ["baler-small", "baler", "baler-x2"]}
    assert _central(FACTORIAL | {"axes": axes}) == {("baler", "reference", "baler", "auto", 100, 1)}


def test_points_that_run_as_baler_come_first():
    axes = {"rows": [100], "epochs": [1], "engine": ["fast", "upstream"]}
    assert _central(FACTORIAL | {"axes": axes}) == {("baler", "upstream", "baler", "auto", 100, 1)}


def test_a_codec_without_training_has_a_centre():
    axes = {"rows": [100, 200, 300], "transform": ["identity"], "packing": ["zstd-3", "lz4"]}
    (central,) = _central(FACTORIAL | {"axes": axes})
    assert central == ("identity", None, None, "auto", 200, None)


def test_repeats_of_later_rounds_are_at_the_centre_too():
    study = load_study(AROUND | {"reference": REFERENCE, "axes": {}, "repeats": {"least": 2, "most": 4}})
    assert {study.by_path[path].repeat for path in central_points(study)} == {0, 1, 2, 3}
