"""What an exported program from elsewhere may do: compute, and nothing else.

A program is StableHLO, which has no files, no network and no processes of its own. The ways out are
custom calls, which name functions of the process that runs it (some take raw addresses, and crash
it), and the operations that talk to the host or to other devices. A program with any is refused.
"""

from typing import Any

import jax.export
from jax.extend.mlir.dialects import sdy, stablehlo
from jaxlib.mlir import ir

# JAX's own check of dynamic shapes, which it removes before XLA sees the program. No other.
ALLOWED_CUSTOM_CALLS = ("shape_assertion",)
DIALECTS = ("builtin", "func", "chlo", "sdy", "stablehlo")
OUTSIDE = ("infeed", "outfeed", "send", "recv")


def check(exported: jax.export.Exported) -> None:
    """Checks every operation of a program.

    Raises:
      ValueError: one is not allowed; names it. Or the program is damaged.
    """
    context = ir.Context()
    complaints: list[str] = []

    def note(diagnostic) -> bool:
        try:
            complaints.append(str(diagnostic.message))
        except Exception:  # a message of damaged bytes, which are not UTF-8
            complaints.append("it holds an operation without a name")
        return True  # nothing is printed

    handler: Any = context.attach_diagnostic_handler(note)
    refused: list[str] = []

    def visit(operation) -> ir.WalkResult:
        problem = _problem(operation)
        if problem is not None:
            refused.append(problem)
            return ir.WalkResult.INTERRUPT
        return ir.WalkResult.ADVANCE

    try:
        with context:
            stablehlo.register_dialect(context)
            sdy.register_dialect(context)
            module = stablehlo.deserialize_portable_artifact(
                context, exported.mlir_module_serialized
            )
            module.operation.walk(visit)
    except Exception as error:  # of several kinds
        raise ValueError(f"it is damaged: {complaints[0] if complaints else error}") from error
    finally:
        handler.detach()
    if refused:
        raise ValueError(refused[0])


def _problem(operation) -> str | None:
    """Why an operation is not allowed, or None."""
    dialect, _, name = operation.name.partition(".")
    if dialect not in DIALECTS:
        return f"it holds the operation {operation.name}"
    if dialect == "stablehlo" and name in OUTSIDE:
        return f"it talks to the host or to other devices ({name})"
    if name == "custom_call":
        target = operation.attributes["call_target_name"].value
        if target not in ALLOWED_CUSTOM_CALLS:
            return f"it calls {target!r}, a function of this process"
    return None
