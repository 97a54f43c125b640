"""Columns of the table ``summary`` without those of the point, as lines for `schema`."""

__all__ = ["ERRORS", "OF_WINDOW", "SUMMARY"]

#: Columns of ``runs`` that are averaged over the runs that count: their unit, and the pattern of the other columns.
OF_WINDOW = {
    "energy_j": ("J", "energy_{}_j"),
    "energy_j_per_mb": ("J/MB", "energy_{}_j_per_mb"),
    "duration_s": ("s", "duration_{}_s"),
    "co2e_kg": ("kg", "co2e_{}_kg"),
    "electricity_cost": ("", "electricity_{}_cost"),
    "sci_kg_per_gb": ("kg/GB", "sci_{}_kg_per_gb"),
}
#: Columns of ``runs`` that are averaged over all runs.
ERRORS = ("mean_rms_over_range", "max_over_range", "mean_nrmse", "loss_per_value")


def _of_window(name: str, unit: str, pattern: str) -> str:
    return f"""\
{name} | number | {unit} | mean over the n runs; null if there are none
{pattern.format("half_width")} | number | {unit} | half width of its 95 % t interval; null for fewer than two runs
{pattern.format("flagged_low")} | number | {unit} | smallest value of the flagged runs
{pattern.format("flagged_high")} | number | {unit} | largest value of the flagged runs"""


def _error(name: str) -> str:
    return f"""\
{name} | number | 1 | mean over all runs, since it does not depend on the window
{name}_half_width | number | 1 | half width of its 95 % t interval; null for fewer than two runs"""


_WINDOW_LINES = "\n".join(_of_window(name, *about) for name, about in OF_WINDOW.items())
_ERROR_LINES = "\n".join(map(_error, ERRORS))

SUMMARY = f"""
energy_evidence | string | | measured or modelled: what energy_j is
energy_scope | string | | components in energy_j, such as cpu+dram
currency | string | | currency of electricity_cost: ISO 4217 code
at_reference | boolean | | the report's first page is about these runs
n | integer | 1 | runs in the means of energy, time and CO2e: those with in_mean
flagged_runs | integer | 1 | the other runs
run_flags | string | | what is wrong with the other runs, the most frequent first; null if there are none
native_bytes | integer | B | size of the table in its recorded number formats
{_WINDOW_LINES}
{_ERROR_LINES}
contamination_max | number | 1 | largest share of the machine's CPU time used by other processes in a window
"""
