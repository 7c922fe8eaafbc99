"""Where arrays lie when there are several devices: the mesh, the batch, the train state.

The mesh has two axes, `data` and `fsdp`. A batch is split by rows over all devices. Parameters,
their average and the optimizer's moments are whole on every device, or, with `fsdp` above 1, the
large ones are split over that axis (fully sharded data parallelism, ZeRO: Rajbhandari et al. 2020):
a step gathers the parameters, and every device updates its own part. On one device there is no mesh
and arrays lie where JAX puts them.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from im2latex_jax.errors import Im2latexError

AXES = ("data", "fsdp")
# Numbers in a parameter from which splitting it is worth the exchange.
MIN_SPLIT_SIZE = 2**14

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Layout:
    """Places the arrays of a run.

    Attributes:
      mesh: of `AXES`; None for a single device, on which everything here does nothing.
    """

    mesh: Mesh | None = None

    @property
    def num_devices(self) -> int:
        """Devices of all processes."""
        return 1 if self.mesh is None else self.mesh.size

    def check_batch_size(self, batch_size: int) -> None:
        """Checks that each device gets the same number of a batch's rows.

        Raises:
          Im2latexError: it does not; says what to set.
        """
        if batch_size % self.num_devices:
            larger = self.round_up(batch_size)
            raise Im2latexError(
                f"batch_size {batch_size} does not divide by {self.num_devices} devices: set "
                f"--config.batch_size to a multiple, such as {larger}, or use fewer devices"
            )

    def round_up(self, batch_size: int) -> int:
        """The next batch size that divides by the devices."""
        return -(-batch_size // self.num_devices) * self.num_devices

    def put_batch(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        """A global batch, from the rows of this process."""
        if self.mesh is None:
            return batch
        return jax.make_array_from_process_local_data(self._rows(), batch)

    def batch_shapes(self, shapes: dict[str, jax.ShapeDtypeStruct]) -> dict:
        """The shapes of a global batch, with where it lies."""
        return jax.tree.map(lambda x: self._with_sharding(x, self._rows()), shapes)

    def make_state(self, create: Callable[[], T]) -> T:
        """What `create` makes, in its place."""
        if self.mesh is None:
            return create()
        # Made where it lies: no device need hold the whole.
        shardings = jax.tree.map(self._split, jax.eval_shape(create))
        return jax.jit(create, out_shardings=shardings)()

    def state_shapes(self, create: Callable[[], T]) -> T:
        """The shapes of what `create` makes, with where it lies, without making it."""
        shapes = jax.eval_shape(create)
        return jax.tree.map(lambda x: self._with_sharding(x, self._split(x)), shapes)

    def split(self, tree: T) -> T:
        """Within a program: large arrays split over `fsdp`, the others whole on every device."""
        if self.mesh is None:
            return tree
        return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, self._split(x)), tree)

    def whole(self, tree: T) -> T:
        """Within a program: every array whole on every device."""
        if self.mesh is None:
            return tree
        return jax.lax.with_sharding_constraint(tree, NamedSharding(self.mesh, P()))

    def _rows(self) -> NamedSharding | None:
        return None if self.mesh is None else NamedSharding(self.mesh, P(AXES))

    def _split(self, array: Any) -> NamedSharding | None:
        if self.mesh is None:
            return None
        return NamedSharding(self.mesh, split_spec(array.shape, self.mesh.shape["fsdp"]))

    @staticmethod
    def _with_sharding(shape: jax.ShapeDtypeStruct, sharding: NamedSharding | None):
        if sharding is None:
            return shape
        return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding)


ONE_DEVICE = Layout()


def split_spec(shape: tuple[int, ...], parts: int) -> P:
    """Splits the longest dimension that divides by `parts`; none of a small array."""
    divisible = [dimension for dimension, size in enumerate(shape) if size % parts == 0]
    if parts == 1 or np.prod(shape) < MIN_SPLIT_SIZE or not divisible:
        return P()
    longest = max(divisible, key=lambda dimension: shape[dimension])
    return P(*[None] * longest, "fsdp")


def make_layout(fsdp: int = 1) -> Layout:
    """The layout over all devices of all processes.

    Args:
      fsdp: devices that large parameters are split over.

    Raises:
      Im2latexError: the devices do not divide by `fsdp`, or lie unequally over the processes.
    """
    # By process, so that the rows of a batch that a process loads are those its devices hold.
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    if fsdp < 1 or len(devices) % fsdp:
        raise Im2latexError(
            f"config.fsdp is {fsdp}, and there are {len(devices)} devices: set --config.fsdp to a "
            "divisor of their number; 1 splits no parameters"
        )
    counts = np.bincount([device.process_index for device in devices])
    if len(set(counts)) > 1:
        raise Im2latexError(
            f"the processes have different numbers of devices ({', '.join(map(str, counts))}): "
            "start each with the same number"
        )
    if len(devices) == 1:
        return ONE_DEVICE
    return Layout(Mesh(np.reshape(devices, (-1, fsdp)), AXES))


def fetch(tree: Any) -> Any:
    """A tree's arrays as NumPy arrays, whole: to be called by all processes alike.

    One array at a time is gathered, so that no device need hold all of them.
    """
    return jax.device_get(jax.tree.map(_gathered, tree))


def _gathered(array: Any) -> Any:
    if not isinstance(array, jax.Array) or array.is_fully_addressable:
        return array
    if array.is_fully_replicated or not isinstance(array.sharding, NamedSharding):
        return array
    return jax.device_get(_gather(array.sharding.mesh)(array))


@functools.cache
def _gather(mesh: Mesh):
    return jax.jit(lambda x: x, out_shardings=NamedSharding(mesh, P()))
