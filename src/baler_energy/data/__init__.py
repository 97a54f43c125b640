"""The data that a study compresses: where it comes from and how it becomes a table.

- `sampling`: runs of rows of a file, spread over it, on which codecs are tried
- `table`: the prepared table, the one form of data that later stages read
- `columns`: the 24 jet columns of Baler's CMS example
- `toy`: a seeded NumPy stand-in with those columns
- `pythia8`: QCD jets from Pythia 8 and FastJet, run as a process of its own
- `ingest`: a user's file or generated shards, selected and checked, as a table
- `checks`: what a table must not have (errors) and had better not have (warnings)
"""
