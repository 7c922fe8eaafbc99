"""A model as files that recognition needs: weights.safetensors, model.json, vocabulary.json."""

import dataclasses
import json
import os
import pathlib

import jax
from ml_collections import ConfigDict

from im2latex_jax import whole_files
from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.model import im2latex, weights


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
    """

    network: im2latex.Im2Latex
    config: ConfigDict
    params: dict
    vocabulary: Vocabulary
    buckets: tuple[Bucket, ...]
    temperature: float = 1.0
    scale: float = 1.0


def save(folder: pathlib.Path, model: TrainedModel) -> None:
    """Writes a model's three files; each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    description = {
        "model": model.config.to_dict(),
        "buckets": [dataclasses.astuple(bucket) for bucket in model.buckets],
        "temperature": model.temperature,
        "scale": model.scale,
    }
    _write_description(folder, description)
    model.vocabulary.save(folder / "vocabulary.json")
    weights.save(folder / "weights.safetensors", model.params)


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
    whole_files.write_text(folder / "model.json", json.dumps(description, indent=2) + "\n")


def _folder(path: str | os.PathLike[str]) -> pathlib.Path:
    """The model's folder, in a work directory or itself."""
    folder = pathlib.Path(path)
    return folder / "model" if (folder / "model").is_dir() else folder


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
    folder = pathlib.Path(__file__).parent / "weights"
    if not (folder / "model.json").is_file():
        raise Im2latexError(
            "this installation brings no trained weights: give the folder of a model or of a "
            "training run (--checkpoint PATH, or Recognizer.load(path))"
        )
    return folder


def load(path: str | os.PathLike[str]) -> TrainedModel:
    """Reads a model from its folder, or from the work directory of a training run.

    Raises:
      Im2latexError: if there is no model, or its files do not fit together.
    """
    folder = _folder(path)
    description = _read_description(folder)
    try:
        config = ConfigDict(description["model"])
        buckets = tuple(Bucket(*shape) for shape in description["buckets"])
        temperature = float(description.get("temperature", 1.0))
        scale = float(description.get("scale", 1.0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Im2latexError(
            f"{folder / 'model.json'}: is no model's description: {error!r}"
        ) from error
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    network = im2latex.build(config, len(vocabulary))
    shapes = jax.eval_shape(lambda: im2latex.initialize(network, jax.random.PRNGKey(0)))
    params = weights.load(folder / "weights.safetensors", shapes)
    return TrainedModel(network, config, params, vocabulary, buckets, temperature, scale)
