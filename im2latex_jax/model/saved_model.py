"""A model as files that recognition needs: weights.safetensors, model.json, vocabulary.json."""

import dataclasses
import hashlib
import json
import math
import os
import pathlib

import jax
import numpy as np
import numpy.typing as npt
from ml_collections import ConfigDict

from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.model import im2latex, weights
from im2latex_jax.runtime import files

# The folder of the weights that the package brings.
PACKAGED = pathlib.Path(__file__).parent.parent / "weights"


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """A training split that a model has seen.

    Attributes:
      dataset: the folder of its dataset, below the folder of datasets.
      fingerprint: of its examples, see `datasets.statistics`.
    """

    dataset: str
    fingerprint: str | None


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A network with its parameters and all that reading a picture takes.

    Attributes:
      network: the Flax module.
      config: its settings (the `model` part of a training config).
      params: its parameters.
      vocabulary: its tokens.
      buckets: shapes it was trained on.
      temperature: calibrates its confidence, see `calibration`; 1 before that is fitted.
      scale: size of the writing it was trained on, as a multiple of the network's scale.
      trained_on: what it was trained on, those of the models included that it began with; empty
        where that is not known.
    """

    network: im2latex.Im2Latex
    config: ConfigDict
    params: dict
    vocabulary: Vocabulary
    buckets: tuple[Bucket, ...]
    temperature: float = 1.0
    scale: float = 1.0
    trained_on: tuple[TrainingData, ...] = ()


def save(folder: pathlib.Path, model: TrainedModel, dtype: npt.DTypeLike = np.float32) -> None:
    """Writes a model's three files; each appears whole or not at all.

    Args:
      folder: made if missing.
      model: what is written.
      dtype: of the parameters in the file; `load` gives float32 again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    description = {
        "model": model.config.to_dict(),
        "buckets": [dataclasses.astuple(bucket) for bucket in model.buckets],
        "temperature": model.temperature,
        "scale": model.scale,
        "vocabulary_sha256": _digest(model.vocabulary),
        "trained_on": [dataclasses.asdict(data) for data in model.trained_on],
    }
    _write_description(folder, description)
    model.vocabulary.save(folder / "vocabulary.json")
    weights.save(folder / "weights.safetensors", model.params, dtype)


def save_temperature(path: str | os.PathLike[str], temperature: float) -> None:
    """Writes a fitted temperature into a model's description; `path` is as for `load`.

    Raises:
      Im2latexError: if there is no model, or the file cannot be written.
    """
    folder = _folder(path)
    try:
        _write_description(folder, {**_read_description(folder), "temperature": temperature})
    except OSError as error:
        raise Im2latexError(f"{folder / 'model.json'}: cannot be written: {error}") from error


def _write_description(folder: pathlib.Path, description: dict) -> None:
    files.write_text(folder / "model.json", json.dumps(description, indent=2) + "\n")


def _digest(vocabulary: Vocabulary) -> str:
    """Tells vocabularies of one size apart, with which weights load but mean something else."""
    return hashlib.sha256(json.dumps(vocabulary.tokens).encode()).hexdigest()


def _folder(path: str | os.PathLike[str]) -> pathlib.Path:
    """The model's folder, in a work directory or itself."""
    folder = pathlib.Path(path)
    return folder / "model" if os.path.isdir(folder / "model") else folder


def _read_description(folder: pathlib.Path) -> dict:
    try:
        return json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Im2latexError(
            f"{folder}: no model here (model.json is missing): give the work directory of a "
            "training run that has evaluated at least once"
        ) from error
    except (OSError, ValueError) as error:
        raise Im2latexError(f"{folder / 'model.json'}: cannot read the model: {error}") from error


def packaged() -> pathlib.Path:
    """The folder of the weights that the package brings.

    Raises:
      Im2latexError: if it brings none.
    """
    if not (PACKAGED / "model.json").is_file():
        raise Im2latexError(
            "this installation brings no trained weights: give the folder of a model or of a "
            "training run (--checkpoint PATH, or Recognizer.load(path))"
        )
    return PACKAGED


def load(path: str | os.PathLike[str]) -> TrainedModel:
    """Reads a model from its folder, or from the work directory of a training run.

    Raises:
      Im2latexError: if there is no model, or its files do not fit together.
    """
    folder = _folder(path)
    description = _read_description(folder)
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    try:
        digest = description.get("vocabulary_sha256")
        config = ConfigDict(description["model"])
        buckets = tuple(Bucket(*shape) for shape in description["buckets"])
        temperature = float(description.get("temperature", 1.0))
        scale = float(description.get("scale", 1.0))
        trained_on = tuple(TrainingData(**data) for data in description.get("trained_on", ()))
        network = im2latex.build(config, len(vocabulary))
        shapes = jax.eval_shape(lambda: im2latex.initialize(network, jax.random.PRNGKey(0)))
        _check(network, buckets, temperature, scale)
    # ConfigDict, Flax and JAX raise nearly anything for settings that make no network.
    except Exception as error:
        raise Im2latexError(
            f"{folder / 'model.json'}: is no model's description: {error!r}"
        ) from error
    # Models saved before the digest was have none.
    if digest is not None and digest != _digest(vocabulary):
        raise Im2latexError(
            f"{folder / 'vocabulary.json'}: is the vocabulary of another model: put back the file "
            "that came with model.json"
        )
    params = weights.load(folder / "weights.safetensors", shapes)
    return TrainedModel(
        network, config, params, vocabulary, buckets, temperature, scale, trained_on
    )


def _check(
    network: im2latex.Im2Latex, buckets: tuple[Bucket, ...], temperature: float, scale: float
) -> None:
    rows, columns = network.encoder.stride
    if not all(0 < value < math.inf for value in (temperature, scale)):
        raise ValueError(f"temperature {temperature} and scale {scale} must be above 0")
    if not buckets or min(min(bucket.height, bucket.width) for bucket in buckets) < 1:
        raise ValueError("there must be buckets, and pixels in each")
    if any(bucket.height % rows or bucket.width % columns for bucket in buckets):
        raise ValueError(f"buckets must be multiples of {rows} x {columns}, the network's stride")
