"""The data that a study compresses: where it comes from and how it becomes a table.

- `table`: the prepared table, the only form of data that later stages read
- `columns`: the 24 jet columns of Baler's CMS example
- `toy`: toy data with these columns from NumPy
- `pythia8`: QCD jets from Pythia 8 and FastJet, run in a separate process
- `sampling`: a sample of a file, on which codecs are tried
- `ingest`: a table from a user's file or generated shards, with rows selected and checked
- `checks`: what a table must not contain (errors) or should not contain (warnings)
"""
