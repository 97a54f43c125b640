"""What functions of Baler do, for the figure that compares engines (`analysis.breakdown`)."""

__all__ = ["CALLS"]

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
