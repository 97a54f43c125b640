"""What figures say about the engine ``upstream``, by topic, and what its functions do; no result depends on it."""

from baler_energy.codecs.upstream.networks import read_as

__all__ = ["CALLS", "NOTES", "read_as"]

NOTES = {
    "meaning": "Baler itself",
    "window": "includes reading and writing all its files",
    "integers": "truncates integers, where the others round them",
    "start-up": "its process and imports",
}
CALLS = {
    "products and activations": (("baler/modules/models.py", ("encode", "decode", "forward")),),
    "loss": (("baler/modules/utils.py", ("mse_sum_loss_l1", "mse_loss_l1", "mse_loss_emd_l1")),),
    "scaling and rounding": (
        ("baler/modules/helper.py", ("normalize", "renormalize")),
        ("baler/modules/data_processing.py", ("find_minmax", "normalize", "renormalize_func")),
    ),
    "collecting output": (("baler/modules/helper.py", ("detacher",)),),
    "files": (("baler/modules/data_processing.py", ("load_model", "save_model")),),
}
