"""Answers for the terminal and as JSON."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from im2latex_jax.solving.answer import Answer, Written

# Longer expressions that have a numeric value are shown by it alone.
_MAX_SHOWN = 100


def as_text(origin: str | None, latex: str, confidence: float | None, answer: Answer | None) -> str:
    """Lines of what was read and found out, each with a heading; an empty one at the end.

    Args:
      origin: the picture, or None where the formula was given as text.
      latex: the formula.
      confidence: that it was read right, 0 to 1, or None.
      answer: None where there was no formula.
    """
    lines = [] if origin is None else [("picture", origin)]
    if latex:
        sure = "" if confidence is None else f"   (confidence {confidence:.2f})"
        lines.append(("formula", f"{latex}{sure}"))
    if answer is not None:
        lines += _findings(answer)
    return "".join(f"{heading + ':':<12}{text}\n" for heading, text in lines)


def _findings(answer: Answer) -> list[tuple[str, str]]:
    lines = []
    seen: set[str] = set()
    for heading, written in (
        ("parsed", answer.parsed),
        ("value", answer.value),
        ("simplified", answer.simplified),
    ):
        # A simplified form that says no more than what is above it is left out.
        if written is not None and (heading != "simplified" or written.sympy not in seen):
            lines.append((heading, _shown(written)))
            seen.add(written.sympy)
    if answer.holds is not None:
        lines.append(("holds", "yes, always" if answer.holds else "no, never"))
    for solution in answer.solutions:
        shown = [
            _shown(value) if name == "condition" else f"{name} = {_shown(value)}"
            for name, value in solution.items()
        ]
        lines.append(("solution", ", ".join(shown)))
    return lines + [("note", note) for note in answer.notes]


def _shown(written: Written) -> str:
    if written.numeric is None:
        return written.sympy
    if len(written.sympy) > _MAX_SHOWN:
        return f"{written.numeric} (rounded)"
    return f"{written.sympy} = {written.numeric} (rounded)"


def as_json(
    origin: str | None,
    latex: str,
    confidence: float | None,
    answer: Answer | None,
    error: str | None,
) -> dict:
    """The same as an object: `image`, `latex`, `confidence` as of `im2latex predict`, and the
    fields of `Answer` that have something to say."""
    fields = {"image": origin, "latex": latex, "confidence": confidence, "error": error}
    if answer is not None:
        fields |= dataclasses.asdict(answer, dict_factory=_said) | {"error": error}
    return _said(fields.items())


def _said(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Without what has nothing to say."""
    return {name: value for name, value in fields if value is not None and value != ()}
