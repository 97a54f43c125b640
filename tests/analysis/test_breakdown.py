"""Categories of a call tree."""

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import baler_energy
from baler_energy.analysis.breakdown import CATEGORIES, REST, breakdown, functions_of, over_epochs
from baler_energy.variants import ENGINES, load

LAYERS, SCALING, COLLECTING = "products and activations", "scaling and rounding", "collecting output"
THREADS = "work in other threads"


def call(stack: str, share: float, file: str | None = None) -> dict[str, Any]:
    return {"name": stack.rpartition(";")[2], "stack": stack, "total_share": share, "file": file}


TREE = [
    call("main", 1.0, "baler/baler.py"),
    call("main;decompress", 0.9, "baler/modules/helper.py"),
    call("main;decompress;decode", 0.4, "baler/modules/models.py"),
    call("main;decompress;decode;_wrapped_call_impl", 0.39, "torch/nn/modules/module.py"),
    call("main;decompress;concatenate", 0.2, "<__array_function__ internals>"),
    call("main;decompress;concatenate;savez", 0.1, "numpy/lib/npyio.py"),
    call("main;renormalize", 0.05, "baler/modules/helper.py"),
    call("main;savez", 0.02, "<__array_function__ internals>"),
]


def test_the_outermost_known_function_decides() -> None:
    found = breakdown(TREE, "upstream")
    known = {LAYERS: 0.4, COLLECTING: 0.2, SCALING: 0.05, "files": 0.02, REST: 0.33}
    assert found == pytest.approx(dict.fromkeys(CATEGORIES, 0.0) | known)


def test_the_same_name_in_another_file_is_another_function() -> None:
    assert breakdown([call("main", 1.0), call("main;decode", 0.4, "json/decoder.py")], "upstream")[REST] == 1.0


def test_unknown_functions_are_rest() -> None:
    assert breakdown([], "fast")[REST] == 1.0


NAMES = st.sampled_from(
    [("decode", "baler/modules/models.py"), ("concatenate", "<__array_function__ internals>"), ("other", None)]
)


@st.composite
def trees(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Call trees of up to three levels, callees within their callers."""
    rows: list[dict[str, Any]] = []

    def grow(stack: str, share: float, level: int) -> None:
        for _ in range(draw(st.integers(0, 3)) if level < 3 else 0):
            part = share * draw(st.floats(0, 0.33))
            name, file = draw(NAMES)
            rows.append(call(f"{stack};{name}", part, file))
            grow(f"{stack};{name}", part, level + 1)

    rows.append(call("main", 1.0))
    grow("main", 1.0, 0)
    return rows


@given(trees())
def test_shares_add_up_to_1_for_any_call_tree(rows: list[dict[str, Any]]) -> None:
    found = breakdown(rows, "upstream")
    assert sum(found.values()) == pytest.approx(1) and min(found.values()) >= 0


def test_shares_that_exceed_the_whole_are_scaled() -> None:
    rows = [call("decode", 0.9, "baler/modules/models.py"), call("savez", 0.6, "numpy/lib/npyio.py")]
    found = breakdown(rows, "upstream")
    assert (found[LAYERS], found["files"], found[REST]) == pytest.approx((0.6, 0.4, 0.0))


def test_waiting_for_other_threads_is_separate() -> None:
    tree = [
        call("compress", 1.0, "codecs/baler/streaming.py"),
        call("compress;result", 0.8, "concurrent/futures/_base.py"),
        call("compress;result;wait", 0.8, "threading.py"),
        call("compress;submit", 0.1, "concurrent/futures/thread.py"),
    ]
    found = breakdown(tree, "fast")
    assert (found[THREADS], found[REST]) == pytest.approx((0.9, 0.1))


def test_what_a_training_does_once_weighs_less_in_a_longer_one() -> None:
    # Baler itself under cProfile, 12,800 rows: of one epoch 20 % are scaling, of five 5.4 %.
    one = dict.fromkeys([*CATEGORIES, REST], 0.0) | {LAYERS: 0.787, SCALING: 0.2, "files": 0.013}
    five = over_epochs(one, 5)
    assert five[SCALING] == pytest.approx(0.2 / (0.213 + 5 * 0.787))
    assert five["files"] / five[SCALING] == pytest.approx(one["files"] / one[SCALING])


@given(trees(), st.integers(1, 1000))
def test_shares_over_epochs_add_up_to_1_and_one_epoch_changes_nothing(rows: list[dict[str, Any]], epochs: int) -> None:
    found = breakdown(rows, "upstream")
    assert over_epochs(found, 1) == pytest.approx(found)
    longer = over_epochs(found, epochs)
    assert sum(longer.values()) == pytest.approx(1)
    assert longer[SCALING] <= found[SCALING] + 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_our_functions_of_the_table_exist(engine: str) -> None:
    root = Path(baler_energy.__file__).parent
    for functions in functions_of(engine).values():
        for place, names in functions:
            if place.startswith("codecs/"):
                tree = ast.parse((root / place).read_text(encoding="utf-8"))
                defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
                assert set(names) <= defined, place
            assert not place.startswith("baler_energy/") or (root.parent / place).is_dir()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_names_its_own_functions_in_known_categories(engine: str) -> None:
    (module,) = ENGINES[engine]["figures"]
    own = load(module).CALLS
    assert own and set(own) <= set(CATEGORIES)
    assert functions_of(engine).keys() == CATEGORIES.keys()
    ((place, (name, *_)), *_) = own["loss"]
    assert breakdown([call("main", 1.0), call(f"main;{name}", 0.4, place)], engine)["loss"] == pytest.approx(0.4)


def test_functions_in_a_folder_have_its_category() -> None:
    tree = [
        call("main", 1.0),
        call("main;wrapper", 0.5, "torch/optim/optimizer.py"),
        call("main;rows_of", 0.2, "baler_energy/formats/npz.py"),
        call("main;zero_grad", 0.1, "torch/optim/optimizer.py"),
    ]
    found = breakdown(tree, "reference")
    assert (found["optimizer"], found["files"], found[REST]) == pytest.approx((0.5, 0.2, 0.3))
