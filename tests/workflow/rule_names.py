"""Names of the workflow's rules by what they do; other tests of the workflow do not repeat them."""

#: Operations that are measured at each point, in order.
OPERATIONS = ("train", "compress", "decompress")
#: Rules that measure at each point, and all rules that a point has.
MEASURING = OF_A_POINT = {"train", "apply"}
#: Rules that run a point's profilers.
PROFILING = {"profile"}
#: Rules that request every core, or a whole node of a cluster.
ALONE = {"calibrate", *MEASURING, *PROFILING, "parts", "peer"}
#: Rules that make data, and rules that read the results of all points.
DATA = {"generate", "prepare"}
DOWNSTREAM = {"collect", "figures", "report", "tables"}
#: Rules of the tests' finished study.
FINISHED = {"all", "calibrate", "study", *DATA, *OF_A_POINT, *PROFILING, *DOWNSTREAM}
