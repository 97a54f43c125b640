"""Is it worth it? The figures of the chapter.

- `scorecard`: other codecs against a trained one at the same error
- `rate_distortion`: what each codec stores, and its error; `column_types`: the error by type of column
- `codec_costs`: energy or time per GB against the error, throughput against the ratio
- `coder_gain`: what a transform gains over its coder, and the coder behind it
- `distributions`: columns before and after; `column_errors`: their errors
- `error_energy`: the error against the energy of training
"""

__all__ = ["TITLE"]

#: Category of the report, which sorts categories by name.
TITLE = "4. Is it worth it?"
