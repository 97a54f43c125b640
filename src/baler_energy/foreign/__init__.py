"""Results of other tools, read into the tidy schema.

- `rows`: a window of a foreign file, its checked values, the table ``foreign``, and a row of ``findings``
- `totals`: increments and running totals, and increments made of running totals
- `copies`: devices that show the energy of another one
- `codecarbon`, `eco2ai`, `pyjoules`, `zeus`, `carbontracker`: one reader per tool
- `tool`: description of a tool and its readers
- `detect`: finds the readers of a file by its content
- `patterns`: pure arithmetic on windows: constant power, power per gigabyte, nested and containing windows
- `evidence`: measured, modelled or unknown, judged from the rows
- `findings`, `agreement`: conclusions from the rows, file by file and across files
- `read`: `read_foreign`, which does all of this
- `own`: the same judgement about the energies of the study itself
"""

from baler_energy.foreign.read import read_foreign

__all__ = ["read_foreign"]
