"""Can the numbers be believed? The figures of the chapter.

- `timeseries`: one run over time
- `meters`: meter against meter
- `calibration`: what the machine can resolve
- `spread`: spread over repeats, and repeats needed; `iterations`: spread within windows
- `contamination`: CPU time of other processes
- `foreign`: imported results of other tools
"""

__all__ = ["TITLE"]

#: Category of the report, which sorts categories by name.
TITLE = "3. Can the numbers be believed?"
