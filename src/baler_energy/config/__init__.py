"""The typed study, and everything that follows from its declarations.

- `parameters`: every parameter of a point, and every setting of its training, declared once
- `shown`: how results show a parameter
- `measuring`: the sections on measuring, profiling and other tools; `sections`: the other sections
- `own_file`: a user's own file, and what to read from it
- `derived`: quantities that are computed from columns
- `study`: the whole study, its grid of points and their paths; `reading`: its files; `extent`: how large it may be
- `recommended`: Baler's own training, and the one that is recommended instead
- `centre`: the point from which the figures vary one axis at a time
- `texts`: lists of variants in texts
- `options`: parameters as command-line options, and as the arguments that a rule passes
"""
