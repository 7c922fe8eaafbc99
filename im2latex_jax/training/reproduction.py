"""Whether a run comes out the same, bit for bit, when it is done again."""

import dataclasses
import pathlib
from typing import Any

from ml_collections import ConfigDict

from im2latex_jax.errors import Im2latexError
from im2latex_jax.training import metrics_log, provenance
from im2latex_jax.training import run as train


@dataclasses.dataclass(frozen=True)
class Record:
    """The content of an exact.jsonl.

    Attributes:
      losses: by step, as hexadecimal numbers, which are exact.
      parameters: their fingerprint after each step that was logged.
    """

    losses: dict[int, str]
    parameters: dict[int, str]

    @classmethod
    def of_lines(cls, lines: list[dict]) -> "Record":
        """From lines as `logs.Logs.write_exact` gives them."""
        losses = {
            line["step"] - len(line["losses"]) + 1 + number: loss
            for line in lines
            for number, loss in enumerate(line["losses"])
        }
        return cls(losses, {line["step"]: line["parameters"] for line in lines})

    @property
    def last_step(self) -> int:
        """The last step of which anything is known."""
        return max(self.losses, default=0)

    def difference(self, other: "Record") -> str | None:
        """Where `other` first differs, in the steps that both have; None where it does not."""
        for step in sorted(self.losses.keys() & other.losses.keys()):
            was, now = self.losses[step], other.losses[step]
            if was != now:
                return (
                    f"step {step} is the first that differs: its loss was "
                    f"{float.fromhex(was):.9g} ({was}) and is now {float.fromhex(now):.9g} ({now})"
                )
            logged = step in self.parameters and step in other.parameters
            if logged and self.parameters[step] != other.parameters[step]:
                return (
                    f"step {step} is the first that differs: its loss is the same, but not the "
                    f"parameters after it (fingerprint {self.parameters[step]}, now "
                    f"{other.parameters[step]})"
                )
        return None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of doing a run again.

    Attributes:
      same: whether all bytes agree.
      text: what was compared, or the first step that differs.
      environment: what the run was made with that is different here, "NAME OLD (now NEW)".
    """

    same: bool
    text: str
    environment: list[str]


class _Stop(Exception):
    """Training need not go on."""


def saved_config(run: pathlib.Path) -> ConfigDict:
    """The configuration of a run, from its folder, for one process.

    Raises:
      Im2latexError: the folder holds no run.
    """
    saved = _tuples(provenance.read(run, provenance.CONFIG))
    config = ConfigDict(provenance.ADDED_KEYS)
    config.update(saved)
    config.distributed.enabled = False
    return config


def reproduce(run: pathlib.Path, workdir: pathlib.Path) -> Verdict:
    """Trains again, in `workdir`, what was trained in `run`, up to the first step that differs.

    Of a run that is not finished, the steps that it has logged are done again.

    Raises:
      Im2latexError: `run` holds no run, or one that wrote no exact.jsonl, or is `workdir`; and as
        `train.run`.
      Interrupted: as `train.run`.
    """
    if workdir.resolve() == run.resolve():
        raise Im2latexError(f"{run} is the run itself: use another --workdir to train again in")
    config = saved_config(run)
    lines = metrics_log.read(run / metrics_log.EXACT)
    if not lines:
        raise Im2latexError(
            f"{run} holds no steps that could be compared: {metrics_log.EXACT} is missing"
        )
    before = Record.of_lines(lines)
    finished = (run / "result.json").exists()
    seen = metrics_log.read(workdir / metrics_log.EXACT)  # where this is not the first try

    def watch(line: dict) -> None:
        seen.append(line)
        if before.difference(Record.of_lines([line])):
            raise _Stop
        if not finished and line["step"] >= before.last_step:
            raise _Stop

    same_weights = True
    try:
        train.run(config, workdir, watch)
        name = pathlib.Path("model", "weights.safetensors")
        same_weights = not finished or (run / name).read_bytes() == (workdir / name).read_bytes()
    except _Stop:
        pass
    differs = before.difference(Record.of_lines(seen))
    changed = provenance.differences(
        provenance.read(run, provenance.ENVIRONMENT),
        provenance.read(workdir, provenance.ENVIRONMENT),
    )
    if differs:
        return Verdict(False, differs, changed)
    if not same_weights:
        return Verdict(False, "all steps agree, but not the weights of the best model", changed)
    extent = "and the weights of the best model" if finished else "of a run that is not finished"
    return Verdict(
        True,
        f"the same bytes: {before.last_step} losses, the parameters at {len(before.parameters)} "
        f"steps, {extent}",
        changed,
    )


def _tuples(value: Any) -> Any:
    """JSON has lists where the configuration has tuples."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    return value
