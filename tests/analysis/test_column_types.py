"""Types of columns, from real errors of real columns."""

import numpy as np
import pandas as pd
import pytest

from baler_energy.analysis.column_types import MEANINGS, column_types, errors_by_type
from baler_energy.analysis.error_measures import column_errors

_ROWS = 20_000


@pytest.fixture(scope="module")
def errors() -> pd.DataFrame:
    random = np.random.default_rng(1)
    columns = {
        "phi": ("float32", random.uniform(-3, 3, _ROWS)),
        "gauss": ("float64", random.normal(size=_ROWS)),
        "pt": ("float32", random.pareto(2.6, _ROWS)),
        "sparse": ("float32", random.normal(size=_ROWS) * (random.random(_ROWS) < 0.8)),
        "pt_but_a_count": ("int32", np.round(random.pareto(2.6, _ROWS))),
        "few_zeros": ("float32", random.normal(size=_ROWS) * (random.random(_ROWS) < 0.95)),
        "constant": ("float32", np.ones(_ROWS)),
    }
    table = np.column_stack([values for _, values in columns.values()])
    found = column_errors(table, table + 0.1, list(columns), [dtype for dtype, _ in columns.values()])
    return found.assign(run_id="a")


def test_a_type_follows_from_values_and_format(errors: pd.DataFrame):
    types = dict(zip(errors["column"], column_types(errors), strict=True))
    integers, zeros, heavy, other = MEANINGS
    assert types == {
        "phi": other,
        "gauss": other,
        "pt": heavy,
        "sparse": zeros,
        "pt_but_a_count": integers,
        "few_zeros": other,
        "constant": None,
        "all": None,
    }


def test_names_have_no_influence(errors: pd.DataFrame):
    renamed = errors.assign(column=[f"c{n}" for n in range(len(errors) - 1)] + ["all"])
    assert column_types(renamed).tolist() == column_types(errors).tolist()


def test_errors_are_averaged_over_the_columns_of_a_type(errors: pd.DataFrame):
    found = errors_by_type(errors).set_index("type")
    assert found["columns"].sum() == 6
    own = errors.set_index("column")["nrmse"]
    assert found.loc["other", "nrmse"] == pytest.approx(own[["phi", "gauss", "few_zeros"]].mean())


def test_unknown_facts_give_no_type():
    """Files of other versions lack the counts."""
    facts = ["zero_count", "nonzero_count", "integer_count"]
    row = {"run_id": "a", "column": "x", "nrmse": 0.1, "trivial_rms_over_range": None} | dict.fromkeys(facts)
    assert errors_by_type(
        pd.DataFrame([row]).astype(dict.fromkeys([*facts, "trivial_rms_over_range"], "float64"))
    ).empty
