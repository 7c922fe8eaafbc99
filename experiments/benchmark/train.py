"""Measures a training step of a configuration, and the loop that feeds it.

    python -m experiments.benchmark train [--config FILE] [--config.KEY=VALUE ...]

Batches come out of the configuration's own data and input pipeline, or with --stand-in from drawn
pictures of im2latex-100k's sizes. Every batch shape in the measured window is compiled first; then
the same batches are stepped through twice, from memory and from the input pipeline.

Where the time goes is found by timing parts of the step as programs of their own, forward and
backward, on a batch of the costliest shape. Shares are of the whole step on that batch; "other" is
what is left, and is negative where the parts cost more alone than fused into the step.

--torch trains the same network in PyTorch beside it, from the same weights on the same batches, in
turn, with the same schedule, clipping and allocator: once written plainly, once with bfloat16 by
autocast and fused Adam. PyTorch is not a dependency: install it first (`pip install torch`; 2.13.0
was tried), here or in the environment of --torch-python.
"""

import argparse
import collections
import contextlib
import itertools
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import optax
from ml_collections import ConfigDict

from experiments import command_line
from experiments.benchmark import operations, stand_in, timing
from im2latex_jax import input_pipeline
from im2latex_jax.errors import Im2latexError
from im2latex_jax.model import recurrence
from im2latex_jax.runtime import compilation
from im2latex_jax.training import optimizer
from im2latex_jax.training import state as train_state
from im2latex_jax.training.experiment import Experiment, set_up

PARTS = ("encoder", "decoder_scan", "decoder_rest", "loss", "optimizer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=30, help="steps to measure")
    parser.add_argument(
        "--stand-in",
        type=int,
        default=0,
        metavar="N",
        help="train on N drawn pictures of im2latex-100k's sizes instead of the config's data",
    )
    parser.add_argument("--profile", metavar="DIR", help="write a JAX profile of five steps")
    parser.add_argument("--torch", action="store_true", help="compare with PyTorch")
    parser.add_argument(
        "--torch-python",
        default=sys.executable,
        metavar="PYTHON",
        help="interpreter of the environment that has PyTorch; by default this one",
    )
    parser.add_argument("--torch-steps", type=int, default=20, help="steps of the comparison")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> dict[str, Any]:
    config = command_line.config(rest, "default")
    compilation.prepare(config)
    if min(arguments.steps, arguments.torch_steps) < 1:
        raise Im2latexError("--steps and --torch-steps must be at least 1")
    splits = stand_in.splits(arguments.stand_in, config.seed) if arguments.stand_in else None
    figures = measure(config, splits, steps=arguments.steps, profile=arguments.profile)
    if arguments.torch:
        from experiments.benchmark import torch_comparison

        compared = torch_comparison.compare(
            config, splits, arguments.torch_steps, arguments.torch_python
        )
        figures["torch"] = compared
        for name in ("torch_images_per_second", "torch_best_images_per_second"):
            figures[name] = compared[name]
    return figures


def measure(
    config: ConfigDict, splits=None, *, steps: int, profile: str | None = None
) -> dict[str, Any]:
    """All figures of a configuration; `splits` as for `train.set_up`."""
    experiment = set_up(config, splits)
    steps = min(steps, len(experiment.plan))
    window = list(itertools.islice(batches(experiment), steps))
    shapes = [shape_of(batch) for batch in window]
    state = experiment.initial_state()
    step, place = experiment.train_step(), experiment.layout.put_batch

    programs, compile_seconds = {}, {}
    for shape, batch in dict(zip(shapes, window, strict=True)).items():
        start = time.perf_counter()
        programs[shape] = step.trace(state, place(batch)).lower().compile()
        compile_seconds[shape] = time.perf_counter() - start

    for shape, batch in dict(zip(shapes, window, strict=True)).items():  # once, not counted
        state, metrics = programs[shape](state, place(batch))
    jax.block_until_ready(metrics)
    ready = np.zeros(steps)
    for number, (shape, batch) in enumerate(zip(shapes, window, strict=True)):
        start = time.perf_counter()
        state, metrics = programs[shape](state, place(batch))
        jax.block_until_ready(metrics)
        ready[number] = time.perf_counter() - start
    ready = timing.typical(ready, shapes)
    state, waited, fed = _fed_loop(experiment, programs, state, steps)

    main = _costliest(experiment, shapes)
    batch = place(window[shapes.index(main)])
    main_seconds = float(ready[shapes.index(main)])
    flops = operations.count(step.trace(state, batch).jaxpr.jaxpr)
    cost = programs[main].cost_analysis() or {}
    memory = programs[main].memory_analysis()
    if profile:
        with jax.profiler.trace(profile):
            for _ in range(5):
                state, metrics = programs[main](state, batch)
            jax.block_until_ready(metrics)
    peak = timing.peak_flops(experiment.config.model.dtype) * experiment.layout.num_devices
    parts = {name: 1000 * t for name, t in time_parts(experiment, state.params, batch).items()}
    parts["other"] = 1000 * main_seconds - sum(parts.values())
    waiting = float(waited.sum() / fed)
    return {
        **timing.device(),
        "dtype": experiment.config.model.dtype,
        "xla_options": compilation.options_name(),
        "batch_size": config.batch_size,
        "steps": steps,
        "images_per_second": config.batch_size * steps / float(ready.sum()),
        "ms_per_step": 1000 * float(ready.mean()),
        "loop_images_per_second": config.batch_size * steps / fed,
        "input_wait_share": waiting,
        "input_ms_per_batch": 1000 * _load_seconds(experiment, steps),
        "augmentation_probability": config.augmentation.probability,
        "useful_work_share": experiment.useful_work_share(),
        "compile_seconds": sum(compile_seconds.values()),
        "programs": len(programs),
        "main_shape": "x".join(map(str, main)),
        "main_ms_per_step": 1000 * main_seconds,
        "ms": parts,
        # of a step and its wait for input
        "shares": {
            **{name: (1 - waiting) * t / 1000 / main_seconds for name, t in parts.items()},
            "input": waiting,
        },
        "flops_per_step": flops,
        "xla_flops_per_step": cost.get("flops"),
        "flops_per_second": flops / main_seconds,
        "peak_flops_per_second": peak,
        "share_of_peak": flops / main_seconds / peak,
        "program_megabytes": {
            "arguments": memory.argument_size_in_bytes / timing.MEGABYTE,
            "temporary": memory.temp_size_in_bytes / timing.MEGABYTE,
        },
        "device_megabytes": timing.device_megabytes(),
        "process_megabytes": timing.resident_megabytes(),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)),
    }


def batches(experiment: Experiment):
    """The batches of the run, from its input pipeline, without their ids."""
    config = experiment.config
    source = input_pipeline.BatchSource(experiment.plan, experiment.train.load)
    for batch in input_pipeline.iterate(
        source, num_threads=config.num_threads, num_workers=config.num_workers
    ):
        batch.pop("ids")
        yield batch


def shape_of(batch: input_pipeline.Batch) -> tuple[int, int, int]:
    """Height and width in pixels, and steps."""
    _, height, width, _ = batch["images"].shape
    return height, width, batch["tokens"].shape[1] - 1


def _fed_loop(experiment, programs, state, steps: int):
    """Steps on batches as they come: the state, seconds waited for each, and seconds in all.

    Each step is waited for, so that the time in `next` is time the device had nothing to do. The
    first batch is not counted: nothing can be loaded ahead of it.
    """
    waited = np.zeros(steps)
    with contextlib.closing(batches(experiment)) as source:
        batch = next(source)
        begun = time.perf_counter()
        for number in range(steps):
            placed = experiment.layout.put_batch(batch)
            state, metrics = programs[shape_of(batch)](state, placed)
            jax.block_until_ready(metrics)
            start = time.perf_counter()
            if number + 1 < steps:
                batch = next(source)
            waited[number] = time.perf_counter() - start
        return state, waited, time.perf_counter() - begun


def _load_seconds(experiment, steps: int) -> float:
    """Seconds that one thread takes for a batch, on an average over a few."""
    source = input_pipeline.BatchSource(experiment.plan, experiment.train.load)
    count = min(steps, 5)
    start = time.perf_counter()
    for number in range(count):
        source[number]
    return (time.perf_counter() - start) / count


def _costliest(experiment, shapes):
    """The shape that most of the window's pixels are in."""
    pixels: collections.Counter = collections.Counter()
    for height, width, length in shapes:
        pixels[height, width, length] += height * width
    return pixels.most_common(1)[0][0]


def time_parts(experiment, params, batch, repeats: int = 7) -> dict[str, float]:
    """Median seconds of each of `PARTS` on a batch; forward and backward where there is one."""
    model, config = experiment.model, experiment.config
    variables = {"params": params}
    keys = {"dropout": jax.random.key(0)}
    images, sizes = jax.device_put((batch["images"], batch["sizes"]))
    inputs, targets = jax.device_put((batch["tokens"][:, :-1], batch["tokens"][:, 1:]))

    def encode(params, images, sizes):
        memory, mask = model.apply(
            {"params": params},
            images,
            sizes,
            rngs=keys,
            method=lambda m, images, sizes: m.encoder(images, sizes, train=True),
        )
        return memory, mask

    def decode(params, memory, mask, tokens):
        return model.apply(
            {"params": params},
            memory,
            mask,
            tokens,
            rngs=keys,
            method=lambda m, memory, mask, tokens: m.decoder(memory, mask, tokens, train=True),
        )

    def before_scan(module, memory, mask, tokens):
        decoder = module.decoder
        weights = jax.tree.map(lambda w: w.astype(decoder.dtype), decoder.weights)
        picture, state = decoder.start(memory, mask)
        return weights, picture, state, decoder.token_gates(decoder.embed(tokens.T))

    def scan(weights, memory, keys, state, x, mask):
        return recurrence.unroll(weights, recurrence.Picture(memory, keys, mask), state, x)

    def loss(logits, targets):
        return train_state.token_loss(logits, targets, config.label_smoothing).sum()

    memory, mask = compilation.jit(encode)(params, images, sizes)
    logits = compilation.jit(decode)(params, memory, mask, inputs)
    weights, picture, first, x = compilation.jit(
        lambda *arguments: model.apply(variables, *arguments, method=before_scan)
    )(memory, mask, inputs)

    encoder = _forward_backward(lambda params, i, s: encode(params, i, s)[0], 1)
    decoder = _forward_backward(decode, 2)
    unroll = _forward_backward(scan, 5)
    cross_entropy = _forward_backward(loss, 1)

    @compilation.jit
    def update(gradients, opt_state, params):
        updates, opt_state = experiment.optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    opt_state = experiment.optimizer.init(params)
    calls = {
        "encoder": lambda: encoder(params, images, sizes),
        "decoder": lambda: decoder(params, memory, mask, inputs),
        "decoder_scan": lambda: unroll(weights, picture.memory, picture.keys, first, x, mask),
        "loss": lambda: cross_entropy(logits, targets),
        "optimizer": lambda: update(params, opt_state, params),
    }
    times = {name: float(np.median(timing.seconds(call, repeats))) for name, call in calls.items()}
    times["decoder_rest"] = times.pop("decoder") - times["decoder_scan"]
    return {name: times[name] for name in PARTS}


def _forward_backward(function, count: int):
    """The jitted value of `function` and its gradient by its first `count` arguments."""

    def both(*arguments):
        value, pull = jax.vjp(lambda *some: function(*some, *arguments[count:]), *arguments[:count])
        return value, pull(jax.tree.map(jax.numpy.ones_like, value))

    return compilation.jit(both)


def learning_rate(experiment: Experiment) -> optax.Schedule:
    """The schedule of the run."""
    return optimizer.learning_rate(experiment.config.optimizer, len(experiment.plan))


def describe(figures: dict[str, Any]) -> str:
    """The figures as text."""
    f = figures
    lines = [
        f"{f['num_devices']} x {f['device']} ({f['platform']}, {f['cpus']} CPUs), jax {f['jax']}, "
        f"{f['dtype']}, {f['parameters']:,} parameters, batches of {f['batch_size']}",
        f"{f['images_per_second']:,.1f} images/s, {f['ms_per_step']:,.1f} ms a step (mean of the "
        f"medians of {f['programs']} shapes, over {f['steps']} steps); "
        f"{f['useful_work_share']:.1%} of the work is useful",
        f"with the input pipeline: {f['loop_images_per_second']:,.1f} images/s, "
        f"{f['input_wait_share']:.2%} of the time waiting for it (augmentation of "
        f"{f['augmentation_probability']:.0%}; a batch takes one thread "
        f"{f['input_ms_per_batch']:.1f} ms)",
        f"compiling: {f['compile_seconds']:.1f} s for {f['programs']} shapes",
        f"memory: process {f['process_megabytes']:,.0f} MB"
        + (f", device {f['device_megabytes']:,.0f} MB" if f["device_megabytes"] else "")
        + f"; the main program's arguments {f['program_megabytes']['arguments']:,.0f} MB, "
        f"temporary {f['program_megabytes']['temporary']:,.0f} MB",
        f"a step of {f['main_shape']} (height x width x steps): {f['main_ms_per_step']:,.1f} ms, "
        f"{f['flops_per_step'] / 1e9:,.1f} GFLOP, {f['flops_per_second'] / 1e9:,.0f} GFLOP/s: "
        f"{f['share_of_peak']:.1%} of the {f['peak_flops_per_second'] / 1e9:,.0f} that a large "
        "matrix product reaches",
        "parts of it, timed separately, forward and backward:",
    ]
    for name, share in f["shares"].items():
        time_ = f"{f['ms'][name]:9.1f} ms" if name in f["ms"] else " " * 12
        lines.append(f"  {name:13} {time_} {share:7.1%}")
    if "torch" in f:
        t = f["torch"]
        lines += [
            f"PyTorch {t['torch']}, {t['threads']} threads, the same {t['steps']} steps in turn:",
            f"  JAX ({t['dtype']}) {t['jax_images_per_second']:,.1f} images/s; PyTorch plainly "
            f"(float32) {t['torch_images_per_second']:,.1f}: ratio {t['ratio']:.2f}; at its best "
            f"(bfloat16, fused Adam) {t['torch_best_images_per_second']:,.1f}: ratio "
            f"{t['best_ratio']:.2f}",
            f"  last loss {t['jax_losses'][-1]:.6f}, {t['torch_losses'][-1]:.6f} and "
            f"{t['torch_best_losses'][-1]:.6f}; largest difference to the plain one "
            f"{t['largest_loss_difference']:.1e}",
        ]
    return "\n".join(lines)
