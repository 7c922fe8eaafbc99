"""What a run was made with: configuration, code, packages, device, data."""

import importlib.metadata
import json
import pathlib
import platform
import subprocess

import jax
from ml_collections import ConfigDict

import im2latex_jax
from im2latex_jax import whole_files
from im2latex_jax.errors import Im2latexError

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def write(workdir: pathlib.Path, config: ConfigDict, data_fingerprint: str) -> None:
    """Writes config.json and environment.json into `workdir`, once; later calls change nothing.

    Raises:
      Im2latexError: if a run on other data has begun there.
    """
    begun = workdir / "environment.json"
    if begun.exists():
        before = json.loads(begun.read_text(encoding="utf-8")).get("data_fingerprint")
        if before != data_fingerprint:
            raise Im2latexError(
                f"{workdir} holds a run on other training data (fingerprint {before}, now "
                f"{data_fingerprint}): use another --workdir, or give it the data it began with"
            )
    environment = {
        "code": _code_version(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "device": jax.devices()[0].device_kind,
        "num_devices": jax.device_count(),
        "seed": config.seed,
        "data_fingerprint": data_fingerprint,
    }
    files = {"config.json": json.loads(config.to_json()), "environment.json": environment}
    for name, content in files.items():
        path = workdir / name
        if not path.exists():
            whole_files.write_text(path, json.dumps(content, indent=2) + "\n")


def _code_version() -> str:
    """The package's version, with the commit where it runs from a checkout."""
    folder = pathlib.Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return im2latex_jax.__version__
    return f"{im2latex_jax.__version__}+{commit}"
