"""Figures and tables of the report, pure functions of the dataset's tables.

- `cost`, `hotspots`, `trust`, `worth`, `savings`, `forecast`: the chapters, with a module for each figure or group of
  figures
- `tables`: a module for each table
- `captions`: sentences shared by several captions
- `chapters`: titles, figures, tables, labels and captions by chapter; imports nothing heavy
- `base`: tables of a dataset, figures and tables of the report, and why one is left out
- `selection`: the study's centre, sweeps along axes, and their descriptions; `rates`: what CO2e and cost come from
- `style`: colours, markers, units on axes, writing SVG and PNG
- `trivial`: the trivial codec on error axes and in tables; `worse_than_mean`: what is no better, in words
- `bars`: rows with names and numbers, of horizontal bars; `series`: runs against an axis of the grid
- `profiled`: what a profiler recorded of one run; `engine_rows`: several engines at one point
- `codec_rows`: the codecs that a study compares; `derived_rows`: their effect on derived quantities;
  `break_even_rows`: their costs and savings
- `setting_rows`: settings of a training, compared with Baler's own; `setting_families`: how figures mark them
- `runtime_rows`: what computes a trained network
- `codec_marks`: how figures draw families of codecs
- `labels`: labels at the ends of curves
- `readable`: the tables as text; `page`: a table or a figure as an HTML page; `page_scripts`: its styles and scripts
- `advice`: output of ``advise``
- `overview`: the report's first page; `stated`: its numbers, and what is known where a mean cannot be stated;
  `report_repairs`: what it changes in Snakemake's report
"""
