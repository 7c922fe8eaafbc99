"""Checkpoints (orbax): the newest few and the best by validation BLEU, in DIR/checkpoints."""

import dataclasses
import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from im2latex_jax.errors import Im2latexError
from im2latex_jax.train_state import TrainState


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
            ),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        self._manager.close()

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

    def save(
        self, state: TrainState, progress: Progress, figures: dict[str, float] | None = None
    ) -> None:
        """Saves in the background, under the state's step; `figures` are a validation's."""
        self._manager.save(
            int(state.step),
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state),
                progress=ocp.args.JsonSave(dataclasses.asdict(progress)),
            ),
            metrics=figures,
            force=True,
        )

    def restore(self, like: TrainState, step: int) -> tuple[TrainState, Progress]:
        """The state and progress saved at `step`.

        Raises:
          Im2latexError: if the checkpoint is of another network or optimizer, or is damaged.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        try:
            restored: Any = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(abstract), progress=ocp.args.JsonRestore()
                ),
            )
        except (ValueError, KeyError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise Im2latexError(
                f"{self._manager.directory / str(step)}: cannot restore this checkpoint "
                f"({reason}): remove its folder to go on from an older one, or use another "
                "--workdir"
            ) from error
        return restored.state, Progress(**restored.progress)

    def wait(self) -> None:
        """Returns when everything saved is on disk."""
        self._manager.wait_until_finished()
