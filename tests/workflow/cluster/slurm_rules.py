"""Names of the workflow's rules for the tests on SLURM: the only place to edit when a rule is renamed."""

TRAIN = "train"
#: Uses the trained codec.
APPLY = "apply"
#: Only for one point.
PROFILE = "profile"
MEASURED = {"calibrate", TRAIN, APPLY, "forward", PROFILE}
#: Made once for all points, before the first training.
SHARED = {"generate", "prepare", "calibrate"}
REPORTED = {"collect", "figures", "tables", "report"}
#: What each rule requests, if it is more than the minimum.
MEMORY_MB = dict.fromkeys((TRAIN, APPLY, "forward", PROFILE), 8000) | {"calibrate": 2000}
