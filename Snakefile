"""The workflow itself is workflow/Snakefile, where catalogs and other workflows look for it."""


include: "workflow/Snakefile"


# An included file's own default target does not count.
workflow.default_target = "all"
