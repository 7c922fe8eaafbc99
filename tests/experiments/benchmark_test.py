"""The benchmarks on a tiny network: their figures are all there and make sense."""

import json
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import command_line
from experiments.benchmark import (
    operations,
    recognize,
    stand_in,
    timing,
    torch_comparison,
    train,
)
from experiments.benchmark.train import PARTS
from experiments.configs import tiny
from im2latex_jax import images
from im2latex_jax.errors import Im2latexError
from im2latex_jax.model import im2latex


def config():
    tiny_config = tiny.get_config()
    tiny_config.num_buckets = 1
    tiny_config.batch_size = 4
    tiny_config.augmentation.probability = 0.5
    return tiny_config


def test_stand_ins_have_the_sizes_of_im2latex_100k():
    drawn = stand_in.draw("x", 300, seed=3)
    assert len(drawn) == len(drawn.formulas) == 300
    assert 25 <= np.median(drawn.heights) <= 45
    assert 220 <= np.median(drawn.widths) <= 270
    record = drawn[7]
    assert images.read(record["image"]).shape == (record["height"], record["width"])
    assert drawn.lengths[7] == len(record["formula"].split())
    assert stand_in.draw("x", 300, seed=3).records == drawn.records


def test_operations_of_products_convolutions_and_scans_are_counted():
    def function(x, kernel, picture):
        def body(carry, _):
            return carry @ x, None

        turned, _ = jax.lax.scan(body, x, None, length=5)
        convolved = jax.lax.conv_general_dilated(
            picture, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return turned.sum() + convolved.sum()

    shapes = jnp.zeros((8, 8)), jnp.zeros((3, 3, 2, 7)), jnp.zeros((1, 10, 12, 2))
    counted = operations.count(jax.make_jaxpr(function)(*shapes).jaxpr)
    assert counted == 5 * 2 * 8**3 + 2 * 10 * 12 * 7 * 3 * 3 * 2


def test_the_time_of_a_call_is_measured():
    times = timing.seconds(lambda: time.sleep(0.01), 3)
    assert times.shape == (3,)
    assert (times >= 0.01).all()


def test_outliers_drop_out_of_typical_times():
    assert timing.typical([1, 9, 1, 5, 1, 5], "ababab").tolist() == [1, 5, 1, 5, 1, 5]
    assert timing.typical([1.0, 100.0, 1.2], ["a"] * 3).tolist() == [1.2] * 3


def test_the_time_of_a_command_is_measured():
    seconds, figure = recognize._timed([sys.executable, "-c", "print('x'); print(7.5)"], {})
    assert 0 < seconds < 60
    assert figure == 7.5
    with pytest.raises(Im2latexError, match="predict fails: because"):
        recognize._timed([sys.executable, "-c", "raise SystemExit('because')"], {})


def test_the_memory_of_this_process_grows_with_what_it_holds():
    before = timing.resident_megabytes()
    held = np.ones(int(1.5 * before) * timing.MEGABYTE, np.uint8)
    assert timing.resident_megabytes() > 1.4 * before
    del held


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark") / "profile"


@pytest.fixture(scope="module")
def figures(profile):
    return train.measure(config(), stand_in.splits(24, 0), steps=3, profile=str(profile))


def test_training_figures(figures, profile):
    assert json.loads(json.dumps(figures)) == figures
    assert set(figures["shares"]) == {*PARTS, "other", "input"}
    assert sum(figures["shares"].values()) == pytest.approx(1, abs=1e-6)
    assert all(figures["shares"][name] > 0 for name in ("encoder", "decoder_scan", "optimizer"))
    assert sum(figures["ms"].values()) == pytest.approx(figures["main_ms_per_step"])
    assert figures["images_per_second"] == pytest.approx(4 * 1000 / figures["ms_per_step"], rel=0.9)
    assert 0 <= figures["input_wait_share"] < 1
    assert 0 < figures["useful_work_share"] < 1
    assert figures["augmentation_probability"] == 0.5
    assert 0 < figures["share_of_peak"] < 1
    # The scan's body alone is a fiftieth of what the scan does.
    assert figures["flops_per_step"] > figures["xla_flops_per_step"] / 2 > 0
    assert figures["compile_seconds"] > 0
    assert figures["process_megabytes"] > figures["program_megabytes"]["temporary"] > 0
    assert list(profile.rglob("*.xplane.pb"))
    text = train.describe(figures)
    assert all(name in text for name in PARTS)


def test_recognition_figures():
    pictures = stand_in.draw("pictures", 3, seed=1)
    model = recognize.random_model(config().model, pictures, num_buckets=1)
    figures = recognize.measure(model, pictures, 8, batch_sizes=(1, 2), cold=False)
    assert json.loads(json.dumps(figures)) == figures
    assert 0 < figures["single_ms_median"] <= figures["single_ms_p95"]
    assert set(figures["pictures_per_second"]) == {"1", "2"}
    assert all(rate > 0 for rate in figures["pictures_per_second"].values())
    assert figures["median_width"] == np.median(pictures.widths)
    assert "pictures/s" in recognize.describe(figures)


def test_settings_are_those_of_training():
    read = command_line.config(["--config.batch_size=3", "--config.model.dtype=bfloat16"], "tiny")
    assert (read.batch_size, read.model.dtype) == (3, "bfloat16")
    assert command_line.config([], "im2latex_100k").dataset.name == "im2latex_100k"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("no_such_key", "'no_such_key'"),
        ("model.hiden", '\'hiden\' Did you mean "hidden" instead of "hiden"?'),
    ],
)
def test_a_setting_that_does_not_exist_is_told_in_a_line(key, message):
    with pytest.raises(Im2latexError) as caught:
        command_line.config([f"--config.{key}=3"], "tiny")
    assert str(caught.value) == f"the configuration has no such key: {message}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--config=none.py"], "none.py"),
        (["train", "--config.no_such_key=1"], "no_such_key"),
        (["train", "what"], "what"),
        (["recognize", "--checkpoint=/none"], "/none"),
    ],
)
def test_wrong_arguments_are_told_in_a_line(arguments, message):
    command = [sys.executable, "-m", "experiments.benchmark", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode in (1, 2)
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_another_python_without_pix2tex_is_told_in_a_line():
    with pytest.raises(Im2latexError, match=r"pix2tex does not run: .*No module"):
        recognize.pix2tex(sys.executable, stand_in.draw("pictures", 1, seed=1), 4)


def test_training_beside_pytorch_where_there_is_none_is_told_in_a_line(tmp_path):
    with pytest.raises(Im2latexError, match="--torch-python /none"):
        torch_comparison.compare(config(), stand_in.splits(24, 0), 1, "/none")
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho \"No module named 'torch'\" >&2; exit 1\n")
    broken.chmod(0o755)
    with pytest.raises(Im2latexError, match=r"pip install torch.*No module named 'torch'"):
        torch_comparison.compare(config(), stand_in.splits(24, 0), 1, str(broken))


def test_the_network_in_pytorch_gives_the_same_logits():
    torch = pytest.importorskip("torch")
    from experiments.benchmark import torch_model

    network = im2latex.build(config().model, 30)
    params = im2latex.initialize(network, jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: np.float32(leaf + 0.1 * rng.standard_normal(leaf.shape)), params
    )
    pictures = rng.integers(0, 256, (2, 32, 64, 1), np.uint8)
    sizes = np.asarray([[32, 64], [17, 40]], np.int32)
    tokens = rng.integers(0, 30, (2, 7)).astype(np.int32)
    expected, _ = network.apply({"params": params}, pictures, sizes, tokens)
    with torch.no_grad():
        actual = torch_model.Im2Latex(config().model, params)(
            *map(torch.from_numpy, (pictures, sizes, tokens))
        )
    np.testing.assert_allclose(actual.numpy(), expected, atol=2e-5)


def test_training_in_pytorch_gives_the_same_losses():
    pytest.importorskip("torch")
    figures = torch_comparison.compare(config(), stand_in.splits(24, 0), 4, sys.executable)
    assert figures["largest_loss_difference"] < 1e-4
    assert len(set(figures["jax_losses"])) == 4
    assert figures["ratio"] > 0
    assert 0 < abs(figures["torch_best_losses"][-1] - figures["torch_losses"][-1]) < 0.1
