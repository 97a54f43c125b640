"""What functions of the engine ``reference`` do, for the figure that compares engines (`analysis.breakdown`)."""

__all__ = ["CALLS"]

CALLS = {
    "products and activations": (("codecs/baler/model.py", ("encode", "decode", "forward")),),
    "loss": (("codecs/baler/training.py", ("batch_loss",)),),
}
