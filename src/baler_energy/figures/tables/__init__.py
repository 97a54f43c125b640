"""The report's tables, a module for each: the numbers of its CSV file, and its page as text.

- `summary`, `metrics`, `glossary`: every point; efficiency metrics, and their definitions
- `original_layout`: codecarbon's energy, in the layout of the 2023 study
- `error_measures`: every measure of the error, for each codec
- `physics`: derived quantities, such as masses, and their peaks after compression
- `codecs`, `ratios`: codecs at the same error; compression ratios; `break_even`: whether compression pays
- `published`: energies of compressors that others measured
- `engines`, `models`: engines side by side; networks as several tools count them
- `savings`, `optimizers`: what changes of the training save; cost of optimizers to reach a loss
- `runtimes`: what computes the trained network, side by side; `pruning`: what pruned networks cost to apply
- `laws`, `validation`: what a job, a step, a byte and a FLOP cost, and how well that predicts other runs;
  `cost_metrics`: which single number predicts the cost
- `peers`, `findings`: other tools and formulas; what energies show by themselves
- `variation`, `calibration`, `temperatures`, `flagged`: reliability of the numbers
- `counters`: hardware counters of the CPU
"""
