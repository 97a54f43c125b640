"""Definitions of the efficiency metrics; docs/glossary.md and the report's page are generated from them."""

import re

from baler_energy.analysis.glossary_entry import Entry
from baler_energy.analysis.glossary_errors import ERRORS

__all__ = ["GLOSSARY", "REFERENCES", "markdown"]


#: Papers that the entries cite, by arXiv number.
REFERENCES = {
    "1710.05420": "Cai, Juan, Stamoulis, Marculescu: NeuralPower: Predict and Deploy Energy-Efficient Convolutional "
    "Neural Networks. ACML 2017.",
    "1805.07384": "Tao, Di, Liang, Chen, Cappello: Fixed-PSNR Lossy Compression for Scientific Data. 2018.",
    "1906.02243": "Strubell, Ganesh, McCallum: Energy and Policy Considerations for Deep Learning in NLP. ACL 2019.",
    "1910.09700": "Lacoste, Luccioni, Schmidt, Dandres: Quantifying the Carbon Emissions of Machine Learning. 2019.",
    "2002.05651": "Henderson, Hu, Romoff, Brunskill, Jurafsky, Pineau: Towards the Systematic Reporting of the Energy "
    "and Carbon Footprints of Machine Learning. JMLR 21, 2020.",
    "2108.13465": "Li, Jiang, Bai, Zhang, Zheng, Dong, Liu, Yang, Li: Full-Cycle Energy Consumption Benchmark for "
    "Low-Carbon Computer Vision. 2021.",
    "2109.05472": "Desislavov, Martínez-Plumed, Hernández-Orallo: Compute and Energy Consumption Trends in Deep "
    "Learning Inference. 2021.",
    "2110.12894": "Dehghani, Arnab, Beyer, Vaswani, Tay: The Efficiency Misnomer. ICLR 2022.",
    "2204.02311": "Chowdhery and others: PaLM: Scaling Language Modeling with Pathways. 2022.",
    "2304.00897": "Getzner, Charpentier, Günnemann: Accuracy is not the only Metric that matters: Estimating the "
    "Energy Consumption of Deep Learning Models. 2023.",
}

GLOSSARY = (
    Entry(
        "energy_j",
        "Energy",
        "counter at the window's end - counter at its start, over its iterations; summed over the components in scope",
        "J",
        "Henderson et al. (arXiv 2002.05651) ask for it to be reported with every result; Getzner et al. (arXiv "
        "2304.00897) note that models are mostly judged by accuracy or time instead.",
        "A modelled energy follows from constants, time and load, and can only show differences in those. Energies "
        "of different components are not comparable.",
    ),
    Entry(
        "duration_s",
        "Duration",
        "length of the window / its iterations",
        "s",
        "The measured window of this study.",
        "It excludes imports, loading and warm-up, which dominate short runs.",
    ),
    Entry(
        "parameters",
        "Parameters",
        "Σ over layers of inputs · outputs + outputs",
        "1",
        "Dehghani et al. (arXiv 2110.12894), as one of several cost indicators that can contradict each other.",
        "It is the size of the whole model, encoder and decoder; it says nothing about time or energy, since layers "
        "differ in how often and how fast their weights are used.",
    ),
    Entry(
        "macs",
        "Multiply-accumulates (MACs)",
        "compress, decompress: rows · Σ over the layers in use of inputs · outputs (principal components are one "
        "layer); train: FLOPs as recorded / 2, over the epochs that ran: forward, and backward for weights and for all "
        "inputs but the data",
        "1",
        "Counted from the layers. MACs and FLOPs are given apart, since papers and tools confuse them (Desislavov "
        "et al., arXiv 2109.05472).",
        "Matrix products only: activations, loss, optimizer, scaling and copies are not counted, but can take most "
        "of the time in a small network.",
    ),
    Entry(
        "flops",
        "Floating-point operations (FLOPs)",
        "MACs · 2: a multiplication and an addition",
        "1",
        "Desislavov et al. (arXiv 2109.05472), who count two per multiply-accumulate.",
        "Across architectures FLOPs say little about energy (Henderson et al., arXiv 2002.05651). Some tools call MACs "
        "FLOPs, which halves it.",
    ),
    Entry(
        "flops_per_s",
        "FLOP/s",
        "FLOPs / duration",
        "FLOP/s",
        "Desislavov et al. (arXiv 2109.05472), who write it FLOPS.",
        "A slower program that does needless operations can score higher. Here the numerator is what the mathematics "
        "needs, not what the program executes.",
    ),
    Entry(
        "fraction_of_peak",
        "Fraction of peak",
        "FLOP/s / FLOP/s of a long matrix product on the same machine, device, precision and threads",
        "1",
        "Like the model FLOPs utilisation of Chowdhery et al. (arXiv 2204.02311), but relative to a measured peak "
        "instead of the manufacturer's.",
        "The manufacturer's peak is higher, so fractions of it are lower. A low fraction can mean layers too small "
        "to fill the machine, waiting for memory, or Python: chapter 2 shows which. The peak is assumed to come from "
        "the node of the measured run, which a cluster does not guarantee.",
    ),
    Entry(
        "flops_per_j",
        "FLOP/J",
        "FLOPs / energy",
        "FLOP/J",
        "Desislavov et al. (arXiv 2109.05472), as FLOPS per watt, which is the same.",
        "The manufacturer's figure uses peak FLOP/s and TDP and is never reached. The energy includes idle power, so "
        "anything faster looks more efficient. FLOPs in float32 and float64 are not the same work.",
    ),
    Entry(
        "j_per_weight",
        "Energy per weight",
        "energy / parameters",
        "J",
        "A plain ratio of this study, for extrapolating to other widths; Dehghani et al. (arXiv 2110.12894) warn of "
        "parameters as a measure of cost.",
        "It grows with rows and epochs, so compare at equal rows and epochs. Compressing only uses the encoder's "
        "weights, decompressing the decoder's; the denominator counts both.",
    ),
    Entry(
        "j_per_row",
        "Energy per row",
        "energy / rows of the table (training: all epochs together)",
        "J",
        "The energy per item of Cai et al. (arXiv 1710.05420); the item is a row.",
        "It includes the fixed cost of an operation, which matters for short tables. Training is paid once, however "
        "many tables follow.",
    ),
    Entry(
        "j_per_mb",
        "Energy per megabyte of input",
        "energy / (size of the table in its recorded number formats / 10⁶ B)",
        "J/MB",
        "A plain ratio of this study.",
        "As float64, in which Baler computes, the table is larger and the number smaller: name the format. A source "
        "file may itself be compressed.",
    ),
    Entry(
        "rows_per_s",
        "Throughput",
        "compress, decompress: rows / duration; train: rows · epochs that ran / duration",
        "rows/s",
        "Dehghani et al. (arXiv 2110.12894), as throughput.",
        "It depends on machine, batch size and program, not on the model alone. Training and compressing do "
        "different work per row.",
    ),
    Entry(
        "latency_p50_s",
        "Batch latency, median",
        "median time of 300 passes of one batch in memory",
        "s",
        "Dehghani et al. (arXiv 2110.12894) distinguish latency and throughput: one does not follow from the other.",
        "From one run of stage parts, separate from the energy measurement (n = 1), on a batch that is in the "
        "caches; drawing it from the table is not included. It grows with the batch size. A median hides the slow "
        "batches.",
    ),
    Entry(
        "latency_p99_s",
        "Batch latency, 99th percentile",
        "99th percentile of the same times",
        "s",
        "As the median.",
        "As the median; three of the 300 are slower, which is mostly noise of the machine.",
    ),
    Entry(
        "cpu_utilisation",
        "CPU utilisation",
        "busy time of all logical CPUs / (logical CPUs · window)",
        "1",
        "Henderson et al. (arXiv 2002.05651) log it with the energy.",
        "It covers the whole machine, including other processes (see contamination). Two threads of a core count as "
        "two CPUs, and waiting for memory counts as busy. Full load is not efficiency.",
    ),
    Entry(
        "gpu_utilisation",
        "GPU utilisation",
        "mean over samples and GPUs of NVML's utilisation: share of time with a kernel running",
        "1",
        "NVIDIA Management Library, nvmlUtilization_t. Henderson et al. (arXiv 2002.05651) log it with the energy.",
        "One small kernel at a time already gives 100 %.",
    ),
    Entry(
        "cpu_hours",
        "CPU hours",
        "user and system CPU time of the process and its children / 3600",
        "h",
        "Strubell et al. (arXiv 1906.02243) recommend reporting training time; Henderson et al. (arXiv 2002.05651) "
        "track the use of CPU and GPU with the energy.",
        "Not what a cluster charges for, which is cores · duration. Threads that spin while they wait count in full.",
    ),
    Entry(
        "gpu_hours",
        "GPU hours",
        "duration · GPUs that the run sees / 3600",
        "h",
        "Lacoste et al. (arXiv 1910.09700) estimate emissions from hours of hardware use.",
        "Occupied, not busy: an idle GPU counts in full. Hours on different GPU models are not comparable.",
    ),
    Entry(
        "idle_share",
        "Idle share",
        "idle power · duration / energy",
        "1",
        "The complement of this study's dynamic energy, E - P_idle t; measured energy only.",
        "Idle power depends on sleep states and on how long ago the machine worked. A smaller share can come from "
        "higher power under load as well as from a shorter run.",
    ),
    Entry(
        "energy_delay_product_js",
        "Energy-delay product",
        "energy · duration",
        "J s",
        "Gonzalez, Horowitz: Energy dissipation in general purpose microprocessors. IEEE J. Solid-State Circuits 31, "
        "1996, doi 10.1109/4.535411.",
        "It weighs time as much as energy, which is a choice, and grows with the square of the work: compare only at "
        "the same table and epochs.",
    ),
    Entry(
        "sci_kg_per_gb",
        "Software Carbon Intensity (SCI)",
        "SCI = (E · I + M) / R: energy E with PUE, carbon intensity I, M = embodied emissions of the machine · "
        "duration / lifetime · reserved share, R = size of the table in its recorded number formats / 10⁹ B",
        "kg/GB",
        "ISO/IEC 21031:2024, the specification of the Green Software Foundation.",
        "Always modelled, whatever the energy is: intensity, lifetime and embodied emissions are assumptions of the "
        "study (key embodied). Energy covers only the components in scope, so operation looks smaller than embodied "
        "emissions, which are of the whole machine. Training is paid once, however many gigabytes follow.",
    ),
    Entry(
        "greenness_per_j",
        "Greenness",
        "accuracy / (inferences · energy of an inference + energy of training), with accuracy = 1 - mean over columns "
        "of RMS residual / range, and one inference: compressing and decompressing the table once",
        "1/J",
        "Accuracy over full-cycle energy, training and use together, after Li et al. (arXiv 2108.13465); the accuracy "
        "of a compressor is this study's choice.",
        "All codecs with small errors have an accuracy near 1, so it is little more than 1 / energy: doubling the "
        "error goes unnoticed. It depends on the assumed number of inferences: with one, training dominates. Not "
        "comparable between tables.",
    ),
    Entry(
        "energy_precision_j",
        "Energy-precision ratio",
        "error^alpha · energy per item, with alpha = 1, error = mean over columns of RMS residual / range, and an "
        "item: a row compressed and decompressed, without training",
        "J",
        "Cai et al. (arXiv 1710.05420), for energy and error of inference.",
        "Smaller is better. alpha is a choice: with 1, half the error is worth twice the energy. Training is not "
        "included, so more epochs look free. Near zero error a costly codec wins regardless of its energy.",
    ),
)

_HEAD = """\
# Glossary of metrics

Generated by `baler-energy schema` from `glossary.py` and `glossary_errors.py` in `src/baler_energy/analysis/`: edit
them there.

The table `metrics` of a study's report has these quantities for each run and operation (train, compress, decompress);
its CSV has a column of the name given here, and gives the reason for each missing value. All values are for one
iteration of the operation. Every energy is measured or modelled (column `energy_evidence`) and covers the components
in `energy_scope`.

Means are over the runs that count: those with nothing wrong (`in_mean` in the table `runs`; `run_flags` says
what is wrong with the others). The report's first page is about those with `at_reference`. The table `summary` has the
means of every point with n and 95 % t intervals.
"""


_ERRORS_HEAD = """\
## Errors

Measures of how far the reconstructed table is from the original, in the table `errors` of the dataset: for each column,
and for all together. Codecs are compared at the same error, so the choice of the measure decides the ranking.
"""


def markdown() -> str:
    """Return docs/glossary.md: a section for each metric and each measure of the error, and the papers."""
    papers = [f"- {text} {_linked(f'arXiv {number}')}\n" for number, text in REFERENCES.items()]
    metrics, errors = (map(_section, entries) for entries in (GLOSSARY, ERRORS))
    return "\n".join([_HEAD, *metrics, _ERRORS_HEAD, *errors, "## Papers\n", "".join(papers)])


def _section(entry: Entry) -> str:
    return (
        f"## {entry.name}\n\n"
        f"- Column: `{entry.column}`\n"
        f"- Formula: {entry.formula}\n"
        f"- Unit: {entry.unit}\n"
        f"- Source: {_linked(entry.source)}\n"
        f"- Misleads: {_linked(entry.misleads)}\n"
    )


def _linked(text: str) -> str:
    """Turn arXiv numbers into links."""
    return re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", text)
