r"""Measures how fast pictures are read.

    python -m experiments.benchmark recognize [--checkpoint PATH | --config.KEY=VALUE ...]

By default a network of the size for im2latex-100k (`experiments/configs/im2latex_100k.py`, in
float32) with random weights reads drawn pictures of that data set's sizes. Every picture is written
in exactly --tokens tokens: the network is kept from ending early. All of the way is timed, from
PNG bytes to LaTeX. The cold start is that of `im2latex predict PICTURE` in a new process, with an
empty and with a filled cache of compiled programs.

--pix2tex-python PYTHON compares with pix2tex 0.1.4 on the same pictures with as many tokens and
threads, its weights random too (nothing is downloaded; its network that resizes pictures is left
out, which favours it). Its requirements do not fit this project's; it has an environment of its
own, on Python 3.11 (these versions work together, whatever their metadata say; torch may be its
CPU build):

    pip install torch==2.13.0
    pip install --no-deps pix2tex==0.1.4 x-transformers==0.15.0 entmax timm==0.5.4 \
        torchvision==0.15.2
    pip install munch einops pyyaml requests tqdm pandas transformers==4.44.2 \
        albumentations==1.4.24 'opencv-python-headless<4.12' 'numpy<2'
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import jax
import numpy as np
from ml_collections import ConfigDict

from experiments import command_line
from experiments.benchmark import stand_in, timing
from im2latex_jax import images, input_pipeline, recognizer
from im2latex_jax.decoding import search
from im2latex_jax.errors import Im2latexError
from im2latex_jax.latex.vocabulary import EOS, SPECIAL_TOKENS, Vocabulary
from im2latex_jax.model import im2latex, saved_model
from im2latex_jax.runtime import compilation, workers

VOCABULARY_SIZE = 500  # about that of im2latex-100k
COLD_STARTS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", metavar="PATH", help="a trained model instead")
    parser.add_argument("--tokens", type=int, default=64, help="tokens written for each picture")
    parser.add_argument("--pictures", type=int, default=64, help="how many different ones")
    parser.add_argument("--pix2tex-python", metavar="PYTHON", help="compare with pix2tex")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> dict[str, Any]:
    config = command_line.config(rest, "im2latex_100k")
    if min(arguments.tokens, arguments.pictures) < 1:
        raise Im2latexError("--tokens and --pictures must be at least 1")
    compilation.enable_cache()
    pictures = stand_in.draw("pictures", arguments.pictures, seed=7)
    if arguments.checkpoint:
        model = saved_model.load(arguments.checkpoint)
    else:
        config.model.dtype = "float32"
        model = random_model(config.model, pictures, config.seed)
    figures = measure(model, pictures, arguments.tokens)
    if arguments.pix2tex_python:
        theirs = pix2tex(arguments.pix2tex_python, pictures, arguments.tokens)
        figures["pix2tex"] = theirs
        figures["ratio_single"] = theirs["single_ms_median"] / figures["single_ms_median"]
        figures["ratio_batch_16"] = (
            figures["pictures_per_second"]["16"] * theirs["batch_16_ms_per_picture"] / 1000
        )
    return figures


def random_model(
    config: ConfigDict, pictures: stand_in.Drawn, seed: int = 0, num_buckets: int = 4
) -> saved_model.TrainedModel:
    """A network with random parameters, and canvases that hold the pictures."""
    tokens = sorted({token for formula in pictures.formulas for token in formula.split()})
    tokens += [f"\\unused{number}" for number in range(VOCABULARY_SIZE - len(tokens))]
    vocabulary = Vocabulary(SPECIAL_TOKENS + tuple(tokens))
    network = im2latex.build(config, len(vocabulary))
    margin = 2 * images.MARGIN
    sizes = input_pipeline.Sizes(
        pictures.heights + margin, pictures.widths + margin, pictures.lengths + 1
    )
    return saved_model.TrainedModel(
        network,
        config,
        im2latex.initialize(network, jax.random.key(seed)),
        vocabulary,
        tuple(input_pipeline.plan_buckets(sizes, num_buckets)),
    )


def measure(
    model: saved_model.TrainedModel,
    pictures: stand_in.Drawn,
    tokens: int,
    *,
    batch_sizes: Sequence[int] = (1, 16, 64),
    cold: bool = True,
) -> dict[str, Any]:
    """All figures of a model; `cold`: also those of new processes."""
    files = [record["image"] for record in pictures.records]
    figures: dict[str, Any] = {
        **timing.device(),
        "dtype": str(np.dtype(model.network.decoder.dtype)),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(model.params)),
        "tokens": tokens,
        "pictures": len(files),
        "median_height": float(np.median(pictures.heights)),
        "median_width": float(np.median(pictures.widths)),
    }
    with forced_length(tokens):
        reader = recognizer.Recognizer(endless(model))
        answers = list(reader.stream(files))  # compiles
        written = {len(answer.probabilities) for answer in answers}
        if not written <= {tokens - 1, tokens}:  # the last may be <eos>, which closes the formula
            raise RuntimeError(f"not {tokens} tokens everywhere: {sorted(written)}")
        times = []
        for _ in range(2):  # the first compiles for single pictures
            times = [_seconds(reader, [file], 1) for file in files]
        figures["single_ms_median"] = 1000 * float(np.median(times))
        figures["single_ms_p95"] = 1000 * float(np.percentile(times, 95))
        figures["pictures_per_second"] = {}
        for batch_size in batch_sizes:
            many = list(files) * -(-max(64, 2 * batch_size) // len(files))
            seconds = [_seconds(reader, many, batch_size) for _ in range(3)][1:]
            figures["pictures_per_second"][str(batch_size)] = len(many) / min(seconds)
    figures["process_megabytes"] = timing.resident_megabytes()
    figures["device_megabytes"] = timing.device_megabytes()
    if cold:
        figures["cold"] = cold_starts(model, files[0])
    return figures


def _seconds(reader: recognizer.Recognizer, files: Sequence[bytes], batch_size: int) -> float:
    start = time.perf_counter()
    list(reader.stream(files, batch_size))
    return time.perf_counter() - start


def endless(model: saved_model.TrainedModel) -> saved_model.TrainedModel:
    """The model without a wish to end: <eos> is the least likely token."""
    params = jax.tree.map(np.array, model.params)
    params["decoder"]["output_logits"]["bias"][EOS] = -1e9
    return dataclasses.replace(model, params=params)


@contextlib.contextmanager
def forced_length(tokens: int) -> Iterator[None]:
    """Recognizers write so many tokens for every picture, even where they repeat themselves."""
    with (
        mock.patch.object(recognizer, "token_budget", lambda height, width: tokens),
        mock.patch.object(search, "LOOP", 10 * tokens),
    ):
        yield


def cold_starts(model: saved_model.TrainedModel, picture: bytes) -> dict[str, float]:
    """Seconds and memory of the command in a new process, its cache of programs empty and full."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        saved_model.save(folder / "model", model)
        (folder / "picture.png").write_bytes(picture)
        command = [sys.executable, "-c", _PREDICT, "predict", str(folder / "picture.png")]
        command += ["--checkpoint", str(folder / "model")]
        environment = {**os.environ, "IM2LATEX_CACHE": str(folder / "cache")}
        starts = [_timed(command, environment) for _ in range(1 + COLD_STARTS)]
    return {
        "empty_cache_seconds": starts[0][0],
        "seconds": float(np.median([seconds for seconds, _ in starts[1:]])),
        "megabytes": max(megabytes for _, megabytes in starts[1:]),
    }


# The command `im2latex`, which then says how much memory it took.
_PREDICT = """
from im2latex_jax.cli.main import main
if main():
    raise SystemExit(1)
from experiments.benchmark import timing
print(timing.resident_megabytes())
"""


def _timed(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds that a command takes, and the figure that it prints last.

    Raises:
      Im2latexError: if it fails.
    """
    start = time.perf_counter()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if ended.returncode:
        raise Im2latexError(f"im2latex predict fails: {ended.stderr.strip()}")
    return seconds, float(ended.stdout.splitlines()[-1])


def pix2tex(python: str, pictures: stand_in.Drawn, tokens: int) -> dict[str, Any]:
    """What `pix2tex_process.py` measures in the environment of another Python.

    Raises:
      Im2latexError: if pix2tex cannot be run there.
    """
    script = pathlib.Path(__file__).with_name("pix2tex_process.py")
    threads = str(workers.available_cpus())
    with tempfile.TemporaryDirectory() as name:
        for number, record in enumerate(pictures.records):
            path = pathlib.Path(name) / f"{number:04}.png"
            path.write_bytes(record["image"])
        try:
            ended = subprocess.run(
                [python, str(script), name, str(tokens), threads],
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise Im2latexError(f"--pix2tex-python {python}: {error}") from error
    if ended.returncode:
        reason = ended.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise Im2latexError(f"--pix2tex-python {python}: pix2tex does not run: {reason[0]}")
    return json.loads(ended.stdout.splitlines()[-1])


def describe(figures: dict[str, Any]) -> str:
    """The figures as text."""
    f = figures
    lines = [
        f"{f['device']} ({f['platform']}, {f['cpus']} CPUs), jax {f['jax']}, {f['dtype']}, "
        f"{f['parameters']:,} parameters",
        f"{f['pictures']} pictures, in the median {f['median_height']:.0f} x "
        f"{f['median_width']:.0f} pixels, {f['tokens']} tokens each",
        f"a single picture, warm: {f['single_ms_median']:.1f} ms (95th percentile "
        f"{f['single_ms_p95']:.1f} ms)",
        *(
            f"batches of {size:>2}: {rate:,.1f} pictures/s"
            for size, rate in f["pictures_per_second"].items()
        ),
        f"memory: process {f['process_megabytes']:,.0f} MB"
        + (f", device {f['device_megabytes']:,.0f} MB" if f["device_megabytes"] else ""),
    ]
    if "cold" in f:
        c = f["cold"]
        lines.append(
            f"im2latex predict in a new process: {c['seconds']:.2f} s, {c['megabytes']:,.0f} MB; "
            f"{c['empty_cache_seconds']:.1f} s with an empty cache of programs"
        )
    if "pix2tex" in f:
        p = f["pix2tex"]
        lines += [
            f"pix2tex {p['pix2tex']} on torch {p['torch']}, {p['threads']} threads: a single "
            f"picture {p['single_ms_median']:,.0f} ms (95th percentile "
            f"{p['single_ms_p95']:,.0f} ms), in batches of 16 "
            f"{p['batch_16_ms_per_picture']:,.0f} ms a picture",
            f"ratio: {f['ratio_single']:.1f} for a single picture, {f['ratio_batch_16']:.1f} in "
            "batches of 16",
        ]
    return "\n".join(lines)
