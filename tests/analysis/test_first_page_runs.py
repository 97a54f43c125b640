"""Which runs the report's first page is about."""

import pyarrow as pa

from baler_energy.analysis.first_page_runs import mark_first_page_runs


def marked(*rows):
    """Fill in `at_reference` of rows (dataset, device, threads, whether at the centre)."""
    names = ("dataset", "device", "threads", "at_centre")
    runs = pa.Table.from_pylist([dict(zip(names, row, strict=True)) | {"at_reference": None} for row in rows])
    schema = runs.schema.set(4, pa.field("at_reference", pa.bool_()))
    return mark_first_page_runs(runs.cast(schema))["at_reference"].to_pylist()


def test_it_is_the_centre_on_the_number_of_threads_that_most_runs_had():
    rows = [("d", "cpu", 16, True), ("d", "cpu", 4, True), ("d", "cpu", 16, True), ("d", "cpu", 16, False)]
    assert marked(*rows) == [True, False, True, False]


def test_devices_and_datasets_have_their_own_number():
    rows = [("d", "cpu", 16, True), ("d", "cuda", 8, True), ("e", "cpu", 4, True), ("e", "cpu", 2, False)]
    assert marked(*rows) == [True, True, True, False]


def test_of_two_numbers_that_are_equally_frequent_it_is_the_larger():
    rows = [("d", "cpu", 2, True), ("d", "cpu", 16, True)]
    assert marked(*rows) == marked(*rows[::-1])[::-1] == [False, True]


def test_unknown_threads_are_a_number_of_their_own():
    assert marked(("d", "cpu", None, True), ("d", "cpu", None, True)) == [True, True]
    assert marked(("d", "cpu", 2, False)) == [False]
