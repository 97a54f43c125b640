"""Settings at the error of Baler's default: the first page, figures and tables."""

import re
from collections.abc import Callable

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from baler_energy.analysis.savings import SETTING, setting_text
from baler_energy.analysis.target_loss import MOST_TARGETS
from baler_energy.config.recommended import BALER, CHANGES, RECOMMENDED, RECOMMENDED_EPOCHS
from baler_energy.figures import overview
from baler_energy.figures.base import NoData
from baler_energy.figures.readable import readable
from baler_energy.figures.savings.error_joules import draw_error_joules
from baler_energy.figures.savings.factors import draw_factors
from baler_energy.figures.savings.optimizers import _MARKS as MARKS
from baler_energy.figures.savings.optimizers import draw_optimizers
from baler_energy.figures.setting_families import FAMILIES, SEVERAL, family_of, setting_looks
from baler_energy.figures.setting_rows import factor_words, headline, recommended_text, stated_factor
from baler_energy.figures.style import styled
from baler_energy.figures.tables.optimizers import TABLE as OPTIMIZERS
from baler_energy.figures.tables.savings import TABLE

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
    return pd.concat([runs, *added], ignore_index=True).copy()  # one block per type, as in a table that is read


def _changed(runs: pd.DataFrame, change, cost: float, error: float) -> pd.DataFrame:
    other = runs.assign(**change, run_id=f"{change}/" + runs["run_id"], at_reference=False)
    for name in ("energy_j", "duration_s", "duration_median_s"):
        other[name] *= cost
    for name in ("mean_rms_over_range", "held_out_mean_rms_over_range"):
        other[name] *= error
    return other.astype(runs.dtypes.drop([name for name in change if name == "learning_rate"]))


def labels_of(panel: Axes) -> list[str]:
    """Return the texts of the legend without the line breaks."""
    return [" ".join(str(text).split()) for text in panel.get_legend_handles_labels()[1]]


def test_the_first_page_states_the_factor(settings: Tables, tables: Tables) -> None:
    (said,) = headline(settings)
    assert said.startswith("At the error of Baler's default (25 epochs, ")
    assert "(engine fast, float32, start pca, learning rate 0.003, schedule one-cycle) takes at least " in said
    assert " times less time (" in said and " times less modelled energy (" in said and said.endswith("n = 3.")
    assert "; at its held-out error at least " in said
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


@pytest.mark.parametrize(
    ("factor", "n", "at_least", "words"),
    [
        ((62.31, 55.04, 70.2), 3, False, "62.3 times less time (55 to 70.2)"),
        ((62.31, 40.0, 97.0), 3, False, "between 40 and 97 times less time"),
        ((62.31, 40.0, 97.0), 3, True, "at least 40 times less time"),
        ((62.31, 60.0, 64.7), 2, False, "between 60 and 64.7 times less time"),
        ((0.5, 0.25, 1.0), 3, False, "between 1 and 4 times more time"),
        ((62.31, float("nan"), float("nan")), 1, False, "an unknown factor (62.3 times less time in a single repeat)"),
    ],
)
def test_a_factor_that_is_too_uncertain_is_an_interval_on_the_first_page(factor, n, at_least, words) -> None:
    row = dict(zip(("time_factor", "time_factor_low", "time_factor_high"), factor, strict=True))
    assert stated_factor(row | {"time_n": n, "time_at_least": at_least}, "time", "time") == words


def test_the_figure_marks_default_and_recommended_and_the_front(settings: Tables) -> None:
    with styled():
        figure = draw_error_joules(settings)
    (panel,) = figure.axes
    names = labels_of(panel)
    assert {"Pareto front", "Baler's default", f"recommended: {recommended_text()}", "float32"} <= set(names)
    assert panel.get_xlabel().startswith("Energy of one training, modelled")
    shown = [text.get_text() for text in panel.texts]
    assert shown.count("25 epochs") == 2, "at the default and at the recommended setting"


def test_the_figure_marks_families_by_shape_and_their_settings_by_filling(settings: Tables) -> None:
    with styled():
        (panel,) = draw_error_joules(settings).axes
    lines = dict(zip(labels_of(panel)[1:], (one.lines[0] for one in panel.containers), strict=True))
    marks = {name: line.get_marker() for name, line in lines.items()}
    assert marks["batch size 128"] == marks["batch size 2048"] == FAMILIES["batch_size"][0]
    assert lines["batch size 128"].get_fillstyle() != lines["batch size 2048"].get_fillstyle()
    assert marks["start pca"] == FAMILIES["start"][0] and marks["float32"] == FAMILIES["precision"][0]
    cycle = "schedule: learning rate 0.003, schedule one-cycle"
    assert marks[cycle] == FAMILIES["schedule"][0] and lines[cycle].get_linestyle() == "-"
    assert lines["batch size 128"].get_linestyle() == ":", "no recommended change"


@pytest.mark.parametrize(
    ("changed", "family"),
    [
        (["engine"], "engine"),
        (["engine", "precision"], SEVERAL),
        (["engine", "precision", "optimizer"], "optimizer"),
        (["precision", "learning_rate", "schedule"], "schedule"),
        (["engine", "learning_rate"], "learning_rate"),
        (["start", "learning_rate", "schedule"], SEVERAL),
        (["engine", "precision", "start", "learning_rate", "schedule", "model"], "model"),
        (["optimizer", "threads"], SEVERAL),
        ([], SEVERAL),
    ],
)
def test_a_family_is_what_is_changed_besides_what_is_recommended(changed, family) -> None:
    assert family_of(changed) == family


def test_every_axis_of_a_setting_is_a_family_with_its_own_mark() -> None:
    assert {*SETTING, SEVERAL} == set(FAMILIES)
    assert len({marker for marker, _ in FAMILIES.values()} | {"o", "*"}) == len(FAMILIES) + 2


def test_networks_that_baler_does_not_read_are_marked(settings: Tables) -> None:
    runs = settings["runs"]
    around = runs[(runs["start"] == "pca") & (runs["engine"] == "reference")]
    others = ({"model": "skip-64"}, {"model": "200-100"}, {"pruning": "neurons-0.5"}, {"pruning": "weights-0.5"})
    added = [_changed(around, change, 1.0, 1.0) for change in others]
    more = {**settings, "runs": pd.concat([runs, *added], ignore_index=True).copy()}
    texts = readable(TABLE, TABLE.make(more)).set_index("change")["Baler reads it"]
    answers = {"model skip-64": "no", "model 200-100": "no", "pruning neurons-0.5": "padded"}
    for words, answer in (answers | {"pruning weights-0.5": "yes"}).items():
        assert [texts[name] for name in texts.index if words in name] == [answer]
    assert texts[recommended_text()] == "yes" and texts["product of the single factors"] == "-"
    with styled():
        figure = draw_error_joules(more)
        FigureCanvasAgg(figure).draw()
        (legend,) = figure.legends
        box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width, "long names are wrapped"
    names = labels_of(figure.axes[0])
    for words, answer in answers.items():
        assert [name for name in names if words in name and name.endswith(f"(read by Baler: {answer})")]
    assert sum("read by Baler" in name for name in names) == 3


def test_the_settings_of_a_family_look_different() -> None:
    looks = setting_looks({f"optimizer {n}": ["engine", "optimizer"] for n in range(14)} | {"start pca": ["start"]})
    assert next(iter(looks)) == "start pca" and {look["marker"] for look in list(looks.values())[1:]} == {"P"}
    assert len({str(look) for look in looks.values()}) == 15


def test_the_factors_are_shown_alone_multiplied_and_together(settings: Tables) -> None:
    with styled():
        figure = draw_factors(settings)
    time, energy = figure.axes
    assert energy.get_xlabel() == "Times less energy, modelled (1: as the default)"
    names = [text.get_text() for text in time.get_yticklabels()]
    assert names[:4] == [f"{setting_text({**BALER, **change})}, alone" for change in CHANGES]
    assert names[4] == "product of the single factors" and names[5].startswith("all together: engine fast")
    ends = [bar.get_x() + bar.get_width() for bar in time.patches]
    assert ends[:2] == pytest.approx([1 / 0.6, 1 / 0.5], rel=0.15)
    assert ends[4] == pytest.approx(ends[0] * ends[1] * ends[2] * ends[3])
    assert any(text.get_text().startswith("at least") for text in time.texts)


def test_the_table_has_the_recommended_changes_first(settings: Tables, tables: Tables) -> None:
    card = TABLE.make(settings)
    assert card["part"].tolist() == [*["alone"] * 4, "product", "together", "excess", "stopped", *["other"] * 4]
    texts = readable(TABLE, card)
    assert texts["change"].iloc[5] == recommended_text() and texts["change"].iloc[8].startswith("batch size")
    assert texts["energy"].head(6).str.contains("modelled").all() and texts["n"].head(6).eq("3").all()
    assert set(texts["change"].iloc[10:]) == {"1 thread", "4 threads"} and set(texts["threads"]) == {"1", "2", "4"}
    assert texts["change"].iloc[6] == "all together over the product" and texts["Baler reads it"].iloc[6] == "-"
    assert texts["change"].iloc[7] == "Baler's default, stopped at a gain below 1 %"
    words = texts["part"].iloc[7]
    assert re.fullmatch(r"stopped early, at another error: \S+ times the loss, after \S+ epochs", words), words
    assert texts["time"].iloc[7].endswith(")") and texts["time, held-out error"].iloc[7] == "it has another error"
    one = tables["runs"].query("batch_size == 512 and threads == 2")
    assert readable(TABLE, TABLE.make({**tables, "runs": one})).empty


def test_optimizers_are_compared_within_an_engine_and_precision(settings: Tables) -> None:
    with_more = _with_optimizer(settings, "sgd", 3.0)
    costs = OPTIMIZERS.make(with_more)
    assert set(costs["optimizer"]) == {"adam", "sgd"} and set(costs["precision"]) == {"float64"}
    texts = readable(OPTIMIZERS, costs).query("threads == '2' and `batch size` == '512'")
    row = texts.set_index(["optimizer", "target loss per row"])["time"]
    assert row["sgd", "0.001"].startswith("not reached in 25 epochs") and row["adam", "0.001"].endswith("s")
    with styled():
        figure = draw_optimizers(with_more)
    panels = [[text.get_text() for text in panel.get_yticklabels()] for panel in figure.axes]
    names = max(panels, key=len)
    expected = {f"{name}, default, batches of {size}" for name in ("adam", "sgd") for size in (128, 512, 2048)}
    assert set(names) == expected and len(names) == 6
    texts = [text.get_text() for panel in figure.axes for text in panel.texts]
    assert any(text.startswith("not reached: ") for text in texts)
    alone = {**settings, "runs": settings["runs"].query("batch_size == 512")}
    with pytest.raises(NoData, match="only differ in the optimizer or the batch size"):
        draw_optimizers(alone)
    assert OPTIMIZERS.make(alone).empty
    assert "only differ in the optimizer or the batch size" in OPTIMIZERS.without_rows


def test_trainings_that_reach_no_target_are_in_the_table_only(settings: Tables) -> None:
    more = _with_optimizer(settings, "sgd", 1e6, engine="fast")
    more = _with_optimizer(more, "adam", 1e6, engine="fast")
    # The loss of fast never falls; per row it is the same in all batches.
    history = more["history"]
    history["loss_per_value"] = history["loss_per_value"].where(history["engine"] != "fast", 1e6)
    assert set(OPTIMIZERS.make(more)["engine"]) == {"reference", "fast"}
    with styled():
        titles = [panel.get_title(loc="left") for panel in draw_optimizers(more).axes]
    assert any("engine reference" in title for title in titles)
    assert not any("engine fast" in title for title in titles)


def test_every_target_has_a_mark_of_its_own() -> None:
    assert len({str(mark) for mark in MARKS}) == len(MARKS) == MOST_TARGETS


def _with_optimizer(tables: Tables, name: str, loss: float, **changes: str) -> Tables:
    """Add an optimizer whose loss is larger by a factor."""

    def added(table: pd.DataFrame) -> pd.DataFrame:
        alike = table[(table["engine"] == "reference") & (table["precision"] == "float64")]
        alike = alike[(alike["start"] == "random") & (alike["schedule"] == "constant")]
        other = alike.assign(optimizer=name, run_id=f"{name}/" + alike["run_id"], **changes)
        other = other.assign(loss_per_value=other["loss_per_value"] * loss)
        return pd.concat([table, other], ignore_index=True)

    return {**tables, "runs": added(tables["runs"]), "history": added(tables["history"])}


def test_the_recommended_setting_has_few_epochs() -> None:
    assert RECOMMENDED_EPOCHS <= 5
