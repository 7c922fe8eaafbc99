"""A model as files that recognition needs: weights.safetensors, model.json, vocabulary.json."""

import dataclasses
import json
import os
import pathlib

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

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
    """

    network: im2latex.Im2Latex
    config: ConfigDict
    params: dict
    vocabulary: Vocabulary
    buckets: tuple[Bucket, ...]


def save(folder: pathlib.Path, model: TrainedModel) -> None:
    """Writes a model's three files; each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    description = {
        "model": model.config.to_dict(),
        "buckets": [dataclasses.astuple(bucket) for bucket in model.buckets],
    }
    part = folder / "model.json.part"
    part.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    os.replace(part, folder / "model.json")
    model.vocabulary.save(folder / "vocabulary.json")
    weights.save(folder / "weights.safetensors", model.params)


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
    folder = pathlib.Path(path)
    if (folder / "model").is_dir():
        folder = folder / "model"
    try:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        config = ConfigDict(description["model"])
        buckets = tuple(Bucket(*shape) for shape in description["buckets"])
    except FileNotFoundError as error:
        raise Im2latexError(
            f"{path}: no model here (model.json is missing): give the work directory of a training "
            "run that has evaluated at least once"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Im2latexError(f"{folder / 'model.json'}: cannot read the model: {error}") from error
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    network = im2latex.build(config, len(vocabulary))
    shapes = jax.eval_shape(lambda: im2latex.initialize(network, jax.random.PRNGKey(0)))
    params = weights.load(folder / "weights.safetensors", shapes)
    return TrainedModel(network, config, jax.tree.map(jnp.asarray, params), vocabulary, buckets)
