"""A handful of figures against stored images.

The fonts come with matplotlib and mplhep, whose versions are locked, so the text is compared, too. CONTRIBUTING says
how to draw the images again after an intended change.
"""

from collections.abc import Callable

import pandas as pd
import pytest
from matplotlib.figure import Figure

from baler_energy.figures.chapters import figures_of

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def shown(build: Callable[..., Tables]) -> Tables:
    """Tables of a machine with a counter and a model, of several engines, with a flagged run."""
    return build(evidence={"cpu": "measured", "ram": "modelled"}, flags="contaminated", engines=True, intensity=None)


#: Few pixels, and letters without grey edges, keep images at a few kB.
COMPARED = {"style": {"text.antialiased": False}, "savefig_kwargs": {"dpi": 50, "pil_kwargs": {"optimize": True}}}


@pytest.mark.mpl_image_compare(**COMPARED)
@pytest.mark.parametrize(
    ("chapter", "name"),
    [
        ("cost", "cost_epochs"),
        ("hotspots", "components"),
        ("hotspots", "functions"),
        ("worth", "column_errors"),
        ("savings", "engines"),
    ],
)
def test_image(chapter: str, name: str, shown: Tables) -> Figure:
    (spec,) = (spec for spec in figures_of(chapter) if spec.name == name)
    return spec.draw(shown)
