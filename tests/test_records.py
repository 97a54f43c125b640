"""The measurement record refuses invalid values."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from baler_energy.errors import InputError
from baler_energy.records import Measurement, Reading
from baler_energy.vocabulary import Evidence, MeterName, Quantity, check_component


def test_a_missing_value_needs_a_reason():
    with pytest.raises(ValidationError, match="needs a reason"):
        Reading.of(MeterName.RAPL, "cpu", Quantity.ENERGY, None)


def test_a_unit_must_be_that_of_the_quantity():
    reading = Reading.of(MeterName.RAPL, "cpu", Quantity.ENERGY, 1.0)
    assert reading.unit == "J"
    with pytest.raises(ValidationError, match="is in 'J'"):
        Reading.model_validate(reading.model_dump() | {"unit": "kWh"})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_is_a_number(value):
    with pytest.raises(ValidationError):
        Reading.of(MeterName.RAPL, "cpu", Quantity.ENERGY, value)


@pytest.mark.parametrize("name", ["package-0", "dram-1", "gpu-3", "cpu", "psys", "machine"])
def test_components_of_the_vocabulary(name):
    assert check_component(name) == name


@pytest.mark.parametrize("name", ["package", "gpu-", "disk", "cpu-0", ""])
def test_other_components_are_refused(name):
    with pytest.raises(ValueError, match="is not a component"):
        check_component(name)


def test_every_word_has_a_meaning():
    for vocabulary in (Evidence, MeterName, Quantity):
        assert all(word.meaning for word in vocabulary)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"run_id": "x"}', "is not a measurement record. Delete it"),
        (b'{"run_id": "x', "is not valid JSON"),
        (b"\xff", "is not valid JSON"),
        (b"", "is not valid JSON"),
        (b'{"run_id": "x", "run_id": "y"}', "the key 'run_id' occurs more than once"),
        (b'{"window": {"duration_s": 1, "duration_s": 2}}', "the key 'duration_s' occurs more than once"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_not_a_record_is_reported_by_name(tmp_path: Path, content, words):
    path = tmp_path / "measurement.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"measurement\.json") as error:
        Measurement.read(path)
    assert words in str(error.value)
