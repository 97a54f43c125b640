"""Names of the workflow's rules by what they do: the tests of the workflow name them nowhere else."""

#: What is measured at each point, in order.
OPERATIONS = ("train", "compress", "decompress")
#: Rules that measure at each point, and all rules that a point has.
MEASURING = OF_A_POINT = {"train", "apply"}
#: Rules that run a point's profilers.
PROFILING = {"profile"}
#: Rules that ask for every core, or for a whole node of a cluster.
ALONE = {"calibrate", *MEASURING, *PROFILING, "parts", "peer"}
#: Rules that make data, and those that see the results of all points.
DATA = {"generate", "prepare"}
DOWNSTREAM = {"collect", "figures", "report", "tables"}
#: Rules of the finished study of the tests.
FINISHED = {"all", "calibrate", "study", *DATA, *OF_A_POINT, *PROFILING, *DOWNSTREAM}
