"""Muon (Jordan et al. 2024): momentum, orthogonalized, as the update of matrices.

    m_t = mu m_{t-1} + g_t,   u_t = g_t + mu m_t               Nesterov momentum
    W_t = W_{t-1} - rate 0.2 sqrt(max(rows, columns)) orth(u_t)

orth(u), the nearest matrix with orthonormal rows or columns, is approximated by rounds of the
Newton-Schulz iteration of Jordan et al. The factor 0.2 sqrt(...) gives an update the root mean
square of one of Adam's (Liu et al. 2025, "Muon is scalable for LLM training"), so that both take
rates of a size. `optax.contrib.muon` does the same with all rounds in float32; here they take the
dtype they are given, which in bfloat16 is half of the time on CPUs that multiply it.
"""

import jax
import jax.numpy as jnp
import optax

MOMENTUM = 0.95
_RMS = 0.2
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalize(matrix: jax.Array, rounds: int, dtype: jnp.dtype = jnp.float32) -> jax.Array:
    """A matrix [M, N] with its singular values brought near 1, as float32.

    Args:
      matrix: of any scale.
      rounds: of the Newton-Schulz iteration; the first two or three do most.
      dtype: of the products.
    """
    a, b, c = _COEFFICIENTS
    x = matrix / (jnp.linalg.norm(matrix) + 1e-8)
    x = (x.T if x.shape[0] > x.shape[1] else x).astype(dtype)
    for _ in range(rounds):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.T if matrix.shape[0] > matrix.shape[1] else x
    return x.astype(jnp.float32)


def as_matrix(kernel: jax.Array) -> jax.Array:
    """A kernel [..., outputs] as a matrix [inputs, outputs]."""
    return kernel.reshape(-1, kernel.shape[-1])


def muon(
    learning_rate: optax.Schedule, rounds: int, dtype: jnp.dtype = jnp.float32
) -> optax.GradientTransformation:
    """Muon for kernels of two or more dimensions, the last of which is the output's.

    Args:
      learning_rate: by step.
      rounds, dtype: see `orthogonalize`.
    """

    def direction(update: jax.Array) -> jax.Array:
        matrix = as_matrix(update)
        scale = _RMS * max(matrix.shape) ** 0.5
        return (scale * orthogonalize(matrix, rounds, dtype)).reshape(update.shape)

    return optax.chain(
        optax.trace(MOMENTUM, nesterov=True),
        optax.stateless(lambda updates, _: jax.tree.map(direction, updates)),
        optax.scale_by_learning_rate(learning_rate),
    )


def is_for_muon(path: tuple, parameter: jax.Array) -> bool:
    """Whether Muon updates a parameter: a kernel that is not the embedding or the output layer.

    Jordan et al. leave those two, and vectors, to Adam.
    """
    names = {entry.key for entry in path}
    return parameter.ndim >= 2 and not names & {"embed", "output_logits", "count"}


def with_adam(
    muon_transformation: optax.GradientTransformation, adam: optax.GradientTransformation
) -> optax.GradientTransformation:
    """Muon for the kernels, Adam for the rest: see `is_for_muon`."""

    def labels(params):
        return jax.tree_util.tree_map_with_path(
            lambda path, x: "muon" if is_for_muon(path, x) else "adam", params
        )

    return optax.partition({"muon": muon_transformation, "adam": adam}, labels)
