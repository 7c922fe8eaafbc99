"""Augmentation: what each effect does, what it never does, and that the seed alone decides."""

import dataclasses
import hashlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from ml_collections import ConfigDict

from im2latex_jax import images
from im2latex_jax.input_pipeline import augmentation
from im2latex_jax.input_pipeline.augmentation import (
    OFF,
    AugmentationError,
    Settings,
    augment,
    max_size,
)
from im2latex_jax.rendering import mathtext

ALWAYS = Settings(probability=1)
NOTHING = Settings(
    **{**dataclasses.asdict(ALWAYS), **dict.fromkeys(augmentation.EFFECTS, 0), "rate": 1}
)

# Prints a hash of twenty augmented pictures, which depends on the seeds alone.
HASH = """
import hashlib, sys
import cv2, numpy as np
from im2latex_jax.input_pipeline.augmentation import Settings, augment
cv2.setNumThreads(int(sys.argv[1]))
ink = cv2.resize(np.eye(12, 40, dtype=np.uint8) * 255, (160, 48), interpolation=cv2.INTER_AREA)
digest = hashlib.sha256()
for number in range(20):
    augmented = augment(ink, np.random.default_rng((3, 1, number)), Settings(probability=1))
    digest.update(repr(augmented.shape).encode() + augmented.tobytes())
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def formula() -> np.ndarray:
    return 255 - mathtext.draw(
        r"\sum_{n=1}^{\infty} \frac{x_i^{2n}}{n^2 + \alpha} = \sqrt{1 - t_k}"
    )


def generator(number: int = 0) -> np.random.Generator:
    return np.random.default_rng((0, 0, number))


def only(**strengths: float) -> Settings:
    """These effects, always; no others; any size."""
    return dataclasses.replace(NOTHING, max_growth=2.0, max_extra=50, **strengths)


def rule(height: int = 30, width: int = 200) -> np.ndarray:
    """A long thin horizontal rule between two letters' stems."""
    ink = np.zeros((height, width), np.uint8)
    ink[height // 2 - 1 : height // 2 + 1] = 255
    ink[:, :2] = ink[:, -2:] = 255
    return ink


def test_off_gives_the_picture_itself(formula):
    assert all(augment(formula, generator(number), OFF) is formula for number in range(20))


def test_probability_is_the_share_of_augmented_pictures(formula):
    settings = dataclasses.replace(only(blur=0.5), probability=0.3)
    changed = sum(augment(formula, generator(n), settings) is not formula for n in range(300))
    assert 60 <= changed <= 120


def test_no_effect_gives_an_equal_picture(formula):
    np.testing.assert_array_equal(augment(formula, generator(), NOTHING), formula)


def test_same_seed_same_bytes_and_other_seeds_other_bytes(formula):
    def augmented(number: int) -> bytes:
        return hashlib.sha256(augment(formula, generator(number), ALWAYS).tobytes()).digest()

    assert [augmented(number) for number in range(20)] == [augmented(n) for n in range(20)]
    assert len({augmented(number) for number in range(20)}) >= 15


def test_bytes_do_not_depend_on_process_threads_or_global_generators():
    outputs = set()
    for threads in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", HASH, threads], capture_output=True, text=True, check=True
        )
        outputs.add(run.stdout.strip())
    assert len(outputs) == 1 and len(outputs.pop()) == 64


def test_global_generators_are_neither_read_nor_moved(formula):
    results = []
    for seed in (1, 2):
        cv2.setRNGSeed(seed)
        np.random.seed(seed)
        before = np.random.get_state()[1].tobytes()
        results.append(augment(formula, generator(3), dataclasses.replace(ALWAYS, rate=1)))
        assert np.random.get_state()[1].tobytes() == before
    np.testing.assert_array_equal(*results)


def test_input_is_not_written_to(formula):
    copy = formula.copy()
    copy.flags.writeable = False
    for number in range(30):
        augment(copy, generator(number), ALWAYS)
    np.testing.assert_array_equal(copy, formula)


@pytest.mark.parametrize("effect", [e for e in augmentation.EFFECTS if e != "margin"])
def test_each_effect_alone_changes_the_picture(formula, effect):
    settings = only(**{effect: getattr(Settings(), effect)})
    results = [augment(formula, generator(number), settings) for number in range(5)]
    assert any(result.tobytes() != formula.tobytes() for result in results)
    assert all(result is not formula for result in results)


def test_margin_is_cropped_away_again(formula):
    for number in range(5):
        result = augment(formula, generator(number), only(margin=16))
        assert result is not formula
        np.testing.assert_array_equal(result, formula)


def test_scale_changes_the_size_by_no_more_than_its_strength(formula):
    widths = [augment(formula, generator(n), only(scale=0.2)).shape[1] for n in range(30)]
    width = formula.shape[1]
    assert min(widths) < 0.9 * width and max(widths) > 1.1 * width
    assert all(0.8 * width - 3 <= other <= 1.2 * width + 3 for other in widths)


def test_low_resolution_keeps_the_size_and_loses_detail(formula):
    result = augment(formula, generator(1), only(low_resolution=0.5))
    assert np.abs(np.subtract(result.shape, formula.shape)).max() <= 4
    sharpness = [cv2.Laplacian(ink, cv2.CV_32F).std() for ink in (result, formula)]
    assert sharpness[0] < 0.8 * sharpness[1]


def test_rotation_tilts_a_rule_by_no_more_than_its_strength():
    slopes = []
    for number in range(20):
        result = augment(rule(), generator(number), only(rotation=2.0)).astype(float)
        columns = np.arange(20, result.shape[1] - 20)
        rows = np.arange(result.shape[0])
        middle = (rows @ result[:, columns]) / result[:, columns].sum(axis=0)
        slopes.append(np.degrees(np.arctan(np.polyfit(columns, middle, 1)[0])))
    assert min(slopes) < -0.8 and max(slopes) > 0.8
    assert max(map(abs, slopes)) <= 2.05


def test_thickness_works_both_ways(formula):
    amounts = []
    for number in range(20):
        result = augment(formula, generator(number), only(thickness=0.6))
        assert np.abs(np.subtract(result.shape, formula.shape)).max() <= 2
        amounts.append(result.sum(dtype=float) / formula.sum(dtype=float))
    assert min(amounts) < 0.9 and max(amounts) > 1.2


def test_dark_mode_and_colours_come_back_as_ink(formula):
    # A third of these are light on dark: were one not turned round, it would be all ink.
    for number in range(30):
        result = augment(formula, generator(number), only(colours=0.4))
        assert result.shape == formula.shape
        assert np.corrcoef(result.ravel(), formula.ravel())[0, 1] > 0.98


# Specks of noise would count as strokes: there is none here.
@pytest.mark.parametrize(
    "settings",
    [
        dataclasses.replace(ALWAYS, noise=0),
        only(uneven_light=0.9, contrast=0.9),
        only(jpeg=95, contrast=0.9),
        only(thickness=1, low_resolution=0.5),
    ],
)
def test_no_stroke_is_lost(settings):
    ink = np.zeros((40, 150), np.uint8)
    ink[18:20, 40:70] = ink[22:24, 40:70] = 255  # an equals sign
    ink[5:35, :3] = ink[5:35, 147:] = 255
    for left in (90, 105, 120):
        ink[18:20, left : left + 2] = 255  # dots
    ink[0:5, 8:10] = ink[35:40, 8:10] = 160  # faint ticks
    augmented = 0
    for number in range(200):
        result = augment(ink, generator(number), settings)
        augmented += result is not ink
        _, mask = cv2.threshold(result, images.INK_THRESHOLD - 1, 255, cv2.THRESH_BINARY)
        strokes = cv2.connectedComponents(mask)[0] - 1
        # Nine; the two bars of the equals sign may run together.
        assert strokes >= 8, number
    assert augmented > 20


def test_what_would_spoil_the_picture_is_not_used(formula):
    wild = only(noise=250, contrast=0.9, uneven_light=0.9, jpeg=95, blur=30)
    unchanged = 0
    for number in range(40):
        result = augment(formula, generator(number), wild)
        unchanged += result is formula
        assert (result >= 128).any()
        assert result is formula or (result > 0).mean() < 0.6
    assert unchanged > 20


def test_blank_pictures_are_left_alone():
    blank = np.zeros((20, 30), np.uint8)
    assert all(augment(blank, generator(number), ALWAYS) is blank for number in range(20))


def test_max_size_takes_integers_and_arrays():
    settings = Settings(max_growth=1.25, max_extra=3)
    assert max_size(40, 200, settings) == (53, 253)
    heights, widths = max_size(np.array([40, 8]), np.array([200, 9]), settings)
    np.testing.assert_array_equal(heights, [53, 13])
    np.testing.assert_array_equal(widths, [253, 14])
    assert max_size(40, 200, dataclasses.replace(settings, probability=0)) == (40, 200)


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 250),
    seed=st.integers(0, 2**32 - 1),
    rotation=st.floats(0, 45),
    shear=st.floats(0, 1),
    scale=st.floats(0, 0.9),
    max_growth=st.floats(1, 1.5),
    max_extra=st.integers(0, 20),
)
def test_result_is_ink_within_max_size(height, width, seed, **strengths):
    rng = np.random.default_rng(seed)
    ink = np.where(rng.random((height, width)) < 0.05, 255, 0).astype(np.uint8)
    ink = cv2.dilate(ink, np.ones((3, 7), np.uint8))
    settings = Settings(probability=1, rate=0.5, **strengths)
    for _ in range(3):
        result = augment(ink, rng, settings)
        largest_height, largest_width = max_size(height, width, settings)
        assert result.dtype == np.uint8 and result.ndim == 2
        assert 1 <= result.shape[0] <= largest_height and 1 <= result.shape[1] <= largest_width
        assert result.any() or not ink.any()


def test_no_room_to_grow_still_leaves_room_to_augment(formula):
    settings = dataclasses.replace(ALWAYS, max_growth=1.0, max_extra=0)
    results = [augment(formula, generator(number), settings) for number in range(60)]
    assert all(np.all(np.less_equal(result.shape, formula.shape)) for result in results)
    assert sum(result is not formula for result in results) > 10


def test_real_pictures_are_mostly_augmented(shared_data):
    pages = sorted((shared_data / "im2latex-100k-sample" / "formula_images").glob("*.png"))[:12]
    augmented = total = 0
    for page in pages:
        try:
            ink = images.halve(images.crop(images.to_ink(images.read(page))))
        except images.BlankImageError:
            continue
        for number in range(10):
            total += 1
            augmented += augment(ink, generator(number), ALWAYS) is not ink
    assert total >= 50 and augmented > 0.85 * total


def test_settings_come_from_a_config():
    config = ConfigDict({"probability": 0.25, "noise": 3, "max_extra": 2})
    assert Settings(**config) == Settings(probability=0.25, noise=3, max_extra=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("probability", 1.5),
        ("rate", -0.1),
        ("jpeg", 100),
        ("max_growth", 0.9),
        ("blur", float("nan")),
        ("noise", -1),
    ],
)
def test_setting_out_of_range_is_named(name, value):
    with pytest.raises(AugmentationError, match=f"{name} is .*at least"):
        Settings(**{name: value})


def test_the_draw_is_a_function_of_seed_epoch_and_example_and_evenly_spread():
    draw = augmentation.Draw(seed=4, probability=0.3)
    numbers = np.arange(20_000)
    drawn = draw(2, numbers)
    assert abs(drawn.mean() - 0.3) < 0.01
    np.testing.assert_array_equal(draw(2, numbers[500:510]), drawn[500:510])
    both = draw(3, numbers) & drawn
    assert abs(both.mean() - 0.09) < 0.01  # epochs are independent
    assert abs((augmentation.Draw(5, 0.3)(2, numbers) & drawn).mean() - 0.09) < 0.01
    assert abs((drawn[1:] & drawn[:-1]).mean() - 0.09) < 0.01
    assert augmentation.Draw(4, 1.0)(0, numbers).all()
    assert not augmentation.Draw(4, 0.0)(0, numbers).any()


def test_the_random_numbers_of_the_first_example_are_not_those_of_the_shuffle():
    shuffle = np.random.default_rng((1, 7, 0)).random(4)
    assert not np.array_equal(augmentation.Draw(7, 0.5).rng(0, 0).random(4), shuffle)
    assert not np.array_equal(np.random.default_rng((7, 0)).random(4), shuffle)
