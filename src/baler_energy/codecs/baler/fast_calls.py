"""What functions of the engine ``fast`` do, for the figure that compares engines (`analysis.breakdown`)."""

__all__ = ["CALLS"]

CALLS = {
    "products and activations": (
        ("codecs/baler/model.py", ("encode", "decode", "forward")),
        ("codecs/baler/fast.py", ("differentiate",)),
    ),
    "loss": (("codecs/baler/training.py", ("batch_loss",)),),
}
