"""Checkpoints (orbax): the newest few and the best by validation BLEU, in DIR/checkpoints."""

import dataclasses
import json
import os
import pathlib
import shutil
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from im2latex_jax.errors import Im2latexError
from im2latex_jax.runtime import multihost
from im2latex_jax.training import fingerprints
from im2latex_jax.training.state import TrainState

_REPLACED = "replaced-"  # and the step: a checkpoint whose step is being saved again


class CheckpointError(Im2latexError):
    """A checkpoint is damaged, or of another network or optimizer."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a checkpoint holds beside the train state.

    Attributes:
      next_batch: position in the data: number of the next batch of the plan.
      train_seconds: time spent in training so far.
      examples: examples trained on so far.
    """

    next_batch: int = 0
    train_seconds: float = 0.0
    examples: int = 0


class Checkpoints:
    """Saves and restores (train state, progress); a context manager that waits for writes."""

    def __init__(self, folder: pathlib.Path, keep: int = 2):
        """Opens or makes `folder`; the newest `keep` and the best checkpoint are kept."""
        self._remarks = multihost.by_first(lambda: _tidy(folder)) or []
        self._replaced: pathlib.Path | None = None  # to be removed when its step is saved again
        policy = checkpoint_managers.AnyPreservationPolicy(
            [
                checkpoint_managers.LatestN(keep),
                checkpoint_managers.BestN(
                    get_metric_fn=lambda metrics: metrics["bleu"],
                    n=1,
                    keep_checkpoints_without_metrics=False,
                ),
            ]
        )
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=policy,
                best_fn=lambda metrics: metrics["bleu"],
                cleanup_tmp_directories=True,
                # All processes see the same checkpoints, also on a file system that lags behind.
                single_host_load_and_broadcast=jax.process_count() > 1,
            ),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        self._manager.close()
        self._remove_replaced()

    @property
    def latest(self) -> int | None:
        """Step of the newest checkpoint."""
        return self._manager.latest_step()

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and validation BLEU of the best checkpoint."""
        step = self._manager.best_step()
        metrics = None if step is None else self._manager.metrics(step)
        return None if metrics is None else (step, metrics["bleu"])

    def evaluated(self, step: int) -> bool:
        """Whether the checkpoint of a step has a validation's figures."""
        return self._manager.metrics(step) is not None

    def save(
        self, state: TrainState, progress: Progress, figures: dict[str, float] | None = None
    ) -> None:
        """Saves in the background, under the state's step; `figures` are a validation's.

        A checkpoint of the same step is replaced, and only removed when the new one is on the disk.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            self.wait()
            self._replaced = pathlib.Path(self._manager.directory, f"{_REPLACED}{step}")
            current, aside = self._replaced.with_name(str(step)), self._replaced
            multihost.by_first(lambda: current.rename(aside))
            self._manager.reload()
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state),
                progress=ocp.args.JsonSave(
                    {
                        **dataclasses.asdict(progress),
                        "fingerprint": fingerprints.of_tree(state),
                    }
                ),
            ),
            metrics=figures,
            force=True,
        )

    def restore(self, like: TrainState, step: int) -> tuple[TrainState, Progress]:
        """The state and progress saved at `step`; `like` may be shapes.

        Arrays come to lie where those of `like` do, wherever they were when they were saved.

        Raises:
          CheckpointError: if the checkpoint is of another network or optimizer, or is damaged. Of
            several processes all raise it.
        """
        try:
            state, progress, saved = multihost.together(lambda: self._read(like, step))
            read = fingerprints.of_tree(state)
            multihost.together(lambda: self._compare(step, saved, read))
        except CheckpointError:
            raise
        except Im2latexError as error:  # another process's
            raise CheckpointError(str(error)) from error
        return state, progress

    def _compare(self, step: int, saved: str | None, read: str) -> None:
        if saved not in (None, read):
            raise self._error(step, "its bytes are not those that were saved")

    def _read(self, like: TrainState, step: int) -> tuple[TrainState, Progress, str | None]:
        """State, progress and the fingerprint (None in older checkpoints) of a checkpoint."""
        abstract = jax.tree.map(_placed, like)
        try:
            restored: Any = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(abstract), progress=ocp.args.JsonRestore()
                ),
            )
            saved = dict(restored.progress)
            fingerprint = saved.pop("fingerprint", None)
            return restored.state, Progress(**saved), fingerprint
        except Exception as error:  # orbax raises plain Exceptions, among others
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            reason = next(iter(str(cause).strip().splitlines()), repr(cause))
            raise self._error(step, reason) from error

    def restore_newest(self, like: TrainState) -> tuple[TrainState, Progress, str] | None:
        """The newest state and progress that can be read, and a remark on what could not.

        Checkpoints that cannot be read are set aside, as `damaged-STEP`, if an older one can.
        None where there is no checkpoint.

        Raises:
          CheckpointError: there are checkpoints, and none can be read.
        """
        failures: list[tuple[int, CheckpointError]] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                state, progress = self.restore(like, step)
            except CheckpointError as error:
                failures.append((step, error))
                continue
            for damaged, _ in failures:
                self.set_aside(damaged)
            remarks = [*self._remarks, *(str(error) for _, error in failures)]
            return state, progress, "; ".join(remarks and [*remarks, f"going on from step {step}"])
        if failures:
            raise CheckpointError(
                f"{failures[0][1]}: remove {self._manager.directory} to start over, or use another "
                "--workdir"
            )
        return None

    def set_aside(self, step: int) -> None:
        """Takes a damaged checkpoint out of the way, without deleting it."""
        checkpoint = pathlib.Path(self._manager.directory, str(step))
        multihost.by_first(lambda: _set_aside(checkpoint))
        self._manager.reload()

    def wait(self) -> None:
        """Returns when everything saved is on disk."""
        self._manager.wait_until_finished()
        self._remove_replaced()

    def _remove_replaced(self) -> None:
        if (replaced := self._replaced) is not None:
            self._replaced = None
            multihost.by_first(lambda: shutil.rmtree(replaced))

    def _error(self, step: int, reason: str) -> CheckpointError:
        return CheckpointError(_refusal(self._manager.directory / str(step), reason))


def _placed(leaf: jax.Array | jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    """Shape and type with a place, which a shape alone may lack: then it is the first device."""
    sharding = leaf.sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _refusal(checkpoint: os.PathLike, reason: str) -> str:
    return f"{checkpoint}: cannot restore this checkpoint ({reason[:200]})"


def _set_aside(checkpoint: pathlib.Path) -> None:
    target = checkpoint.with_name(f"damaged-{checkpoint.name}")
    number = 1
    while target.exists():
        number += 1
        target = checkpoint.with_name(f"damaged-{checkpoint.name}-{number}")
    checkpoint.rename(target)


def _tidy(folder: pathlib.Path) -> list[str]:
    """Puts a folder in order that a killed program left; returns remarks."""
    for replaced in folder.glob(f"{_REPLACED}[0-9]*"):
        step = replaced.with_name(replaced.name.removeprefix(_REPLACED))
        if step.exists():
            shutil.rmtree(replaced)
        else:  # killed before the step was saved again
            replaced.rename(step)
    return _set_aside_unlistable(folder)


def _set_aside_unlistable(folder: pathlib.Path) -> list[str]:
    """Sets aside checkpoints that orbax could not even list; says why of each."""
    remarks = []
    for metrics in folder.glob("[0-9]*/metrics"):
        if not metrics.parent.name.isdigit():
            continue  # one that was never finished: orbax removes it
        try:
            json.loads((metrics / "metrics").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            _set_aside(metrics.parent)
            remarks.append(_refusal(metrics.parent, f"metrics: {error}"))
    return remarks
