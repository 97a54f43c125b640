"""Figures and tables of the report, pure functions of the dataset's tables.

- `cost`, `hotspots`, `trust`, `worth`, `savings`: the chapters, a module for each figure or for several similar ones
- `tables`: a module for each table
- `captions`: sentences that several captions share
- `chapters`: titles, figures, tables and captions by chapter; imports nothing heavy
- `base`: tables of a dataset, figures and tables of the report, and why one is left out
- `selection`: the study's centre, sweeps along one axis, and their descriptions
- `style`: colours, markers, units on axes, writing SVG and PNG
- `trivial`: the trivial codec on error axes and in tables
- `bars`: rows with names and numbers, of horizontal bars; `series`: runs against an axis of the grid
- `profiled`: what a profiler recorded of one run; `engine_rows`: several engines at one point
- `codec_rows`: the codecs that a study compares; `derived_rows`: what they do to derived quantities;
  `break_even_rows`: what they cost
- `codec_marks`: how figures draw families of codecs
- `labels`: labels at the ends of curves
- `readable`: the tables as text; `page`: one as an HTML page
- `advice`: what ``advise`` shows
- `overview`: the report's first page
"""
