"""Buckets, plans, and batches."""

import concurrent.futures
import dataclasses
import itertools
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from im2latex_jax import input_pipeline
from im2latex_jax.errors import Im2latexError
from im2latex_jax.input_pipeline import (
    BatchSource,
    Bucket,
    EvaluationPlan,
    Sizes,
    TrainingPlan,
    augmentation,
)


def random_sizes(count=500, seed=0):
    rng = np.random.default_rng(seed)
    widths = rng.integers(20, 300, count)
    return Sizes(rng.integers(10, 60, count), widths, widths // 10 + rng.integers(1, 8, count))


def load(number, epoch):
    """A picture and a caption that tell their number."""
    height, width = 4 + number % 5, 6 + number % 7
    return np.full((height, width), number % 255 + 1, np.uint8), [4 + number % 3] * (number % 4)


def toy_sizes(count):
    examples = [load(number, 0) for number in range(count)]
    return Sizes(
        np.asarray([ink.shape[0] for ink, _ in examples]),
        np.asarray([ink.shape[1] for ink, _ in examples]),
        np.asarray([len(caption) + 1 for _, caption in examples]),
    )


def toy_plan(count=50, **changes):
    sizes = toy_sizes(count)
    buckets = [Bucket(8, 8, 4), Bucket(8, 16, 8)]
    settings = {"batch_size": 8, "num_epochs": 3, "seed": 1} | changes
    plain = input_pipeline.assign(buckets, sizes)
    augmented = input_pipeline.assign(buckets[1:], sizes).astype(int) + 1
    return TrainingPlan(buckets, plain, augmented, sizes.lengths, **settings)


def test_buckets_hold_everything_and_more_of_them_pad_less():
    sizes = random_sizes()
    shares = []
    for count in (1, 3, 6):
        buckets = input_pipeline.plan_buckets(sizes, count)
        assert 1 <= len(buckets) <= count
        assert all(b.height % 8 == b.width % 16 == b.length % 4 == 0 for b in buckets)
        assignment = input_pipeline.assign(buckets, sizes)
        assert assignment.min() >= 0
        shapes = np.asarray([(b.height, b.width, b.length) for b in buckets])
        assert np.all(sizes.stack() <= shapes[assignment])
        plan = TrainingPlan(buckets, assignment, assignment, sizes.lengths, 1, 1, 0)
        shares.append(input_pipeline.useful_work_share(plan, sizes, sizes))
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.6


def test_useful_work_is_the_cost_of_the_examples_over_that_of_their_batches():
    def cost(height, width, length):
        return height * width / 512 * (60 + length) + 60 * length

    sizes = Sizes(np.asarray([10, 20]), np.asarray([10, 10]), np.asarray([5, 20]))
    larger = Sizes(sizes.heights + 4, sizes.widths, sizes.lengths)
    buckets = [Bucket(24, 16, 20)]
    assignment = np.zeros(2, int)
    plan = TrainingPlan(buckets, assignment, assignment, sizes.lengths, 3, 1, 0)
    share = input_pipeline.useful_work_share(plan, sizes, larger)
    useful = cost(10, 10, 5) + cost(20, 10, 20)
    assert share == pytest.approx(useful / (3 * cost(24, 16, 20)))  # a filler is no use
    always = dataclasses.replace(plan, draw=augmentation.Draw(0, 1.0))
    useful = cost(14, 10, 5) + cost(24, 10, 20)
    share = input_pipeline.useful_work_share(always, sizes, larger)
    assert share == pytest.approx(useful / (3 * cost(24, 16, 20)))


def test_buckets_are_planned_for_how_often_a_size_is_seen():
    sizes = Sizes(np.asarray([8, 16, 24]), np.asarray([16, 16, 16]), np.asarray([4, 4, 4]))
    often_small = input_pipeline.plan_buckets(sizes, 2, weights=np.asarray([100.0, 1, 1]))
    often_large = input_pipeline.plan_buckets(sizes, 2, weights=np.asarray([1.0, 100, 1]))
    assert [b.height for b in often_small] == [8, 24]
    assert [b.height for b in often_large] == [16, 24]


def test_what_fits_no_bucket_is_left_out():
    sizes = Sizes(np.asarray([10, 99]), np.asarray([10, 10]), np.asarray([5, 5]))
    np.testing.assert_array_equal(input_pipeline.assign([Bucket(16, 32, 8)], sizes), [0, -1])


@pytest.mark.parametrize("draw", [None, augmentation.Draw(3, 0.5)])
@pytest.mark.parametrize("batch_size", [3, 8, 64])
def test_every_example_is_seen_once_in_every_epoch_and_the_order_changes(batch_size, draw):
    plan = toy_plan(batch_size=batch_size, draw=draw)
    epochs = []
    for epoch in range(3):
        start = plan.epoch_ends[epoch - 1] if epoch else 0
        steps = range(start, plan.epoch_ends[epoch])
        assert all(plan.epoch_of(step) == epoch for step in steps)
        ids = np.concatenate([plan[step][1] for step in steps])
        assert (ids < 0).sum() < batch_size  # fillers of one batch at the most
        epochs.append(ids[ids >= 0])
        assert sorted(epochs[-1]) == list(range(50))
        for step in steps:
            bucket, ids = plan[step]
            number = plan.buckets.index(bucket)
            assert np.all(plan.assigned(epoch)[ids[ids >= 0]] <= number)
    assert not np.array_equal(epochs[0], epochs[1])


def test_an_example_is_in_a_larger_bucket_in_the_epochs_that_augment_it():
    plan = toy_plan(draw=augmentation.Draw(3, 0.5))
    seen = np.zeros((3, 50), int)
    for step in range(len(plan)):
        bucket, ids = plan[step]
        seen[plan.epoch_of(step), ids[ids >= 0]] = plan.buckets.index(bucket)
    for epoch in range(3):
        drawn = plan.draw(epoch, np.arange(50))
        assert 10 < drawn.sum() < 40
        assert np.all(seen[epoch][drawn] == 1)


def test_threads_that_ask_for_an_epoch_at_once_compute_it_once(monkeypatch):
    computed = []
    whole = TrainingPlan._batches_of

    def slow(plan, epoch):
        computed.append(epoch)
        time.sleep(0.05)
        return whole(plan, epoch)

    monkeypatch.setattr(TrainingPlan, "_batches_of", slow)
    plan = toy_plan()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(plan.__getitem__, range(8)))
    assert computed == [0, 1] or computed == [0]


def test_a_plan_may_end_within_an_epoch():
    whole = toy_plan()
    short = toy_plan(max_steps=len(whole) - 4)
    assert len(short) == len(whole) - 4
    for step in range(len(short)):
        np.testing.assert_array_equal(short[step][1], whole[step][1])
    assert len(toy_plan(max_steps=10 * len(whole))) == len(whole)


def test_the_plan_is_a_function_of_its_seed():
    def ids(plan):
        return np.stack([plan[step][1] for step in range(len(plan))])

    np.testing.assert_array_equal(ids(toy_plan()), ids(toy_plan()))
    assert not np.array_equal(ids(toy_plan()), ids(toy_plan(seed=2)))


def test_the_curriculum_begins_with_short_captions():
    plan = toy_plan(curriculum=input_pipeline.Curriculum(lengths=(2,)))
    seen = [set(plan[step][1]) for step in range(len(plan))]
    first = set().union(*seen[: plan.epoch_ends[0]]) - {-1}
    assert first == {n for n in range(50) if n % 4 + 1 <= 2}
    assert set().union(*seen[plan.epoch_ends[0] :]) - {-1} == set(range(50))


def test_a_batch_holds_pictures_and_captions_at_their_places():
    plan = toy_plan()
    batch = BatchSource(plan, load)[3]
    bucket, ids = plan[3]
    np.testing.assert_array_equal(batch["ids"], ids)
    assert batch["images"].shape == (8, bucket.height, bucket.width, 1)
    assert batch["tokens"].shape == (8, bucket.length + 1)
    assert (ids >= 0).all()
    for row, number in enumerate(ids):
        ink, caption = load(number, 0)
        height, width = ink.shape
        np.testing.assert_array_equal(batch["sizes"][row], ink.shape)
        np.testing.assert_array_equal(batch["images"][row, :height, :width, 0], ink)
        assert batch["images"][row].sum() == ink.sum()
        expected = [1, *caption, 2]
        assert batch["tokens"][row].tolist() == expected + [0] * (bucket.length + 1 - len(expected))


def test_evaluation_sees_every_example_once_and_fills_up():
    sizes = toy_sizes(13)
    buckets = [Bucket(8, 8, 4), Bucket(8, 16, 8)]
    plan = EvaluationPlan(buckets, input_pipeline.assign(buckets, sizes), 4)
    source = BatchSource(plan, load)
    batches = [source[step] for step in range(len(source))]
    ids = np.concatenate([batch["ids"] for batch in batches])
    assert sorted(ids[ids >= 0]) == list(range(13))
    for batch in batches:
        filler = batch["ids"] < 0
        assert np.all(batch["tokens"][filler] == 0)
        assert np.all(batch["images"][filler] == 0)
        assert np.all(batch["sizes"][filler] == 1)


def same(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_starting_later_goes_on_with_the_very_next_batch():
    whole = list(input_pipeline.iterate(BatchSource(toy_plan(), load)))
    rest = list(input_pipeline.iterate(BatchSource(toy_plan(), load, start=7)))
    assert len(whole) == len(toy_plan())
    same(whole[7:], rest)
    assert list(input_pipeline.iterate(BatchSource(toy_plan(), load, start=len(whole)))) == []


@pytest.mark.slow
def test_worker_processes_give_the_same_batches():
    threads = list(input_pipeline.iterate(BatchSource(toy_plan(), load)))
    workers = list(input_pipeline.iterate(BatchSource(toy_plan(), load), num_workers=2))
    same(threads, workers)


def test_hosts_share_a_batch():
    plan = toy_plan()
    parts = [BatchSource(plan, load, host=host, num_hosts=2) for host in range(2)]
    whole = BatchSource(plan, load)
    for step in range(4):
        joined = {
            name: np.concatenate([part[step][name] for part in parts]) for name in whole[step]
        }
        same([whole[step]], [joined])


def test_a_batch_size_that_hosts_cannot_share_is_refused():
    with pytest.raises(Im2latexError, match="batch_size 8 does not divide by 3 hosts"):
        BatchSource(toy_plan(), load, num_hosts=3)


def test_batches_come_in_order_from_threads():
    source = BatchSource(toy_plan(), load)
    ahead = input_pipeline.iterate(source, num_threads=4)
    for step, batch in enumerate(itertools.islice(ahead, 10)):
        np.testing.assert_array_equal(batch["ids"], source[step]["ids"])


def test_a_filler_takes_the_place_of_a_record_that_is_skipped():
    def load_most(number, epoch):
        return None if number % 5 == 0 else load(number, epoch)

    plan = toy_plan()
    for step in range(len(plan)):
        batch, whole = BatchSource(plan, load_most)[step], BatchSource(plan, load)[step]
        damaged = (plan[step][1] % 5 == 0) & (plan[step][1] >= 0)
        np.testing.assert_array_equal(batch["ids"][damaged], -2 - whole["ids"][damaged])
        assert np.all(batch["tokens"][damaged] == 0)
        for name in batch:
            np.testing.assert_array_equal(batch[name][~damaged], whole[name][~damaged])


def test_the_largest_bucket_is_the_most_work_and_its_shapes_are_those_of_batches():
    buckets = [Bucket(8, 64, 4), Bucket(32, 64, 8), Bucket(16, 32, 8)]
    assert input_pipeline.largest(buckets) == buckets[1]
    batch = BatchSource(toy_plan(), load)[0]
    bucket = toy_plan()[0][0]
    shapes = input_pipeline.batch_shapes(bucket, 8)
    assert shapes.keys() == batch.keys() - {"ids"}
    for name, shape in shapes.items():
        assert (shape.shape, shape.dtype) == (batch[name].shape, batch[name].dtype)


def running(pid):
    """Whether there is such a process that is more than a remnant."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_worker_processes_end_with_a_program_that_is_killed(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        f"""if __name__ == "__main__":
        import multiprocessing, sys, time
        sys.path.insert(0, {str(pathlib.Path(__file__).parents[2])!r})
        from tests.input_pipeline import input_pipeline_test as test
        source = test.BatchSource(test.toy_plan(), test.load)
        batches = test.input_pipeline.iterate(source, num_workers=2)
        next(batches)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(600)
        """
    )
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE) as process:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        assert all(map(running, workers))
        process.kill()
    until = time.monotonic() + 30
    while any(map(running, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(running, workers))
