"""Settings at the error of Baler's default: the first page, figures and tables."""

from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.config.recommended import CHANGES, RECOMMENDED, RECOMMENDED_EPOCHS
from baler_energy.figures import overview
from baler_energy.figures.setting_rows import factor_words, headline

Tables = dict[str, pd.DataFrame]

#: Time of a change's training over that of the default after the same epochs, and its error over the default's.
EFFECTS = ((0.6, 1.0), (0.5, 1.0), (1.0, 0.05), (1.0, 0.9))


@pytest.fixture(scope="module")
def settings(build: Callable[..., Tables]) -> Tables:
    """Tables of a study of Baler's default with 25 epochs, each recommended change alone, and all together."""
    tables = build()
    return {**tables, "runs": with_settings(tables["runs"])}


def with_settings(runs: pd.DataFrame) -> pd.DataFrame:
    """Add each change at all epochs, and all together."""
    around = runs[(runs["rows"] == 30_000) & (runs["batch_size"] == 512) & (runs["threads"] == 2)]
    added = [_changed(around, change, *effect) for change, effect in zip(CHANGES, EFFECTS, strict=True)]
    added.append(_changed(around, RECOMMENDED, 0.3, 0.045))
    return pd.concat([runs, *added], ignore_index=True)


def _changed(runs: pd.DataFrame, change, cost: float, error: float) -> pd.DataFrame:
    other = runs.assign(**change, run_id=f"{change}/" + runs["run_id"], at_centre=False)
    for name in ("energy_j", "duration_s", "duration_median_s"):
        other[name] *= cost
    for name in ("mean_rms_over_range", "held_out_mean_rms_over_range"):
        other[name] *= error
    return other.astype(runs.dtypes.drop([name for name in change if name == "learning_rate"]))


def test_the_first_page_states_the_factor(settings: Tables, tables: Tables) -> None:
    (said,) = headline(settings)
    assert said.startswith("At the error of Baler's default (25 epochs, ")
    assert "(engine fast, float32, start pca, learning rate 0.003, schedule one-cycle) takes at least " in said
    assert " times less time (" in said and " times less modelled energy (" in said and said.endswith("n = 3.")
    page = overview.overview(settings, "s", {})
    assert page.index("At the error of Baler's default") < page.index("Main numbers")
    assert headline(tables) == [] and "Baler's default" not in overview.overview(tables, "s", {})


def test_the_first_page_says_that_the_error_is_not_reached(settings: Tables) -> None:
    runs = settings["runs"]
    bad = (runs["start"] == "pca") & (runs["engine"] == "fast")
    (said,) = headline(
        {**settings, "runs": runs.assign(mean_rms_over_range=runs["mean_rms_over_range"].mask(bad, 1.0))}
    )
    assert "unknown: not reached in 3 of 3 repeats; lowest error up to 1" in said and "less" not in said


@pytest.mark.parametrize(
    ("factor", "at_least", "words"),
    [
        ((62.31, 55.04, 70.2), False, "62.3 times less time (55 to 70.2)"),
        ((62.31, 55.04, 70.2), True, "at least 62.3 times less time (55 to 70.2)"),
        ((0.5, 0.4, 0.8), False, "2 times more time (1.25 to 2.5)"),
        ((0.5, 0.4, 0.8), True, "at most 2 times more time (1.25 to 2.5)"),
        ((1234.0, float("nan"), float("nan")), False, "1,234 times less time"),
    ],
)
def test_factors_in_words(factor, at_least, words) -> None:
    row = dict(zip(("time_factor", "time_factor_low", "time_factor_high"), factor, strict=True))
    assert factor_words(row | {"time_at_least": at_least}, "time", "time") == words


def test_the_recommended_setting_has_few_epochs() -> None:
    assert RECOMMENDED_EPOCHS <= 5
