"""Figures of the report, pure functions of tables: one module per question.

- `catalogue`: chapters, names, titles and captions; imports nothing heavy
- `base`: the tables of a dataset, what a figure is, and why one is left out
- `selection`: the reference point, sweeps along one axis, words for both
- `style`: colours, markers, units on axes, writing SVG and PNG
- `cost`, `hotspots`, `trust`, `worth`: the figures; beside `cost` stands `emissions`, beside `trust` `spread`,
  `calibration` and `foreign`; `hotspots` only lists its figures: `components`, `parts`, `roofline`, `calls`, `shares`,
  `lines`, `gpu`, `parallel`, which share `hotspot_rows` and `icicle`; so does `savings`: `engines` and `difference`,
  which share `engine_rows`, `packing`, `models`
- `tabulation`, `trust_tables`, `efficiency_tables`, `engine_tables`, `temperatures`, `counters`: the report's tables as
  data frames; `readable`: as text; `page`: one as an HTML page
- `overview`: the report's first page
"""

from baler_energy.figures.catalogue import CHAPTERS, captions

__all__ = ["CHAPTERS", "captions"]
