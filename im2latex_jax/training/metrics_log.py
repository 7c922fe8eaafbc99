"""What a run leaves behind while it goes: metrics.jsonl, exact.jsonl, TensorBoard, lines, a bar."""

import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence

import tqdm

from im2latex_jax.runtime import files
from im2latex_jax.training import tensorboard

METRICS, EXACT = "metrics.jsonl", "exact.jsonl"


class _Lines:
    """A file of JSON lines, continued where an interrupted run needs it."""

    def __init__(self, path: pathlib.Path, keep: Callable[[dict], bool]):
        kept = [line for line in read(path) if keep(line)]
        files.write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a", encoding="utf-8")

    def write(self, line: dict) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class Logs:
    """Writes a run's figures to `workdir`; a context manager that closes the files."""

    def __init__(
        self,
        workdir: pathlib.Path,
        *,
        first_step: int,
        num_steps: int,
        quiet: bool,
        evaluated: bool = True,
    ):
        """Continues the logs of a run at `first_step`; later lines are dropped.

        Args:
          workdir: the run's folder.
          first_step: steps done so far.
          num_steps: steps of the whole run.
          quiet: no progress bar, even on a terminal.
          evaluated: False if the validation at `first_step` comes again.
        """

        def keep(line: dict) -> bool:
            again = line.get("kind") == "validation" and not evaluated
            return line["step"] < first_step or (line["step"] == first_step and not again)

        self._metrics = _Lines(workdir / METRICS, keep)
        self._exact = _Lines(workdir / EXACT, keep)
        self._board = tensorboard.Board(
            workdir / "tensorboard", lambda step, kind: keep({"step": step, "kind": kind})
        )
        self._num_steps = num_steps
        self._bar = tqdm.tqdm(
            total=num_steps,
            initial=first_step,
            unit="step",
            disable=quiet or not sys.stderr.isatty(),
            dynamic_ncols=True,
        )

    def __enter__(self) -> "Logs":
        return self

    def __exit__(self, *_) -> None:
        self._bar.close()
        self._metrics.close()
        self._exact.close()
        self._board.close()

    def step(self, step: int) -> None:
        """Moves the progress bar to `step`."""
        self._bar.update(step - self._bar.n)

    def write(self, step: int, kind: str, figures: dict[str, float]) -> None:
        """Logs figures of a `kind` ("train", "validation") at a step, everywhere."""
        self._metrics.write({"step": step, "kind": kind, **figures})
        self._board.write(step, kind, figures)
        text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        if self._bar.disable:
            self.say(f"step {step}/{self._num_steps}  {kind}: {text}")
        elif kind == "train":
            self._bar.set_postfix_str(f"loss {figures['loss']:.3f}")
        else:
            self.say(f"step {step}  {kind}: {text}")

    def sync(self) -> None:
        """Has what was written so far survive a power cut, as a checkpoint does that follows."""
        self._metrics.sync()
        self._exact.sync()

    def write_exact(self, step: int, losses: Sequence[float], parameters: str) -> dict:
        """Logs what `experiments.tools.reproduce` compares; returns the line.

        Args:
          step: the last step.
          losses: of the steps up to it that no earlier line has; written without rounding.
          parameters: their fingerprint after the step.
        """
        line = exact_line(step, losses, parameters)
        self._exact.write(line)
        return line

    def say(self, text: str) -> None:
        """Prints a line without breaking the progress bar."""
        tqdm.tqdm.write(text, file=sys.stderr)


class NoLogs:
    """What all but the first of a run's processes have instead of `Logs`: writes nothing."""

    def __enter__(self) -> "NoLogs":
        return self

    def __exit__(self, *_) -> None:
        pass

    def step(self, step: int) -> None:
        pass

    def write(self, step: int, kind: str, figures: dict[str, float]) -> None:
        pass

    def sync(self) -> None:
        pass

    def write_exact(self, step: int, losses: Sequence[float], parameters: str) -> dict:
        return exact_line(step, losses, parameters)

    def say(self, text: str) -> None:
        pass


def exact_line(step: int, losses: Sequence[float], parameters: str) -> dict:
    """A line of exact.jsonl: see `Logs.write_exact`."""
    return {"step": step, "losses": [float(x).hex() for x in losses], "parameters": parameters}


def read(path: pathlib.Path) -> list[dict]:
    """The lines of a metrics.jsonl or exact.jsonl; none where the file is missing.

    A last line that was cut off when the run was killed is left out.
    """
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines
