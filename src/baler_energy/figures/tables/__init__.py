"""The report's tables, a module for each: the numbers of its CSV file, and its page as text.

- `summary`, `metrics`, `glossary`: every point; efficiency metrics, and what they are
- `original_layout`: codecarbon's energy, as the study of 2023 has it
- `codecs`, `ratios`: codecs at the same error; what is saved
- `engines`, `models`: engines side by side; networks as several tools count them
- `peers`, `findings`: other tools and formulas; what can be concluded from imported files
- `variation`, `calibration`, `temperatures`, `flagged`: what bears on trust
- `counters`: hardware counters of the CPU
"""
