"""Laws of cost: known ones are recovered, evidences stay apart, and withheld runs check them."""

import numpy as np
import pytest
from known_law import ENERGY, IDLE_W, TIME, cost, known_runs, point

from baler_energy.analysis.law import LARGEST, Law, drawn, fitted, interval, largest_tenth, laws, withheld
from baler_energy.analysis.work import with_work, work

#: A job beyond all runs.
LARGE = {"rows": 1_000_000, "epochs": 30, "batch_size": 512}


@pytest.mark.long
def test_known_laws_are_recovered_within_their_intervals() -> None:
    covered: dict[tuple[str, str], int] = {}
    for seed in range(100):
        (law,) = laws(known_runs(seed=seed, operations=["train"]))
        assert law.costs.energy is not None and law.costs.static_power_w == pytest.approx(IDLE_W)
        for quantity, true, one in (("time", TIME, law.costs.time), ("energy", ENERGY, law.costs.energy)):
            assert [c.term for c in one.coefficients] == list(true)
            for c in one.coefficients:
                inside = c.low <= true[c.term] <= c.high
                covered[quantity, c.term] = covered.get((quantity, c.term), 0) + inside
    assert min(covered.values()) >= 90, covered


def test_a_known_law_is_recovered() -> None:
    (law,) = laws(known_runs(noise=0.001, operations=["train"]))
    for true, one in ((TIME, law.costs.time), (ENERGY, law.costs.energy)):
        assert one is not None
        assert {c.term: c.value for c in one.coefficients} == pytest.approx(true, rel=0.02)


def test_each_operation_machine_and_number_of_threads_has_its_own_law() -> None:
    runs = known_runs()
    assert [law.about["operation"] for law in laws(runs)] == ["train", "compress", "decompress"]
    half = runs["rows"] == 200
    other = runs.assign(threads=runs["threads"].where(half, 2))
    assert sorted((law.about["operation"], law.about["threads"]) for law in laws(other)) == sorted(
        (operation, threads) for operation in ("train", "compress", "decompress") for threads in (1, 2)
    )
    (law,) = laws(known_runs(operations=["train"]))
    # Two batch sizes above the 200 rows are the same work.
    assert (law.runs, law.points, law.evidence, law.scope) == (81, 72, "measured", "cpu")
    assert law.largest["rows_passed"] == 30_000 * 12


def test_a_simulated_machine_has_laws_of_its_own() -> None:
    runs = known_runs(operations=["train"])
    notes = runs["rows"].map({200: "simulated"}).astype("string")
    names = [law.about["machine"] for law in laws(runs.assign(run_notes=notes))]
    assert names == ["Example CPU", "Example CPU, simulated"]


def test_modelled_energy_has_no_static_part() -> None:
    (law,) = laws(known_runs(operations=["train"], measured=False))
    assert law.costs.static_power_w is None and law.evidence == "modelled"
    # The idle power is then a part of every coefficient.
    true = {name: ENERGY[name] + IDLE_W * TIME[name] for name in TIME}
    assert law.costs.energy is not None
    for one in law.costs.energy.coefficients:
        assert one.value == pytest.approx(true[one.term], rel=0.2)


def test_measured_and_modelled_energies_never_share_a_law() -> None:
    runs = known_runs(operations=["train"])
    runs["energy_evidence"] = runs["energy_evidence"].where(runs["batch_size"] > 64, "modelled")
    found = laws(runs)
    assert [law.evidence for law in found] == ["measured", "modelled"] and [law.runs for law in found] == [54, 27]


def test_flagged_runs_are_in_no_law() -> None:
    runs = known_runs(operations=["train"])
    bad = runs["batch_size"] == 64
    worse = runs.assign(
        in_mean=~bad,
        duration_median_s=runs["duration_median_s"].where(~bad, 100 * runs["duration_median_s"]),
    )
    assert laws(worse) == laws(runs[~bad])


def test_without_energy_there_is_a_law_of_time() -> None:
    runs = known_runs(operations=["train"]).assign(energy_j=np.nan, energy_evidence=None, energy_scope=None)
    (law,) = laws(runs)
    assert law.costs.energy is None and law.evidence is None and drawn(law, work(point(), "train"))[1] is None


def test_a_few_points_have_no_law() -> None:
    assert laws(known_runs(grid={"rows": (200, 3_000, 30_000)})) == []
    assert withheld(known_runs(grid={"rows": (200, 3_000, 30_000)})).empty
    assert laws(known_runs().iloc[:0]) == [] and fitted(known_runs().iloc[:0]).empty


def test_the_largest_tenth_is_withheld_and_never_everything() -> None:
    part = with_work(known_runs(operations=["train"]))
    far = largest_tenth(part)
    assert 0.05 < far.mean() < 0.15 and part.loc[far, "size"].min() > part.loc[~far, "size"].max()
    same = with_work(known_runs(operations=["train"], grid={"batch_size": (64, 512, 1024, 2048, 4096)}))
    assert not largest_tenth(same).any()
    two = with_work(known_runs(operations=["train"], grid={"rows": (200, 3_000), "batch_size": (64, 512, 2048)}))
    assert two.loc[largest_tenth(two), "rows"].unique().tolist() == [3_000]


def test_a_law_predicts_withheld_runs_and_simpler_ones_do_not() -> None:
    found = withheld(known_runs())
    found = found.assign(**{name: (found[name] / found["value"] - 1).abs() for name in ("law", "proportional")})
    for _, part in found.groupby(["operation", "case", "quantity"]):
        assert part["law"].median() < 0.06 < part["proportional"].median()
    largest = found[found["case"] == LARGEST]
    assert (largest["factor"] > 1).all() and set(found["quantity"]) == {"time", "energy"}
    models = found[found["case"] != LARGEST]
    assert set(models["model"]) == {"baler-small", "baler", "baler-x2"}


def test_the_nearest_neighbour_is_a_run_of_the_fit() -> None:
    runs = known_runs(operations=["train"], noise=0.0)
    found = withheld(runs)
    largest = found[(found["case"] == LARGEST) & (found["quantity"] == "time")]
    assert set(largest["neighbour"].round(9)) <= set(runs["duration_s"].round(9)) - set(largest["value"].round(9))


def test_a_law_without_noise_predicts_exactly() -> None:
    found = fitted(known_runs(noise=0.0))
    assert (found["law"] / found["value"]).to_numpy() == pytest.approx(1.0)
    assert len(found) == 2 * 3 * 81


@pytest.mark.long
def test_forecasts_beyond_the_runs_hold_the_truth() -> None:
    amounts = work(point(**LARGE), "train")
    seconds = cost(TIME, amounts)
    true = {"time": seconds, "energy": cost(ENERGY, amounts) + IDLE_W * seconds}
    inside = {"time": 0, "energy": 0}
    for seed in range(50):
        (law,) = laws(known_runs(seed=seed, operations=["train"]))
        for quantity, values in zip(true, drawn(law, amounts), strict=True):
            assert values is not None
            found = interval(values)
            assert found.low <= found.value <= found.high
            inside[quantity] += found.low <= true[quantity] <= found.high
    assert min(inside.values()) >= 45, inside


def test_a_law_reads_back_from_json() -> None:
    for law in laws(known_runs()):
        assert Law.model_validate_json(law.model_dump_json()) == law
    broken = law.model_dump(mode="json")
    broken["costs"]["energy"]["draws"] = []
    with pytest.raises(ValueError, match="same number of draws"):
        Law.model_validate(broken)


def test_the_model_of_most_points_is_not_withheld() -> None:
    runs = known_runs(operations=["train"])
    few = runs[(runs["model"] == "baler") | (runs["epochs"] == 1)]
    found = withheld(few)
    assert set(found.loc[found["case"] != LARGEST, "model"]) == {"baler-small", "baler-x2"}
