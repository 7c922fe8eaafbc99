"""Options of the compiler."""

import os
import pathlib
import subprocess
import sys

import jax
import pytest

from experiments.configs import tiny
from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import compilation


def test_a_gpu_is_made_deterministic_beside_other_flags(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=somewhere")
    compilation.make_deterministic()
    compilation.make_deterministic()
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to=somewhere --xla_gpu_deterministic_ops=true"


def test_a_gpu_that_was_started_otherwise_is_refused(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    compilation.check_deterministic()  # nothing to do on a CPU
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(Im2latexError, match="set XLA_FLAGS="):
        compilation.check_deterministic()
    compilation.make_deterministic()
    compilation.check_deterministic()


def test_the_installed_xla_knows_the_flag():
    """It would abort the program otherwise."""
    program = (
        "from im2latex_jax.runtime import compilation\n"
        "compilation.make_deterministic()\n"
        "print(compilation.jit(lambda x: x + 1)(1.0))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "2.0\n", ended.stderr


def options_with(monkeypatch, known, version=(0, 12, 0)):
    """What is chosen by an XLA that knows only some options."""

    def jit(function, compiler_options):
        if set(compiler_options) - set(known):
            raise RuntimeError("No such compile option")
        return function

    monkeypatch.setattr(jax, "jit", jit)
    monkeypatch.setattr(jax, "__version_info__", version)
    caches = compilation._chosen_options, compilation._known
    for cached in caches:
        cached.cache_clear()
    try:
        return compilation.options_name(), compilation.compiler_options()
    finally:
        for cached in caches:
            cached.cache_clear()


def test_the_best_options_that_xla_knows_are_taken(monkeypatch):
    ynn, onednn = compilation._YNN, compilation._ONEDNN
    everything = {**ynn, **onednn}
    assert options_with(monkeypatch, everything) == ("oneDNN and YNN", everything)
    assert options_with(monkeypatch, onednn) == ("oneDNN", onednn)
    assert options_with(monkeypatch, ynn) == ("YNN", ynn)
    assert options_with(monkeypatch, {}) == ("none", {})
    assert options_with(monkeypatch, everything, version=(0, 10, 2)) == ("YNN", ynn)


@pytest.mark.parametrize(
    ("flags", "name", "dtype"),
    [
        ("fpu avx512f avx512_bf16", "oneDNN and YNN", "bfloat16"),
        ("fpu amx_bf16", "oneDNN", "bfloat16"),
        ("fpu avx512f", "oneDNN and YNN", "float32"),
        ("fpu avx512_bf16", "YNN", "float32"),
    ],
)
def test_bfloat16_is_for_processors_and_versions_that_multiply_it(monkeypatch, flags, name, dtype):
    monkeypatch.setattr(
        pathlib.Path, "read_text", lambda *_, **__: f"flags\t\t: {flags}\nbugs\t: x"
    )
    monkeypatch.setattr(compilation, "options_name", lambda: name)
    monkeypatch.setattr(jax, "__version_info__", (0, 12, 0))
    compilation.fast_dtype.cache_clear()
    try:
        assert compilation.fast_dtype() == dtype
    finally:
        compilation.fast_dtype.cache_clear()


@pytest.mark.parametrize(
    ("cpu_devices", "batch_size", "expected"), [(0, 24, 4), (0, 6, 3), (0, 7, 1), (2, 24, 2)]
)
def test_the_processor_is_split_where_batches_divide(
    monkeypatch, cpu_devices, batch_size, expected
):
    config = tiny.get_config()
    config.update(cpu_devices=cpu_devices, batch_size=batch_size)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    monkeypatch.setattr(compilation.workers, "available_cpus", lambda: 4)
    updates = {}
    monkeypatch.setattr(jax.config, "update", updates.__setitem__)
    compilation.prepare_devices(config)
    assert updates == {"jax_num_cpu_devices": expected}


def test_devices_that_a_batch_does_not_divide_by_are_refused():
    config = tiny.get_config()
    config.update(cpu_devices=5, batch_size=24)
    with pytest.raises(Im2latexError, match="batch_size 24 does not divide by 5 devices"):
        compilation.prepare_devices(config)


def test_a_number_of_devices_in_the_environment_is_left_alone(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")
    monkeypatch.setattr(jax.config, "update", lambda *_: pytest.fail("changed"))
    config = tiny.get_config()
    config.cpu_devices = 0
    compilation.prepare_devices(config)


def test_devices_of_one_process_wait_for_each_other_however_long(monkeypatch):
    assert not set(compilation._PATIENCE) & set(compilation.compiler_options())  # one device
    monkeypatch.setattr(jax, "local_device_count", lambda: 2)
    assert compilation._PATIENCE.items() <= compilation.compiler_options().items()
