"""Is it worth it? The figures of the chapter.

- `rate_distortion`: what each codec stores, and its error; `break_even`: what it saves over the years
- `distributions`: columns before and after; `column_errors`: their errors
- `held_out`: errors on rows that a codec was not trained on
- `derived`: quantities computed from columns, such as masses, before and after
- `error_energy`: the error against the energy of training
"""

__all__ = ["TITLE"]

#: Category of the report, which sorts categories by name.
TITLE = "4. Is it worth it?"
