"""Glossary entries of the error measures, with their columns in the table ``errors``."""

from baler_energy.analysis.glossary_entry import Entry

__all__ = ["ERRORS"]

ERRORS = (
    Entry(
        "rms_over_range",
        "RMS residual over range",
        "sqrt(mean of (reconstructed - original)²) / (largest - smallest original value); for a table: mean over its "
        "columns (mean_rms_over_range)",
        "1",
        "Lossy compression of simulations: Tao et al. (arXiv 1805.07384) report it in dB, as PSNR.",
        "It flatters if values crowd in a small part of their range: one outlier sets the range, and storing only "
        "the mean of a long-tailed column looks good. Different row counts or datasets are not comparable.",
    ),
    Entry(
        "nrmse",
        "NRMSE",
        "RMS residual / standard deviation of the original; for a table: mean over its columns (mean_nrmse)",
        "1",
        "Forecast verification, where above 1 is worse than climatology (climpred's documentation of its nrmse).",
        "Storing only the mean gives 1, so 0.6 is not a good reconstruction. A few far values can carry most "
        "of the standard deviation.",
    ),
    Entry(
        "held_out_mean_nrmse",
        "Errors on held-out rows",
        "the same errors on rows that the codec was not trained on, relative to the ranges and standard deviations of "
        "the rows that it was trained on: columns of runs that begin with held_out_, and rows of errors with held_out "
        "in on_rows",
        "1",
        "Generalisation error (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 7.2).",
        "They hold for more data of the same kind only. If a model compresses nothing but the rows that it was "
        "trained on, as a Baler user does, the errors on these rows are the ones that count.",
    ),
    Entry(
        "explained_variance",
        "Explained variance",
        "1 - variance of the residual / variance of the original; for a table: mean over its columns",
        "1",
        "scikit-learn's explained_variance_score.",
        "It does not see a shift of all values. 0.99 sounds like little is lost, but is an NRMSE of 0.1.",
    ),
    Entry(
        "max_over_range",
        "Largest residual over range",
        "largest |reconstructed - original| / range; for a table: largest of its columns",
        "1",
        "The bound of error-bounded compressors relative to the value range (Tao et al., arXiv 1805.07384).",
        "A single row decides. A bound over the range leaves small values with large relative errors.",
    ),
    Entry(
        "relative_error_median",
        "Relative error of non-zero values",
        "median of |residual / original| where the original is not 0; relative_error_p99: its 99 % quantile; for a "
        "table: mean over its columns. relative_error_mean and relative_error_rms: mean, and root of the mean square, "
        "of the same; for a table: over all its non-zero values",
        "1",
        "The point-wise relative error that SZ can bound (its mode PW_REL), here for most instead of all values.",
        "It ignores zeros, and depends on where a column's zero lies: meaningless for angles and other differences. "
        "Mean and root of the mean square are ruled by the few values that are closest to 0.",
    ),
    Entry(
        "ks_distance",
        "Kolmogorov-Smirnov distance",
        "largest difference between the two cumulative distributions; for a table: largest of its columns",
        "1",
        "SciPy's ks_2samp.",
        "It compares distributions, not rows: a shuffled column has 0. Many equal values (zeros) that move a little "
        "give a large distance.",
    ),
    Entry(
        "wasserstein_over_deviation",
        "Wasserstein distance over standard deviation",
        "mean of |sorted reconstructed - sorted original| / standard deviation; for a table: mean over its columns",
        "1",
        "SciPy's wasserstein_distance.",
        "It compares distributions, not rows, and hardly sees a narrow peak that is smeared.",
    ),
    Entry(
        "zeros_kept",
        "Zeros kept",
        "share of the zeros that are reconstructed as 0; for a table: over all its zeros",
        "1",
        "Counted. Analyses select on zeros, such as an empty isolation cone.",
        "Null where a column has no zero. A codec that returns only zeros keeps all of them.",
    ),
    Entry(
        "integers_kept",
        "Integers kept",
        "share of the values of integer columns that are reconstructed exactly; for a table: over all of these",
        "1",
        "Counted. Multiplicities, charges and identifiers are only useful if they are exact.",
        "Null without integer columns. A column with one common value is mostly kept by returning that value.",
    ),
    Entry(
        "trivial_rms_over_range",
        "Errors of the trivial codec",
        "the measures above for a codec that stores each column's mean and nothing per row: columns that begin with "
        "trivial_",
        "1",
        "The upper end of every error axis: it costs no bytes per row. Its NRMSE is 1 by definition.",
        "It is not the worst codec: a bad reconstruction has larger errors.",
    ),
)
