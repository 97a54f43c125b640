"""Columns of the tables about other tools, without those that they share with other tables, as lines for `schema`."""

__all__ = ["FINDINGS", "FOREIGN", "PEERS"]

PEERS = """
operation | string | | operation that both measured, in an extra repeat
tool | string | | the other tool or formula
kind | string | | peer (a tool that measured the same windows) or formula (computed from hours and watts)
component | string | | component that its value covers
quantity | string | | energy or co2e
evidence | string | | measured, modelled or unknown
value | signed | unit | the tool's value over the window
unit | string | | unit of value
ours_j | number | J | our energy of the same components in the same window
ours_scope | string | | components in ours_j
ours_evidence | string | | measured or modelled: what ours_j is
ratio | signed | 1 | value over ours_j
duration_s | number | s | length of the window
assumptions | string | | assumptions of the tool: TDP, W/GB, carbon intensity, PUE
reason | string | | why value is null
"""

FOREIGN = """
file | string | | name of the imported file
tool_version | string | | version of the tool that wrote the file, if stated
window_start | datetime | | start of the reading's window, if stated (assumed UTC without a time zone)
duration_s | number | s | length of the reading's window
epoch | integer | 1 | epoch of the reading
cpu_model | string | | CPU, as named in the file
gpu_model | string | | GPU, as named in the file
ram_bytes | number | B | memory of the machine, as stated in the file
"""

FINDINGS = """
file | string | | files that show it, separated by commas; measurements.parquet: the study's own readings
finding | string | | kind of finding
subject | string | | tool, component or host that it is about
value | signed | unit | the number found
unit | string | | unit of value
sentence | string | | the finding in words
"""
