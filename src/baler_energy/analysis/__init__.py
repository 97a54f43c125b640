"""From records to results: pure functions of tables, and arithmetic that needs no hardware.

- `schema`: the tidy tables, column by column: meaning, unit, type; `schema_derived`, `schema_errors`,
  `schema_foreign`, `schema_summary`: columns of derived quantities, errors, other tools and means; `datapackage`: the
  description of a dataset, and its title
- `tidy`: rows of these tables from records; `writing`: the tables' files, written piece by piece; `checked`: tables
  and records from files, checked against the schema
- `totals`: which readings enter a run's energy, and which flags concern it; measured and modelled are separate
- `first_page_runs`: the runs that the report's first page is about; `summary`: means of each point over the runs that
  count
- `electricity`: carbon intensity, price and PUE of a study; `carbon`: energy to CO2e and money, and SCI
- `statistics`: mean and 95 % t interval over repeats; `quantiles`: quantiles of t and other distributions
- `headline`: whether the repeats suffice to state a mean; `effects`: differences that their spread hides
- `comparison`: the factor by which two groups of runs differ, with an interval
- `rate_distortion`: comparison of codecs, also at the same error
- `matched_error`: the same with uncertainties, at the errors of trained codecs; `coder_gain`: transforms with one coder
- `column_types`: types of columns, and errors of codecs by type
- `break_even`: costs and savings of a codec over the years, with bands, and when it pays; `published`: energies of
  compressors that others measured
- `goal`: the error that a user accepts; `advice`: which codec to recommend for a file
- `savings`: what changes of a training save at the same error; `target_loss`: cost of optimizers to reach a loss
- `pareto`: the points that no other one beats, as in error and energy
- `gain`: the rule of early stopping; `early_stopping`: what Baler's own training would have cost with it
- `pruned_costs`: what pruned networks cost in compression and decompression
- `powerlaw`, `parallel`: fits of a power law and of Amdahl's law
- `work`: the work of an operation, known before it runs; `relative_fit`: non-negative sums of terms, with intervals
- `law`: time and energy of each operation as such sums, and how well they predict runs that were withheld;
  `cost_metrics`: how well single numbers, such as FLOPs or CPU time, predict them; `hardware`: laws as a file;
  `site`: node time and energy of a year of jobs
- `breakdown`: what a profiled operation spends its time on, in categories that all engines share
- `thermal`, `throttled`: how a device warms up, and how long and why its clocks were lowered
- `intervals`: union of time intervals
- `efficiency`: FLOP/s, FLOP/J, energy per row and so on, for each run; `glossary`: definition of each metric
- `glossary_errors`: definition of each measure of the error; `glossary_entry`: an entry of both
- `formulas`, `peers`: published estimates from hours and watts, and other tools' readings, compared with ours
- `error_measures`: errors of a reconstructed table and of the trivial codec; `histograms`: before and after
- `derived`: quantities computed from columns, before and after; `mass_peaks`: position and width of a peak in a window
"""
