"""The workflow's rules, as the tests on SLURM name them: the one place to edit when a rule gets another name."""

TRAIN = "train"
#: What is done with the trained codec.
APPLY = "apply"
#: Of one point only.
PROFILE = "profile"
MEASURED = {"calibrate", TRAIN, APPLY, "forward", PROFILE}
#: Made once for all points, before the first training.
SHARED = {"generate", "prepare", "calibrate"}
REPORTED = {"collect", "figures", "tables", "report"}
#: What each rule asks for, where it is not the least amount.
MEMORY_MB = dict.fromkeys((TRAIN, APPLY, "forward", PROFILE), 8000) | {"calibrate": 2000}
