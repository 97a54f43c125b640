"""Columns of the tables ``derived`` and ``derived_histograms`` without those of the point, as lines for `schema`."""

__all__ = ["DERIVED", "DERIVED_HISTOGRAMS"]


def _with_uncertainty(text: str) -> str:
    """Turn lines ``name | unit | meaning`` into lines for the number and for its statistical uncertainty."""
    lines = []
    for name, unit, meaning in (line.split(" | ") for line in text.strip().splitlines()):
        lines.append(f"{name} | signed | {unit} | {meaning}")
        lines.append(f"{name}_uncertainty | number | {unit} | statistical uncertainty of {name}")
    return "\n".join(lines)


_QUANTITY = """
quantity | string | | name of a quantity that is computed from columns
window | string | | name of a window around a peak; null: the whole distribution
unit | string | | unit of the quantity; null if unknown"""

_NUMBERS = _with_uncertainty("""
residual_median | unit | median of reconstructed minus original; for a window, over the rows that were in it before
residual_half_width | unit | half the central 68 % of these residuals (16 % to 84 % quantile): the resolution
relative_residual_median | 1 | median of residual / original where the original is not zero
relative_residual_half_width | 1 | half the central 68 % of these relative residuals
entries_before | 1 | original values in the window; uncertainty: its square root
entries_after | 1 | reconstructed values in the window; uncertainty: its square root
entries_change | 1 | entries_after minus entries_before; uncertainty: square root of the rows that moved in or out
peak_before | unit | position of the peak: mean of a Gaussian fitted on a flat background
peak_after | unit | the same after compression
peak_shift | unit | peak_after minus peak_before; uncertainty: paired bootstrap
width_before | unit | standard deviation of the same Gaussian
width_after | unit | the same after compression
width_change | unit | width_after minus width_before; uncertainty: paired bootstrap
""")

DERIVED = f"""{_QUANTITY}
definition | string | | how the quantity is computed
low | signed | unit | lower edge of the window
high | signed | unit | upper edge of the window
undefined_before | integer | 1 | rows in which it cannot be computed, or a particle has a negative pt or mass
undefined_after | integer | 1 | the same in the reconstructed table; such rows are in no distribution and no window
ks_distance | number | 1 | Kolmogorov-Smirnov distance of the distributions before and after; null for windows
wasserstein_over_deviation | number | 1 | their Wasserstein-1 distance over the standard deviation; null for windows
{_NUMBERS}
reason | string | | why position and width of the peak are null
"""

DERIVED_HISTOGRAMS = f"""{_QUANTITY}
kind | string | | original or reconstructed
low | signed | unit | lower edge of the bin
high | signed | unit | upper edge of the bin
count | integer | 1 | values in the bin
"""
