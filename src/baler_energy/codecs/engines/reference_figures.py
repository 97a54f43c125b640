"""What figures say about the engine ``reference``, by topic, and what its functions do; no result depends on it."""

__all__ = ["CALLS", "NOTES"]

NOTES = {
    "meaning": "Baler's autoencoder in plain PyTorch (the subject of the other chapters)",
    "window": "has the table in memory",
}
CALLS = {
    "products and activations": (("codecs/baler/model.py", ("encode", "decode", "forward")),),
    "loss": (("codecs/baler/training.py", ("batch_loss",)),),
}
