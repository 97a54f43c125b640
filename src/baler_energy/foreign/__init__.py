"""Results of other tools, read into the tidy schema.

- `rows`: a window of a foreign file, its values, and the table ``foreign`` made of them; numbers checked on the way in
- `tables`: delimited text, row by row
- `codecarbon`, `eco2ai`, `pyjoules`, `zeus`, `carbontracker`: one reader per tool
- `tool`: what is known of a tool
- `detect`: which readers a file needs, by its content
- `patterns`: pure arithmetic on windows: constant power, power per gigabyte, windows inside windows
- `evidence`: measured, modelled or unknown, judged from the rows
- `findings`, `agreement`: what can be concluded from the rows, file by file and across files
- `read`: all of it: `read_foreign`
"""

from baler_energy.foreign.read import read_foreign

__all__ = ["read_foreign"]
