"""The table of every measure of the error."""

from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.figures.tables.error_measures import TABLE
from baler_energy.figures.trivial import NAME

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def several(build: Callable[..., Tables], with_codecs: Callable[..., Tables]) -> Tables:
    """Trainings, and two codecs that are not trained."""
    return with_codecs(build(), {"quantise-0.01+pcodec": (0.002, 9.0), "quantise-0.1+pcodec": (0.02, 30.0)})


def test_every_codec_has_a_row_for_each_kind_of_rows_after_the_trivial_one(several: Tables) -> None:
    frame = TABLE.make(several)
    first, *others = frame.to_dict("records")
    assert (first["codec"], first["mean_rms_over_range"], first["mean_nrmse"]) == (NAME, pytest.approx(0.08), 1.0)
    assert (first["mean_explained_variance"], first["max_over_range"]) == (0.0, pytest.approx(0.9))
    errors = [row["mean_rms_over_range"] for row in others if row["rows"] == "compressed"]
    assert errors == sorted(errors)
    epochs = frame[frame["codec"].str.contains("epoch")]
    assert all(list(part["rows"]) == ["compressed", "held_out"] for _, part in epochs.groupby("codec"))
    wider = epochs.groupby("codec")["mean_rms_over_range"].agg(lambda pair: pair.iloc[1] / pair.iloc[0])
    assert list(wider) == pytest.approx([1.1] * len(wider))
    assert len(frame) == 1 + len(epochs) + 2


def test_the_page_names_the_centre_and_writes_unknown_values_as_dashes(several: Tables) -> None:
    frame = TABLE.make(several)
    rows = TABLE.rows(frame, 1000)
    assert rows[0]["zeros kept"] == "-" and rows[0]["n"] == ""
    assert all("±" in row["RMS / range"] for row in rows if "epoch" in row["codec"])
    assert {row["rows"] for row in rows} == {"compressed", "held out"}
    centre, trivial = TABLE.notes(frame, several)
    assert centre.startswith("At jets, ") and centre.endswith("CPU run.") and trivial.startswith("The trivial codec")


def test_without_runs_at_the_centre_the_table_is_empty(several: Tables) -> None:
    none = several | {"runs": several["runs"].iloc[:0]}
    assert TABLE.make(none).empty and TABLE.notes(TABLE.make(none), none) == []
