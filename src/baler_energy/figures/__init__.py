"""Figures of the report, pure functions of tables: one module per question.

- `catalogue`: chapters, names, titles and captions; imports nothing heavy
- `base`: the tables of a dataset, what a figure is, and why one is left out
- `selection`: the reference point, sweeps along one axis, words for both
- `style`: colours, markers, units on axes, writing SVG and PNG
- `series`: lines of runs along an axis
- `cost`, `emissions`: what does it cost?
- `hotspots`, `components`, `parts`, `roofline`, `calls`, `shares`, `lines`, `gpu`, `parallel`: where does it go?;
  `hotspot_rows`, `icicle`: what they share
- `trust`, `spread`, `iterations`, `calibration`, `foreign`: can the numbers be believed?
- `worth`: is it worth it?
- `savings`, `engines`, `difference`, `packing`, `models`: how does it get cheaper?; `engine_rows`: what they
  share
- `tabulation`, `trust_tables`, `efficiency_tables`, `engine_tables`, `temperatures`, `counters`: the report's tables as
  data frames; `readable`: as text; `page`: one as an HTML page
- `overview`: the report's first page
"""

from baler_energy.figures.catalogue import CHAPTERS, captions

__all__ = ["CHAPTERS", "captions"]
