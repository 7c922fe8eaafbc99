"""What code makes a dataset: part of the dataset's name, so that an upgrade builds it anew."""

import importlib.metadata

import im2latex_jax


def version(package: str = "im2latex_jax") -> str:
    """The version of this package or of one that draws for it; empty where it is not installed."""
    if package == "im2latex_jax":
        return im2latex_jax.__version__  # also where the package runs from a checkout
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
