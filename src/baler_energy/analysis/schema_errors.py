"""Columns of errors in the tables ``runs`` and ``errors``, without those of the point, as lines for `schema`."""

__all__ = ["ERRORS", "RUN_ERRORS"]

RUN_ERRORS = """
mean_rms_over_range | number | 1 | primary error: mean over columns of RMS residual over the column's range
max_over_range | number | 1 | largest residual over its column's range
mean_nrmse | number | 1 | mean over columns of RMS residual over standard deviation; 1 is no better than the means
mean_explained_variance | signed | 1 | mean over columns of the explained variance
mean_relative_error_median | number | 1 | mean over columns of the median relative error of non-zero values
mean_relative_error_p99 | number | 1 | mean over columns of the 99 % quantile of the same
mean_wasserstein_over_deviation | number | 1 | mean over columns of the Wasserstein-1 distance over it
max_ks_distance | number | 1 | largest Kolmogorov-Smirnov distance of a column
zeros_kept | number | 1 | share of all zeros that come back as zeros
integers_kept | number | 1 | share of all values of integer columns that come back exactly
columns_worse_than_mean | integer | 1 | columns whose RMS residual exceeds their standard deviation
held_out_rows | integer | 1 | rows for the next ten, which the codec was not trained on; null without training
held_out_mean_rms_over_range | number | 1 | mean over columns of their RMS residual over the range of the training rows
held_out_max_over_range | number | 1 | their largest residual over the range of its column's training rows
held_out_mean_nrmse | number | 1 | mean over columns of RMS residual over the training rows' standard deviation
held_out_mean_explained_variance | signed | 1 | mean over columns of 1 - variance of residual / training rows' variance
held_out_mean_relative_error_median | number | 1 | mean over columns of the median relative error of non-zero values
held_out_mean_relative_error_p99 | number | 1 | mean over columns of the 99 % quantile of the same
held_out_mean_wasserstein_over_deviation | number | 1 | mean over columns of Wasserstein-1 over the same deviation
held_out_max_ks_distance | number | 1 | largest Kolmogorov-Smirnov distance of a column
held_out_zeros_kept | number | 1 | share of all their zeros that come back as zeros
held_out_integers_kept | number | 1 | share of all their values of integer columns that come back exactly
trivial_mean_rms_over_range | number | 1 | mean_rms_over_range of the trivial codec, which stores columns' means only
trivial_max_over_range | number | 1 | max_over_range of the trivial codec
trivial_mean_relative_error_median | number | 1 | mean_relative_error_median of the trivial codec
trivial_mean_relative_error_p99 | number | 1 | mean_relative_error_p99 of the trivial codec
trivial_max_ks_distance | number | 1 | max_ks_distance of the trivial codec
trivial_mean_wasserstein_over_deviation | number | 1 | mean_wasserstein_over_deviation of the trivial codec
trivial_zeros_kept | number | 1 | zeros_kept of the trivial codec
trivial_integers_kept | number | 1 | integers_kept of the trivial codec
"""

ERRORS = """
column | string | | column of the table, or all
on_rows | string | | compressed: the table that was compressed, which a codec may be trained on; held_out: rows it was \
not trained on, with errors over the range and standard deviation of the compressed rows, and no trivial errors
dtype | string | | recorded number format of the column
range | number | | largest minus smallest value of the original column, in the column's own unit, on the compressed rows
standard_deviation | number | | standard deviation of the same values
rms_residual | number | | root mean square of reconstructed minus original, in the column's own unit
rms_over_range | number | 1 | rms_residual over range; null where the column is constant
max_over_range | number | 1 | largest absolute residual over range; null where the column is constant
nrmse | number | 1 | rms_residual over standard_deviation; 1 is no better than the column's mean
explained_variance | signed | 1 | 1 - variance of the residual / variance of the original
relative_error_mean | number | 1 | mean of |residual / truth| where truth is not zero
relative_error_rms | number | 1 | root mean square of residual / truth where truth is not zero
relative_error_median | number | 1 | median of |residual / truth| where truth is not zero
relative_error_p99 | number | 1 | 99 % quantile of the same
nonzero_count | integer | 1 | rows whose truth is not zero
zero_count | integer | 1 | rows whose truth is zero
zeros_kept | number | 1 | share of the zeros that are reconstructed as zeros; null if there are none
integer_count | integer | 1 | rows of a column of integers; 0 for other columns
integers_kept | number | 1 | share of the integers that are reconstructed exactly; null for other columns
ks_distance | number | 1 | largest distance between the two cumulative distributions (Kolmogorov-Smirnov)
wasserstein_over_deviation | number | 1 | Wasserstein-1 distance between the two distributions over standard_deviation
trivial_rms_over_range | number | 1 | rms_over_range of the trivial codec, which stores only the column's mean
trivial_max_over_range | number | 1 | max_over_range of the trivial codec
trivial_relative_error_median | number | 1 | relative_error_median of the trivial codec
trivial_relative_error_p99 | number | 1 | relative_error_p99 of the trivial codec
trivial_ks_distance | number | 1 | ks_distance of the trivial codec
trivial_wasserstein_over_deviation | number | 1 | wasserstein_over_deviation of the trivial codec
trivial_zeros_kept | number | 1 | zeros_kept of the trivial codec
trivial_integers_kept | number | 1 | integers_kept of the trivial codec
"""
