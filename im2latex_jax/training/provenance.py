"""What a run was made with: configuration, code, packages, device, data."""

import contextlib
import hashlib
import importlib.metadata
import itertools
import json
import os
import pathlib
import platform
import subprocess
from typing import Any

import jax
from ml_collections import ConfigDict

import im2latex_jax
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.vocabulary import Vocabulary, VocabularyError
from im2latex_jax.runtime import compilation, files

CONFIG, ENVIRONMENT, VOCABULARY = "config.json", "environment.json", "vocabulary.json"

# Keys that change how a run is watched or fed, not what it computes: free to change on resuming.
FREE_KEYS = (
    "log_every",
    "num_threads",
    "num_workers",
    "quiet",
    "keep_checkpoints",
    "num_samples",
    "dataset.data_dir",
    "dataset.on_corrupt",
    "allocator",
    "cpu_devices",
    "fsdp",
    "distributed.enabled",
    "distributed.coordinator",
    "distributed.num_processes",
    "distributed.process_id",
    "distributed.timeout",
)
# What runs had that began before there was such a key.
ADDED_KEYS = {
    "allocator": "system",
    "cpu_devices": 1,
    "optimizer": {"name": "adam", "muon_learning_rate": 4e-3, "muon_rounds": 4},
    "deterministic": False,
    "init_from": "",
    "max_steps": 0,
    "dataset": {"on_leak": "fail"},
    "fsdp": 1,
    "distributed": {
        "enabled": False,
        "coordinator": "",
        "num_processes": 0,
        "process_id": -1,
        "timeout": 300,
    },
}

PACKAGES = (
    *("jax", "jaxlib", "jax-cuda12-plugin", "jax-cuda13-plugin", "flax", "optax"),
    *("orbax-checkpoint", "grain", "array-record", "tensorflow-datasets", "ml-collections"),
    *("numpy", "opencv-python-headless", "pillow", "matplotlib", "safetensors"),
)


def check(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Refuses a work directory that holds a run of another configuration, or cannot hold one.

    Raises:
      Im2latexError: it does, or what it holds is no run, or it cannot be made or written.
    """
    _check_writable(workdir)
    began_with = _saved_config(workdir)
    if began_with is None:
        if (workdir / "checkpoints").exists():
            raise Im2latexError(
                f"{workdir} holds checkpoints but no {CONFIG}: use another --workdir"
            )
        return
    saved = {**_flat(ADDED_KEYS), **_flat(began_with)}
    mine = _flat(json.loads(config.to_json()))
    for key in sorted((saved.keys() | mine.keys()) - set(FREE_KEYS)):
        if saved.get(key) != mine.get(key):
            raise Im2latexError(
                f"{workdir} holds a run with another configuration: config.{key} was "
                f"{saved.get(key)!r} and is now {mine.get(key)!r}: use another --workdir, or the "
                "configuration it began with"
            )


def with_dtype(config: ConfigDict, workdir: pathlib.Path | None = None) -> ConfigDict:
    """The configuration with a dtype of the computation in place of "auto".

    That of the run in `workdir`, where one has begun: another would not give the same bytes.
    """
    if config.model.dtype != "auto":
        return config
    dtype = compilation.fast_dtype()
    if workdir is not None and (began_with := _saved_config(workdir)):
        dtype = began_with.get("model", {}).get("dtype", dtype)
    changed = config.copy_and_resolve_references()
    changed.model.dtype = dtype
    return changed


def _saved_config(workdir: pathlib.Path) -> dict[str, Any] | None:
    """The configuration that a run began with: from its file, else from the copy beside it.

    None where no run has begun.

    Raises:
      Im2latexError: the file is damaged, and there is no copy.
    """
    try:
        return read(workdir, CONFIG)
    except Im2latexError:
        with contextlib.suppress(Im2latexError):
            if copy := read(workdir, ENVIRONMENT).get("config"):
                return copy
        if (workdir / CONFIG).exists():
            raise
        return None


def read_vocabulary(workdir: pathlib.Path) -> Vocabulary | None:
    """The vocabulary that a run began with, which gives its parameters their meaning.

    None where no run has begun.

    Raises:
      Im2latexError: there are checkpoints and no vocabulary, or a damaged one.
    """
    path = workdir / VOCABULARY
    found = None
    with contextlib.suppress(VocabularyError):
        found = Vocabulary.load(path)
    if found is None and (path.exists() or (workdir / "checkpoints").exists()):
        state = "a damaged" if path.exists() else "no"
        raise Im2latexError(
            f"{workdir} holds a run with {state} {VOCABULARY}, without which its checkpoints mean "
            f"nothing: put it back (model/{VOCABULARY} is the same), or use another --workdir"
        )
    return found


def check_vocabulary(began_with: Vocabulary, now: Vocabulary, where: object) -> None:
    """Compares a run's vocabulary with that of the training data.

    Raises:
      Im2latexError: they differ; tells the first token that does.
    """
    if began_with == now:
        return
    pairs = itertools.zip_longest(began_with.tokens, now.tokens)
    number, (old, new) = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
    raise Im2latexError(
        f"{where} holds a run with another vocabulary ({len(began_with)} tokens, now {len(now)}; "
        f"the first that differs: token {number} was {old!r} and is now {new!r}): use another "
        "--workdir, or give it the data and the code that it began with"
    )


def _check_writable(workdir: pathlib.Path) -> None:
    # Before the data are built and the step is compiled, which takes minutes.
    folder = next(x for x in (workdir, *workdir.absolute().parents) if x.exists())
    if not folder.is_dir():
        raise Im2latexError(f"--workdir {workdir}: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Im2latexError(
            f"--workdir {workdir}: {folder} cannot be written: use another, or have its owner let "
            "you write there"
        )


def write(
    workdir: pathlib.Path,
    config: ConfigDict,
    data_fingerprint: str | None,
    vocabulary: Vocabulary,
    initial_fingerprint: str | None = None,
) -> str:
    """Writes config.json, vocabulary.json and environment.json into `workdir`, once.

    A later start with other code, packages or devices is added to environment.json; what differs is
    returned as a remark, "" where nothing does.

    Args:
      workdir: of the run.
      config: of the run.
      data_fingerprint: see `Examples.fingerprint`.
      vocabulary: of the run.
      initial_fingerprint: of the parameters that training begins with, where they are trained ones.

    Raises:
      Im2latexError: if a run on other data, or with another vocabulary, has begun there.
    """
    now = environment(config, data_fingerprint, initial_fingerprint)
    settings = json.loads(config.to_json())
    if (workdir / VOCABULARY).exists():
        check_vocabulary(Vocabulary.load(workdir / VOCABULARY), vocabulary, workdir)
    if not (workdir / ENVIRONMENT).exists():
        _write(workdir / ENVIRONMENT, {**now, "config": settings})
        vocabulary.save(workdir / VOCABULARY)
        _write(workdir / CONFIG, settings)
        return ""
    try:
        saved = read(workdir, ENVIRONMENT)
    except Im2latexError as error:
        _write(workdir / ENVIRONMENT, {**now, "config": settings})
        return f"{error}: written anew; whether the data are the same was not compared"
    before = saved["data_fingerprint"]
    if None not in (before, data_fingerprint) and before != data_fingerprint:
        raise Im2latexError(
            f"{workdir} holds a run on other training data (fingerprint {before}, now "
            f"{data_fingerprint}): use another --workdir, or give it the data it began with"
        )
    if not (workdir / VOCABULARY).exists():  # killed between the files
        vocabulary.save(workdir / VOCABULARY)
    try:
        read(workdir, CONFIG)
    except Im2latexError:  # see `_saved_config`
        _write(workdir / CONFIG, saved.get("config", settings))
    starts = saved.pop("later_starts", [])
    changed = differences(starts[-1] if starts else saved, now)
    if not changed:
        return ""
    _write(workdir / ENVIRONMENT, {**saved, "later_starts": [*starts, now]})
    return f"the run began with {', '.join(changed)}: its bytes may now differ"


def environment(
    config: ConfigDict, data_fingerprint: str | None, initial_fingerprint: str | None
) -> dict[str, Any]:
    """What a run of `config` is made with on this machine."""
    device = jax.devices()[0]
    return {
        "code": _code_version(),
        "code_sha256": _code_fingerprint(),
        "python": platform.python_version(),
        "packages": _versions(),
        "device": device.device_kind,
        "num_devices": jax.device_count(),
        "num_processes": jax.process_count(),
        "backend": f"{device.platform} {device.client.platform_version}".strip(),
        "processor": _processor(),
        "num_processors": os.cpu_count(),
        "system": platform.platform(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "seed": config.seed,
        "data_fingerprint": data_fingerprint,
        "initial_fingerprint": initial_fingerprint,
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Where two environments differ, as "NAME OLD (now NEW)"; what only one has is left out."""
    old, new = _flat({**before, "config": None}), _flat({**now, "config": None})
    return [
        f"{key.removeprefix('packages.')} {old[key]} (now {new[key]})"
        for key in old
        if key in new and old[key] != new[key]
    ]


def read(workdir: pathlib.Path, name: str) -> dict[str, Any]:
    """The content of `CONFIG` or `ENVIRONMENT` in a run's folder.

    Raises:
      Im2latexError: there is none, or it is damaged.
    """
    path = workdir / name
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Im2latexError(f"{workdir} holds no run: {name} is missing") from None
    except ValueError as error:
        raise Im2latexError(f"{path} is damaged ({error})") from error


def _write(path: pathlib.Path, content: dict) -> None:
    files.write_text(path, json.dumps(content, indent=2) + "\n")


def _flat(tree: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # one of several ways to have OpenCV, or a plugin of another device
    return versions


def _processor() -> str:
    """The processor's model, where the system tells (Linux), else its architecture."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _code_version() -> str:
    """The package's version, with the commit where it runs from a checkout."""
    folder = pathlib.Path(im2latex_jax.__file__).parent
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


def _code_fingerprint() -> str:
    """A hash of the package's source files: tells uncommitted changes apart."""
    folder = pathlib.Path(im2latex_jax.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
