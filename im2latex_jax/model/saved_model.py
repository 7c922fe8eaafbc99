"""A model as files that recognition needs: weights.safetensors, model.json, vocabulary.json."""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from ml_collections import ConfigDict

from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import Bucket
from im2latex_jax.latex.vocabulary import Vocabulary
from im2latex_jax.model import im2latex, weights
from im2latex_jax.runtime import backend, files, safe_text, untrusted

# The folder of the weights that the package brings.
PACKAGED = pathlib.Path(__file__).parent.parent / "weights"

# Limits for files from elsewhere, far above what a network for formulas needs.
MAX_DESCRIPTION_BYTES = 1 << 20
MAX_SETTING = 65_536  # width of a layer, for example
MAX_STAGES = 64
MAX_BLOCKS = 256
MAX_BUCKETS = 256
MAX_PIXELS = 1 << 20  # of the largest image that is read
MAX_FACTOR = 1000.0  # of temperature and scale
_MAX_REASON = 300  # characters


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


def with_dtype(model: TrainedModel, dtype: str) -> TrainedModel:
    """The same model, which computes its products and convolutions in `dtype`."""
    if model.network.encoder.dtype == jnp.dtype(dtype):
        return model
    config = model.config.copy_and_resolve_references()
    config.dtype = dtype
    network = im2latex.build(config, len(model.vocabulary))
    return dataclasses.replace(model, network=network, config=config)


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
        path = folder / "model.json"
        description = untrusted.parse_json(untrusted.read_file(path, MAX_DESCRIPTION_BYTES))
        if not isinstance(description, dict):
            raise ValueError("it is not a JSON object")
        return description
    except FileNotFoundError as error:
        raise Im2latexError(
            f"{folder}: no model here (model.json is missing): give the work directory of a "
            "training run that has evaluated at least once"
        ) from error
    except untrusted.UntrustedFileError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Im2latexError(f"{path}: cannot read the model: {reason}") from error


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

    The files may come from anywhere: sizes are checked before arrays are made, nothing is
    unpickled, and what is read is data, never code.

    Raises:
      Im2latexError: if there is no model, its files do not fit together or are beyond the limits;
        or JAX does not start.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise Im2latexError(f"a model's folder is a path, not {type(path).__name__}")
    backend.require()
    folder = _folder(path)
    description = _read_description(folder)
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    try:
        digest = description.get("vocabulary_sha256")
        _check_limits(description)
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
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_REASON]
        reason = safe_text.printable(reason)
        raise Im2latexError(
            f"{folder / 'model.json'}: is no model's description: {reason}"
        ) from error
    # Models saved before the digest was have none.
    if digest is not None and digest != _digest(vocabulary):
        raise Im2latexError(
            f"{folder / 'vocabulary.json'}: is the vocabulary of another model: put back the file "
            "that came with model.json"
        )
    try:
        vocabulary.check()
    except Im2latexError as error:
        raise Im2latexError(f"{folder / 'vocabulary.json'}: is damaged: {error}") from error
    params = weights.load(folder / "weights.safetensors", shapes)
    return TrainedModel(
        network, config, params, vocabulary, buckets, temperature, scale, trained_on
    )


def _check_limits(description: dict) -> None:
    """Raises `ValueError` for a network or buckets that no trained model has."""
    untrusted.check_settings(description["model"], MAX_SETTING, MAX_STAGES)
    if sum(description["model"]["blocks"]) > MAX_BLOCKS:
        raise ValueError(f"more than {MAX_BLOCKS} blocks")
    check_shapes([(height, width) for height, width, _ in description["buckets"]])
    for *_, length in description["buckets"]:
        if type(length) is not int or not 0 <= length <= MAX_SETTING:
            raise ValueError(f"a bucket of {str(length)[:20]} tokens")


def check_shapes(shapes: Sequence[tuple[int, int]]) -> None:
    """Checks the shapes of images that a network reads.

    Args:
      shapes: height and width in pixels, as they stand in a file.

    Raises:
      ValueError: there are none or too many, one is no pair of whole numbers above 0, or the image
        that is as high as the highest and as wide as the widest has more than MAX_PIXELS.
    """
    if not 0 < len(shapes) <= MAX_BUCKETS:
        raise ValueError(f"{len(shapes)} buckets: there must be 1 to {MAX_BUCKETS}")
    for side in (side for shape in shapes for side in shape):
        if type(side) is not int or side < 1:
            raise ValueError(f"a bucket's side of {str(side)[:20]} pixels")
    height, width = (max(sides) for sides in zip(*shapes, strict=True))
    if height * width > MAX_PIXELS:
        raise ValueError(f"buckets of up to {width} x {height} pixels: {MAX_PIXELS:,} are allowed")


def check_calibration(temperature: float, scale: float) -> None:
    """Raises `ValueError` for values that no fit gives (NaN, infinity or beyond the limits)."""
    for name, value in (("temperature", temperature), ("scale", scale)):
        if not 1 / MAX_FACTOR <= value <= MAX_FACTOR:
            raise ValueError(f"{name} {value} is not between {1 / MAX_FACTOR} and {MAX_FACTOR:g}")


def _check(
    network: im2latex.Im2Latex, buckets: tuple[Bucket, ...], temperature: float, scale: float
) -> None:
    rows, columns = network.encoder.stride
    check_calibration(temperature, scale)
    if not jnp.issubdtype(network.encoder.dtype, jnp.floating):
        raise ValueError(f"dtype {network.encoder.dtype} is no floating point")
    if any(bucket.height % rows or bucket.width % columns for bucket in buckets):
        raise ValueError(f"buckets must be multiples of {rows} x {columns}, the network's stride")
