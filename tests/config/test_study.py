"""The typed configuration and its grid."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy import commands
from baler_energy.config.measuring import Peer, StudyMeter
from baler_energy.config.shown import phrase_of
from baler_energy.config.study import load_study
from baler_energy.errors import InputError
from baler_energy.vocabulary import PEERS, STUDY_METERS

Build = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def one_at_a_time(study: Build) -> Build:
    """Return a function that describes a study around a reference, with upstream and our engine."""

    def described(**changes: Any) -> dict[str, Any]:
        reference = {"dataset": "toy", "rows": 100, "epochs": 1}
        axes = {"rows": [100, 200], "engine": ["upstream", "reference"]}
        return study(design="one-at-a-time", reference=reference, axes=axes, repeats=1) | changes

    return described


def test_factorial_is_the_product_of_axes_and_repeats(study):
    points = load_study(study()).points
    assert len(points) == len(set(points)) == 2 * 2 * 2
    assert {(p.rows, p.epochs, p.repeat) for p in points} == {
        (r, e, k) for r in (100, 200) for e in (1, 2) for k in (0, 1)
    }


def test_one_at_a_time_changes_one_axis_of_the_reference(study):
    reference = {"dataset": "toy", "rows": 100, "epochs": 1}
    points = load_study(
        study(design="one-at-a-time", reference=reference, axes={"rows": [100, 200, 300], "epochs": [1, 5]}, repeats=1)
    ).points
    assert {(p.rows, p.epochs) for p in points} == {(100, 1), (200, 1), (300, 1), (100, 5)}


def test_paths_leave_out_defaults_and_spell_out_the_rest(study):
    paths = [p.path for p in load_study(study(repeats=1)).points]
    assert paths[0] == "toy/rows~100/epochs~1/repeat~0"
    axes = {"rows": [100], "epochs": [1], "batch_size": [64], "compression_ratio": [1.5, 4], "precision": ["float32"]}
    paths = [p.path for p in load_study(study(axes=axes, repeats=1)).points]
    assert paths == [
        "toy/rows~100/precision~float32/batch_size~64/compression_ratio~1.5/epochs~1/repeat~0",
        "toy/rows~100/precision~float32/batch_size~64/compression_ratio~4/epochs~1/repeat~0",
    ]


def test_threads_are_an_axis_whose_default_leaves_paths_as_they_were(study):
    loaded = load_study(study(axes={"rows": [100], "epochs": [1], "threads": ["auto", 1, 16]}, repeats=1))
    assert [p.path for p in loaded.points] == [
        "toy/rows~100/epochs~1/repeat~0",
        "toy/rows~100/threads~1/epochs~1/repeat~0",
        "toy/rows~100/threads~16/epochs~1/repeat~0",
    ]
    words = [commands.point_options(loaded, point) for point in loaded.points]
    assert [options[options.index("--threads") + 1] for options in words] == ["auto", "1", "16"]


def test_points_follow_the_order_of_the_axes_in_every_process(study):
    axes = {
        "epochs": [2],
        "threads": [1],
        "batch_size": [64],
        "precision": ["float32"],
        "rows": [200],
        "model": ["64-32"],
    }
    reference = {"dataset": "toy", "rows": 100, "epochs": 1}
    loaded = load_study(study(design="one-at-a-time", reference=reference, axes=axes, repeats=1))
    changed = [[axis for axis in axes if getattr(p, axis) != getattr(loaded.points[0], axis)] for p in loaded.points]
    in_order = [axis for axis in type(loaded.axes).model_fields if axis in axes]
    assert changed == [[], *([axis] for axis in in_order)]


def test_threads_vary_around_the_reference_and_a_profile_selects_among_them(study):
    around = {"design": "one-at-a-time", "reference": {"dataset": "toy", "rows": 100, "epochs": 1}}
    axes, profile = {"rows": [100, 200], "threads": [1]}, {"points": [{"rows": 100, "threads": "auto"}]}
    loaded = load_study(study(**around, axes=axes, repeats=1, profile=profile))
    assert {(p.rows, p.threads) for p in loaded.points} == {(100, "auto"), (200, "auto"), (100, 1)}
    assert [(p.rows, p.threads) for p in loaded.profiled] == [(100, "auto")]


@given(
    st.lists(st.integers(2, 10**7), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(1, 999), min_size=1, max_size=4, unique=True),
    st.integers(2, 10**7),
)
def test_a_value_added_anywhere_changes_no_other_path_nor_its_options(study, rows, batch_sizes, extra):
    def described(values):
        loaded = load_study(study(axes={"rows": values, "epochs": [1], "batch_size": batch_sizes}))
        return {path: (commands.point_options(loaded, p), loaded.order[path]) for path, p in loaded.by_path.items()}

    before = described(rows)
    for place in range(len(rows) + 1):
        after = described(list(dict.fromkeys([*rows[:place], extra, *rows[place:]])))
        assert before.items() <= after.items()


def test_paths_are_unique_and_the_order_is_shuffled_by_the_seed(study):
    axes = {"rows": list(range(100, 140)), "epochs": [1]}
    one, two = (load_study(study(axes=axes, seed=seed)) for seed in (1, 2))
    assert len(one.by_path) == len(one.points) == 80
    ordered = sorted(one.by_path, key=one.order.__getitem__)
    assert ordered != list(one.by_path)
    assert ordered != sorted(two.by_path, key=two.order.__getitem__)


def test_repeats_have_their_own_seeds_and_points_of_a_repeat_share_one(study):
    loaded = load_study(study(seed=7))
    assert {loaded.seed_of(p) for p in loaded.points} == {7, 8}
    assert len({loaded.seed_of(p) for p in loaded.points if p.repeat == 1}) == 1


def test_shards_for_more_rows_include_those_for_fewer(study):
    loaded = load_study(study(data={"toy": {"source": "toy", "shard_rows": 100, "seed": 5}}))
    # A fifth of the rows is held out.
    assert loaded.shard_seeds("toy", "83") == (50_000,)
    assert loaded.shard_seeds("toy", "84") == (50_000, 50_001)
    none = load_study(study(data={"toy": {"source": "toy", "shard_rows": 100}}, training={"held_out": 0}))
    assert len(none.shard_seeds("toy", "100")) == 1


def test_held_out_rows_are_a_share(study):
    for share in (-0.1, 1.1, "many"):
        with pytest.raises(InputError, match=r"training\.held_out"):
            load_study(study(training={"held_out": share}))


@given(st.integers(100, 10**6), st.integers(2, 10**12), st.floats(0, 1), st.integers(1, 79_999))
def test_datasets_of_different_seeds_share_no_shard_or_are_refused(study, shard_rows, rows, held_out, seed):
    toy = {"source": "toy", "shard_rows": shard_rows}
    data = {"a": toy | {"seed": seed}, "b": toy | {"seed": seed + 1}}
    described = study(data=data, axes={"rows": [rows], "epochs": [1]}, training={"held_out": held_out})
    shards = -(-(rows + math.ceil(rows * held_out)) // shard_rows)
    if shards > 10_000:
        with pytest.raises(
            InputError, match=r"need \d+ shards, but a seed has only 10000: set 'shard_rows' to at"
        ) as found:
            load_study(described)
        # What the message says to do is enough.
        enough = int(str(found.value).partition("at least ")[2].split()[0].strip(".'"))
        load_study({**described, "data": {"a": {**data["a"], "shard_rows": enough}}})
    else:
        loaded = load_study(described)
        shared = set(loaded.shard_seeds("a", str(rows))) & set(loaded.shard_seeds("b", str(rows)))
        assert not shared and len(loaded.shard_seeds("a", str(rows))) == shards


def test_datasets_whose_names_differ_in_case_only_are_refused(study):
    data = {"jets": {"source": "toy"}, "Jets": {"source": "toy", "seed": 2}}
    with pytest.raises(InputError, match="datasets 'jets' and 'Jets' would share a folder"):
        load_study(study(data=data))


NUMBERS = {"compression_ratio": st.floats(1, 1e9), "learning_rate": st.floats(0, 1, exclude_min=True)}


@given(st.data(), st.sampled_from(sorted(NUMBERS)))
def test_distinct_points_have_distinct_paths_options_and_names(study, data, axis):
    value = data.draw(NUMBERS[axis])
    near = data.draw(st.sampled_from([value, math.nextafter(value, 1), value * (1 + 1e-7), value * (1 - 1e-7)]))
    more = data.draw(st.lists(NUMBERS[axis], max_size=3))
    high = 1.0 if axis == "learning_rate" else math.inf
    values = list(dict.fromkeys(one for one in (value, near, *more) if 0 < one <= high and (high == 1 or one >= 1)))
    loaded = load_study(study(axes={"rows": [100], "epochs": [1], axis: values}, repeats=1))
    assert len({point.path for point in loaded.points}) == len(loaded.points) == len(values)
    options = {tuple(commands.point_options(loaded, point)) for point in loaded.points}
    assert len(options) == len(values)
    assert len({phrase_of(axis, one) for one in values}) == len(values)
    for point in loaded.points:
        written = [part.partition("~")[2] for part in point.path.split("/") if part.startswith(f"{axis}~")]
        assert [float(text) for text in written] in ([getattr(point, axis)], []), "the path has the value"


def test_datasets_of_different_seeds_share_no_shard(study):
    data = {name: {"source": "toy", "shard_rows": 100, "seed": seed} for name, seed in (("a", 1), ("b", 2))}
    loaded = load_study(study(data=data))
    assert not set(loaded.shard_seeds("a", "100000")) & set(loaded.shard_seeds("b", "100000"))


def test_country_and_pue_reach_no_command_of_a_measured_stage(study):
    options = []
    for country in ("CHE", "POL"):
        loaded = load_study(study(country=country, pue=1.0 if country == "CHE" else 1.5))
        point = loaded.points[0]
        options.append(
            [
                commands.point_options(loaded, point),
                commands.training_options(loaded),
                commands.session_options(loaded, Path("idle")),
                commands.prepare_options(loaded, "toy", "100"),
            ]
        )
    assert options[0] == options[1]


def test_a_study_without_a_carbon_intensity_only_reports_energy(study):
    loaded = load_study(study(country=None))
    assert (loaded.country, loaded.carbon_intensity_g_per_kwh, loaded.carbon_intensity_csv) == (None, None, None)


def test_the_users_logs_are_inputs_of_the_collection(study):
    loaded = load_study(study(country=None, carbon_intensity_csv="hours.csv", wattmeter={"path": "watts.csv"}))
    assert loaded.logs == ("hours.csv", "watts.csv")
    assert load_study(study()).logs == ()


def test_meters_and_peers_are_those_of_the_vocabulary():
    assert get_args(StudyMeter) == STUDY_METERS
    assert get_args(Peer) == PEERS


def test_peers_measure_the_first_repeat_of_their_points(study):
    loaded = load_study(study(peers={"tools": ["zeus"], "points": [{"rows": 100}]}))
    assert {point.repeat for point in loaded.peer_points} == {0}
    assert {point.rows for point in loaded.peer_points} == {100}


def test_text_of_a_file_dataset_stays_one_word_each(study):
    data = {"mine": {"source": "file", "path": "a b.root", "tree": "x; rm -rf y", "columns": ["a b", "$(c)"]}}
    loaded = load_study(study(data=data))
    words = commands.prepare_options(loaded, "mine", "all")
    assert "x; rm -rf y" in words
    assert words[words.index("--columns") + 1 :][:2] == ["a b", "$(c)"]


def test_further_points_differ_from_the_reference_in_several_values(study):
    reference = {"dataset": "toy", "rows": 100, "epochs": 1}
    found = load_study(
        study()
        | {"design": "one-at-a-time", "reference": reference, "axes": {"model": ["baler", "64-32"]}, "repeats": 1}
        | {"also": [{"engine": "fast", "precision": "bfloat16", "packing": "zstd+bound-0.01"}, {"rows": 100}]}
    )
    assert list(found.by_path) == [
        "toy/rows~100/epochs~1/repeat~0",
        "toy/rows~100/model~64-32/epochs~1/repeat~0",
        "toy/rows~100/engine~fast/precision~bfloat16/packing~zstd+bound-0.01/epochs~1/repeat~0",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"also": [{"rows": 1}]}, r"also\[0\]: rows: is 1; should be greater"),
        ({"also": [{"colour": "red"}]}, r"also\[0\]: colour: unknown key"),
        (
            {"also": [{"precision": "bfloat16"}]},
            "precision 'bfloat16' is not supported by engine 'reference', only by 'fast'",
        ),
        (
            {"also": [{"engine": "fast", "precision": "float16", "device": "cpu"}]},
            "precision 'float16' requires a GPU",
        ),
        ({"axes": {"model": ["x"]}}, "axes.model.0: is \"x\"; model 'x' is not supported"),
        ({"axes": {"packing": ["zip"]}}, "axes.packing.0: is \"zip\"; packing 'zip': 'zip' is not supported"),
    ],
)
def test_values_that_an_engine_does_not_support_are_refused(study, changes, message):
    reference = {"dataset": "toy", "rows": 100, "epochs": 1}
    with pytest.raises(InputError, match=message):
        load_study(study() | {"design": "one-at-a-time", "reference": reference, "axes": {"rows": [100]}} | changes)


def test_networks_are_sized_if_points_only_differ_in_the_model(study):
    assert load_study(study()).sized == ()
    axes = {"rows": [100], "epochs": [1], "model": ["baler", "baler-small"], "engine": ["reference", "fast"]}
    found = load_study(study(axes=axes)).sized
    assert {(point.engine, point.model) for point in found} == {("reference", "baler"), ("reference", "baler-small")}
    reference = {"dataset": "toy", "rows": 100, "epochs": 1}
    one = study(design="one-at-a-time", reference=reference, axes={"rows": [100, 200], "model": ["7"]}, repeats=1)
    assert [(point.rows, point.model) for point in load_study(one).sized] == [(100, "baler"), (100, "7")]


def test_further_points_need_a_reference(study):
    with pytest.raises(InputError, match="the key 'also' belongs to design 'one-at-a-time'"):
        load_study(study() | {"also": [{"rows": 100}]})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"axes": {"precision": ["float32"]}}, "precision 'float32' is not supported by engine 'upstream'"),
        ({"axes": {"model": ["baler", "baler-x0.5"]}}, "model 'baler-x0.5'"),
        ({"axes": {"packing": ["zstd"]}}, "packing 'zstd'"),
        ({"axes": {"start": ["random", "pca"]}}, "start 'pca'"),
        ({"axes": {"schedule": ["constant", "one-cycle"]}}, "schedule 'one-cycle'"),
        ({"axes": {"optimizer": ["sgd"]}}, "optimizer 'sgd'"),
        ({"axes": {"pruning": ["neurons-0.5"]}}, "pruning 'neurons-0.5'"),
        ({"training": {"shuffle": True}}, "shuffle"),
        ({"training": {"plateau_patience": 3}}, "plateau_patience"),
        ({"training": {"stop_at_loss": 0.1}}, "stop_at_loss"),
        ({"training": {"stop_at_gain": 0.1}}, "stop_at_gain"),
    ],
)
def test_values_that_upstream_does_not_support_are_reported_at_load_time(study, changes, named):
    axes = {"rows": [100], "epochs": [1], "engine": ["reference", "upstream"]} | changes.pop("axes", {})
    with pytest.raises(InputError, match=named):
        load_study(study(axes=axes, **changes))


def test_upstream_supports_its_small_network_and_early_stopping(study):
    axes = {"rows": [100], "epochs": [1], "engine": ["upstream"], "model": ["baler", "baler-small", "200-100-50"]}
    assert len(load_study(study(axes=axes, training={"early_stopping_patience": 3}, repeats=1)).points) == 3


def test_keys_of_the_training_are_the_defaults_of_axes(study, one_at_a_time):
    """Studies from before the axes stay valid; a value of the axis comes first."""
    training = {"learning_rate": 0.01, "plateau_patience": 3}
    axes = {"rows": [100], "epochs": [1]}
    (old,) = load_study(study(axes=axes, training=training, repeats=1)).points
    assert (old.learning_rate, old.schedule) == (0.01, "plateau")
    assert old.path == "toy/rows~100/epochs~1/learning_rate~0.01/schedule~plateau/repeat~0"
    axes |= {"learning_rate": [0.02], "schedule": ["constant", "one-cycle"]}
    new = load_study(study(axes=axes, training=training, repeats=1)).points
    assert [(p.learning_rate, p.schedule) for p in new] == [(0.02, "constant"), (0.02, "one-cycle")]
    around = one_at_a_time(training=training, axes={"rows": [100, 200], "learning_rate": [0.03]})
    assert [(p.rows, p.learning_rate, p.schedule) for p in load_study(around).points] == [
        (100, 0.01, "plateau"),
        (200, 0.01, "plateau"),
        (100, 0.03, "plateau"),
    ]
    (plain,) = load_study(study(axes={"rows": [100], "epochs": [1]}, training={"shuffle": True}, repeats=1)).points
    assert (plain.learning_rate, plain.schedule) == (None, "constant")
    assert plain.path == "toy/rows~100/epochs~1/repeat~0"


def test_a_learning_rate_out_of_range_is_refused(study):
    with pytest.raises(InputError, match=r"training\.learning_rate"):
        load_study(study(training={"learning_rate": 2.0}))


def test_a_study_without_an_engine_is_the_study_that_never_had_it(one_at_a_time, tmp_path):
    also = [{"engine": "upstream", "rows": 200}, {"engine": "fast", "epochs": 2}]
    profile = {"points": [{"engine": "upstream", "rows": 200}, {"rows": 100, "epochs": 1}]}
    peers = {"tools": ["zeus"], "points": [{"engine": "upstream"}]}
    whole = load_study(one_at_a_time(also=also, profile=profile, peers=peers))
    rest = whole.without("engine", "upstream")
    assert [p.path for p in rest.points] == [p.path for p in whole.points if p.engine != "upstream"]
    assert {p.engine for p in rest.points} == {"reference", "fast"}
    assert rest.profiled == tuple(p for p in whole.profiled if p.engine != "upstream")
    assert rest.peers.tools == () and rest.peer_points == ()
    rest.write(tmp_path / "study.yaml")
    assert load_study(tmp_path / "study.yaml") == rest
    assert rest.without("engine", "upstream") == rest


@pytest.mark.parametrize("engines", [["upstream"], ["upstream", "fast"]])
def test_an_engine_is_removed_from_its_axis(one_at_a_time, engines):
    rest = load_study(one_at_a_time(axes={"engine": engines, "rows": [200]})).without("engine", "upstream")
    assert {(p.engine, p.rows) for p in rest.points} == {("reference", 100), ("reference", 200)} | {
        (engine, 100) for engine in engines if engine != "upstream"
    }


def test_nothing_is_left_without_the_only_engine_or_that_of_the_reference(study, one_at_a_time):
    assert (
        load_study(study(axes={"rows": [9], "epochs": [1], "engine": ["upstream"]})).without("engine", "upstream")
        is None
    )
    reference = {"dataset": "toy", "rows": 100, "epochs": 1, "engine": "upstream"}
    assert load_study(one_at_a_time(reference=reference)).without("engine", "upstream") is None
