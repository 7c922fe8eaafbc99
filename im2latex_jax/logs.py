"""What a run leaves behind while it goes: metrics.jsonl, TensorBoard, lines and a progress bar."""

import json
import pathlib
import sys
import time

import tensorboardX
import tqdm


class Logs:
    """Writes a run's figures to `workdir`; a context manager that closes the files."""

    def __init__(self, workdir: pathlib.Path, *, first_step: int, num_steps: int, quiet: bool):
        """Continues the logs of a run at `first_step`; later lines of metrics.jsonl are dropped.

        Args:
          workdir: the run's folder.
          first_step: steps done so far.
          num_steps: steps of the whole run.
          quiet: no progress bar, even on a terminal.
        """
        path = workdir / "metrics.jsonl"
        kept = [line for line in read(path) if line["step"] <= first_step]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")
        self._board = tensorboardX.SummaryWriter(str(workdir / "tensorboard"))
        self._started = time.perf_counter()
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
        self._file.close()
        self._board.close()

    def step(self, step: int) -> None:
        """Moves the progress bar to `step`."""
        self._bar.update(step - self._bar.n)

    def write(self, step: int, kind: str, figures: dict[str, float]) -> None:
        """Logs figures of a `kind` ("train", "validation") at a step, everywhere."""
        self._file.write(json.dumps({"step": step, "kind": kind, **figures}) + "\n")
        self._file.flush()
        for name, value in figures.items():
            self._board.add_scalar(f"{kind}/{name}", value, step)
        text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        if self._bar.disable:
            self.say(f"step {step}/{self._num_steps}  {kind}: {text}")
        elif kind == "train":
            self._bar.set_postfix_str(f"loss {figures['loss']:.3f}")
        else:
            self.say(f"step {step}  {kind}: {text}")

    def say(self, text: str) -> None:
        """Prints a line without breaking the progress bar."""
        tqdm.tqdm.write(text, file=sys.stderr)


def read(path: pathlib.Path) -> list[dict]:
    """The lines of a metrics.jsonl; none where the file is missing.

    A last line that was cut off when the run was killed is left out.
    """
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines
