"""What each efficiency metric is: the one definition, from which docs/glossary.md and the report's page are made."""

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
        "Where it is modelled it follows from constants, time and load, and shows no difference that these do not. "
        "Energies of different components do not compare.",
    ),
    Entry(
        "duration_s",
        "Duration",
        "length of the window / its iterations",
        "s",
        "The measured window of this study.",
        "It leaves out imports, loading and warm-up, which rule in short runs.",
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
        "compress, decompress: rows · Σ over the layers in use of inputs · outputs; train: FLOPs as recorded / 2, over "
        "the epochs that ran: forward, and backward for weights and for all inputs but the data",
        "1",
        "Counted from the layers. MACs and FLOPs are given apart, since papers and tools confuse them (Desislavov "
        "et al., arXiv 2109.05472).",
        "Matrix products only: activations, loss, optimizer, scaling and copies are not in it, and can take most of "
        "the time in a small network.",
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
        "As the model FLOPs utilisation of Chowdhery et al. (arXiv 2204.02311), but against a peak that was measured "
        "instead of the maker's.",
        "The maker's peak is higher, so fractions against it are lower. A low fraction can mean layers too small to "
        "fill the machine, waiting for memory, or Python: chapter 2 shows which. The peak's node is taken to be that "
        "of the measured run at its point, which a cluster need not keep to.",
    ),
    Entry(
        "flops_per_j",
        "FLOP/J",
        "FLOPs / energy",
        "FLOP/J",
        "Desislavov et al. (arXiv 2109.05472), as FLOPS per watt, which is the same.",
        "The maker's figure takes peak FLOP/s and TDP and is never reached. With idle power in the energy, whatever is "
        "faster looks more efficient. FLOPs in float32 and float64 are not the same work.",
    ),
    Entry(
        "j_per_weight",
        "Energy per weight",
        "energy / parameters",
        "J",
        "A plain ratio of this study, for extrapolating to other widths; Dehghani et al. (arXiv 2110.12894) warn of "
        "parameters as a measure of cost.",
        "It grows with rows and epochs, so compare at equal ones. Compressing uses the encoder's weights only, "
        "decompressing the decoder's; the denominator holds both.",
    ),
    Entry(
        "j_per_row",
        "Energy per row",
        "energy / rows of the table (training: all epochs together)",
        "J",
        "The energy per item of Cai et al. (arXiv 1710.05420); the item is a row.",
        "For short tables the fixed cost of an operation is in it. Training is paid once, however many tables follow.",
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
        "Tied to machine, batch size and program, and no measure of the model alone. Training and compressing do "
        "different work per row.",
    ),
    Entry(
        "latency_p50_s",
        "Batch latency, median",
        "time that half of 300 passes of one batch, in memory, stay below",
        "s",
        "Dehghani et al. (arXiv 2110.12894) distinguish latency and throughput: one does not follow from the other.",
        "From one run of stage parts, apart from the energy measurement (n = 1), on a batch that lies in the caches; "
        "drawing it from the table is not in it. It grows with the batch size. "
        "A median hides the slow batches.",
    ),
    Entry(
        "latency_p99_s",
        "Batch latency, 99th percentile",
        "time that 99 % of them stay below",
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
        "Of the whole machine: other processes are in it (see contamination). Two threads of a core count as two CPUs, "
        "and waiting for memory counts as busy. Full load is not efficiency.",
    ),
    Entry(
        "gpu_utilisation",
        "GPU utilisation",
        "mean over samples and GPUs of NVML's utilisation: share of time with a kernel running",
        "1",
        "NVIDIA Management Library, nvmlUtilization_t. Henderson et al. (arXiv 2002.05651) log it with the energy.",
        "One small kernel at a time already gives 100 %. Of several GPUs, those that the program leaves idle lower it.",
    ),
    Entry(
        "cpu_hours",
        "CPU hours",
        "user and system CPU time of the process and its children / 3600",
        "h",
        "Strubell et al. (arXiv 1906.02243) recommend to report training time; Henderson et al. (arXiv 2002.05651) "
        "track the use of CPU and GPU with the energy.",
        "Not what a cluster charges for, which is cores · duration. Threads that spin while they wait count in full.",
    ),
    Entry(
        "gpu_hours",
        "GPU hours",
        "duration · GPUs that the run sees / 3600",
        "h",
        "Lacoste et al. (arXiv 1910.09700) estimate emissions from hours of use of a hardware.",
        "Occupied, not busy: an idle GPU counts in full. An hour of one model is not an hour of another.",
    ),
    Entry(
        "idle_share",
        "Idle share",
        "idle power · duration / energy",
        "1",
        "The complement of this study's dynamic energy, E - P_idle t; measured energy only.",
        "Idle power depends on sleep states and on how long ago the machine worked. A smaller share can come from "
        "a higher power at work as well as from a shorter run.",
    ),
    Entry(
        "energy_delay_product_js",
        "Energy-delay product",
        "energy · duration",
        "J s",
        "Gonzalez, Horowitz: Energy dissipation in general purpose microprocessors. IEEE J. Solid-State Circuits 31, "
        "1996, doi 10.1109/4.535411.",
        "It weighs time as much as energy, which is a choice, and grows with the square of the work: compare at the "
        "same table and epochs.",
    ),
    Entry(
        "greenness_per_j",
        "Greenness",
        "accuracy / (inferences · energy of an inference + energy of training), with accuracy = 1 - mean over columns "
        "of RMS residual / range, and one inference: compressing and decompressing the table once",
        "1/J",
        "Accuracy over full-cycle energy, training and use together, after Li et al. (arXiv 2108.13465); the accuracy "
        "of a compressor is this study's choice.",
        "All codecs with small errors have an accuracy near 1, so that it is hardly more than 1 / energy: an error "
        "twice as large goes unseen. It depends on the inferences assumed: with one, training rules. Not comparable "
        "between tables.",
    ),
    Entry(
        "energy_precision_j",
        "Energy-precision ratio",
        "error^alpha · energy per item, with alpha = 1, error = mean over columns of RMS residual / range, and an "
        "item: a row compressed and decompressed, without training",
        "J",
        "Cai et al. (arXiv 1710.05420), for energy and error of inference.",
        "Smaller is better. alpha is a choice: 1 takes half the error for twice the energy. Training is not in it, so "
        "that more epochs look free. Near zero error a costly codec wins whatever it takes.",
    ),
)

_HEAD = """\
# Glossary of metrics

Made from `src/baler_energy/analysis/glossary.py` by `baler-energy schema`: change it there.

The table `metrics` of a study's report has these quantities for each run and operation (train, compress, decompress);
its CSV has a column of the name given here, and says for each missing value why it is missing. All values are of one
iteration of the operation. Every energy is measured or modelled, as the column `energy_evidence` says, and is of the
components in `energy_scope`.
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
    """Turn numbers of arXiv into links."""
    return re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", text)
