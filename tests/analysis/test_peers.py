"""Rows of the table ``peers``."""

from datetime import UTC, datetime

import pytest

from baler_energy.analysis.peers import peer_rows
from baler_energy.analysis.schema import check_columns
from baler_energy.analysis.tidy import POINT_KEYS
from baler_energy.errors import InputError
from baler_energy.records import Contamination, Measurement, Reading, Window
from baler_energy.vocabulary import Evidence, MeterName, Operation, Quantity

MODELLED = Evidence.MODELLED


def reading(meter, component, value, evidence=Evidence.MEASURED, detail=None, quantity=Quantity.ENERGY, scope=None):
    reason = None if value is not None else "a counter wrapped"
    return Reading.of(MeterName(meter), component, quantity, value, evidence, reason, detail=detail, scope=scope)


OURS = (
    reading("rapl", "package-0", 60.0),
    reading("rapl", "package-1", 40.0),
    reading("rapl", "cpu", 100.0),
    reading("rapl", "psys", 200.0),
    reading("rapl", "dram", 20.0),
    reading("nvml", "gpu-0", 50.0),
    reading("nvml", "gpu", 50.0),
    reading("codecarbon", "cpu", 90.0),
    reading("codecarbon", "ram", 30.0, MODELLED),
)


def rows(*theirs, ours=OURS, tool="zeus"):
    record = Measurement(
        run_id="toy/repeat~0",
        operation=Operation.TRAIN,
        parameters=dict.fromkeys(POINT_KEYS) | {"dataset": "toy", "rows": 7},
        iterations=2,
        window=Window(start=datetime(2026, 1, 1, tzinfo=UTC), duration_s=8.0),
        readings=(*ours, *theirs),
        idle=None,
        contamination=Contamination(fraction=0.0, other_cpu_s=0.0, logical_cpus=2),
        flags=(),
        provenance={},
    ).model_dump(mode="json")
    peer = {"tool": tool, "tool_version": "1", "operation": "train", "parameters": record["parameters"]}
    made = peer_rows(peer | {"measurement": record, "reason": None})
    for row in made:
        check_columns("peers", list(row))
    return made


@pytest.mark.parametrize(
    ("component", "ours_j", "scope"),
    [
        ("cpu", 100.0, "cpu"),
        ("package-1", 40.0, "package-1"),
        ("psys", 200.0, "psys"),
        ("dram", 20.0, "dram"),
        ("ram", 20.0, "dram"),
        ("gpu", 50.0, "gpu"),
        ("gpu-0", 50.0, "gpu-0"),
    ],
)
def test_a_reading_is_compared_with_ours_of_the_same_components(component, ours_j, scope):
    (row,) = rows(reading("zeus", component, 80.0, detail="PUE 1.58"))
    assert (row["value"], row["unit"], row["component"]) == (80.0, "J", component)
    assert (row["ours_j"], row["ours_scope"], row["ours_evidence"]) == (ours_j, scope, "measured")
    assert row["ratio"] == pytest.approx(80.0 / ours_j)
    assert (row["tool"], row["kind"], row["operation"], row["rows"]) == ("zeus", "peer", "train", 7)
    assert (row["duration_s"], row["assumptions"]) == (8.0, "PUE 1.58")


def test_the_scope_is_the_one_reported_by_the_tool():
    (row,) = rows(reading("zeus", "cpu", 60.0, detail="RAPL", scope=("cpu", "dram")))
    assert (row["ours_j"], row["ours_scope"], row["assumptions"]) == (120.0, "cpu+dram", "RAPL")


def test_a_total_without_a_scope_is_over_the_tools_own_parts():
    made = rows(*(reading("zeus", name, 10.0) for name in ("package-0", "cpu", "gpu", "machine")))
    total = next(row for row in made if row["component"] == "machine")
    assert (total["ours_j"], total["ours_scope"]) == (150.0, "cpu+gpu")


def test_measured_and_modelled_are_never_added():
    ours = (reading("rapl", "cpu", 100.0), reading("codecarbon", "ram", 30.0, MODELLED))
    (row,) = rows(reading("zeus", "machine", 10.0, detail="x", scope=("cpu", "ram")), ours=ours)
    assert (row["ours_j"], row["ours_scope"], row["ratio"]) == (None, None, None)


def test_without_one_of_our_parts_there_is_no_ratio():
    ours = (reading("rapl", "cpu", 100.0), reading("rapl", "package-0", None))
    made = rows(reading("zeus", "gpu", 10.0), reading("zeus", "package-0", 10.0), ours=ours)
    assert [(row["value"], row["ours_j"], row["ratio"]) for row in made] == 2 * [(10.0, None, None)]


def test_our_energy_is_modelled_if_nothing_is_measured():
    ours = (reading("codecarbon", "cpu", 90.0, MODELLED), reading("codecarbon", "ram", 30.0, MODELLED))
    (row,) = rows(reading("zeus", "machine", 60.0, MODELLED, "x", scope=("cpu", "ram")), ours=ours)
    assert (row["ours_j"], row["ours_evidence"], row["ratio"]) == (120.0, "modelled", 0.5)


def test_a_null_keeps_its_reason_and_has_no_ratio():
    (row,) = rows(reading("zeus", "cpu", None))
    assert (row["value"], row["ratio"], row["reason"]) == (None, None, "a counter wrapped")
    assert row["ours_j"] == 100.0


def test_co2e_has_no_ratio_to_joules():
    (row,) = rows(reading("zeus", "machine", 1e-3, detail="x", scope=("cpu",), quantity=Quantity.CO2E))
    assert (row["quantity"], row["unit"], row["ratio"]) == ("co2e", "kg", None)


def test_other_quantities_and_other_tools_have_no_row():
    power = reading("zeus", "cpu", 5.0, quantity=Quantity.POWER_MEAN)
    assert rows(power, reading("perun", "cpu", 5.0)) == []


def test_a_run_without_a_record_is_a_row_with_the_reason():
    peer = {"tool": "perun", "operation": "train", "parameters": {"run_id": "p", "dataset": "toy"}}
    (row,) = peer_rows(peer | {"measurement": None, "reason": "did not finish within 600 s"})
    check_columns("peers", list(row))
    assert (row["run_id"], row["dataset"], row["tool"], row["value"]) == ("p", "toy", "perun", None)
    assert row["reason"] == "did not finish within 600 s"


@pytest.mark.parametrize("peer", [{}, {"tool": "zeus"}, [], {"operation": 1, "tool": 2, "measurement": {"x": 1}}])
def test_contents_that_no_stage_wrote_are_refused(peer):
    with pytest.raises(InputError, match="baler-energy peer"):
        peer_rows(peer)
