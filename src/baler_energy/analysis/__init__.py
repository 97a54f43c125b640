"""From records to results: pure functions of tables, and arithmetic that needs no hardware.

- `schema`: the tidy tables, column by column: meaning, unit, type
- `totals`: which readings enter a run's energy; measured and modelled apart
- `carbon`: energy to CO2e
- `statistics`: mean and 95 % t interval over repeats
- `comparison`: by what factor two groups of runs differ, with an interval
- `breakdown`: what a profiled operation spends its time on, in categories that engines have in common
- `thermal`, `throttled`: how a device warms up, and how long and why its clocks were lowered
- `efficiency`: FLOP/s, FLOP/J, energy per row and so on, for each run; `glossary` defines them
- `residuals`: errors of a reconstructed table
"""
