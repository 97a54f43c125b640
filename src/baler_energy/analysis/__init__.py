"""From records to results: pure functions of tables, and arithmetic that needs no hardware.

- `schema`: the tidy tables, column by column: meaning, unit, type
- `tidy`: rows of these tables from records; `writing`: the tables' files, piece by piece
- `totals`: which readings enter a run's energy; measured and modelled apart
- `electricity`: carbon intensity and PUE of a study; `carbon`: energy to CO2e
- `statistics`: mean and 95 % t interval over repeats; `quantiles`: of the distributions behind them
- `comparison`: by what factor two groups of runs differ, with an interval
- `rate_distortion`: codecs against each other, and at the same error
- `advice`: which codec to recommend for a file
- `powerlaw`, `parallel`: fits of a power law, and of Amdahl's law
- `breakdown`: what a profiled operation spends its time on, in categories that engines have in common
- `thermal`, `throttled`: how a device warms up, and how long and why its clocks were lowered
- `intervals`: of time, and their union
- `efficiency`: FLOP/s, FLOP/J, energy per row and so on, for each run; `glossary`: what each of them means
- `glossary_errors`: what each measure of the error means; `glossary_entry`: an entry of both
- `formulas`, `peers`: published estimates from hours and watts, and other tools' readings, to compare with ours
- `error_measures`: errors of a reconstructed table, and of the trivial codec; `histograms`: before and after
"""
