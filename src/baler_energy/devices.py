"""GPUs that CUDA can use here, found without importing torch."""

from baler_energy.config.study import Study
from baler_energy.errors import UnavailableError

__all__ = ["count_gpus", "refuse_missing_gpu"]


def count_gpus() -> int:
    """Count the NVIDIA GPUs that the driver shows; 0 without a driver that works."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return 0
    try:
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0
    finally:
        pynvml.nvmlShutdown()


def refuse_missing_gpu(study: Study) -> None:
    """Refuse a study that requires CUDA on a machine without a GPU.

    Raises
    ------
    UnavailableError
        A point has ``device: cuda`` and there is no GPU.
    """
    if any(point.device == "cuda" for point in study.points) and count_gpus() == 0:
        raise UnavailableError(
            f"Study {study.name!r} has 'device: cuda', but no NVIDIA GPU is visible on this machine. Set device to cpu "
            "or auto, run it on a GPU node (snakemake --profile slurm), or check `baler-energy doctor`."
        )
