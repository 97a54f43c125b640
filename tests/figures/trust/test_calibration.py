"""The words of the calibration's figure."""

from collections.abc import Callable

import pandas as pd

from baler_energy.figures.trust.calibration import draw_calibration


def test_an_effect_below_its_spread_is_not_stated(build: Callable[..., dict[str, pd.DataFrame]]) -> None:
    said = " ".join(draw_calibration(build(extras=True)).get_suptitle().split())
    assert "its effect on the duration: not distinguishable from zero (spread 84 %)" in said and "-22" not in said
    assert "its share of one CPU: 0.4 ± 0.0 %" in said
