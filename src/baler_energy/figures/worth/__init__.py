"""Is it worth it? The figures of the chapter.

- `scorecard`: other codecs compared with a trained one at the same error
- `rate_distortion`: ratio against error of each codec; `column_types`: the error by type of column
- `break_even`: what a codec saves over the years
- `codec_costs`: energy or time per GB against the error, throughput against the ratio
- `coder_gain`: gain of a transform, and of the coder after it
- `distributions`: columns before and after; `column_errors`: their errors
- `held_out`: errors on rows that a codec was not trained on
- `derived`: quantities computed from columns, such as masses, before and after
- `error_energy`: the error against the energy of training
"""

__all__ = ["TITLE"]

#: Category of the report, which sorts categories by name.
TITLE = "4. Is it worth it?"
