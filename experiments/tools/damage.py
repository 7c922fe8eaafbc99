"""Files changed as bad disks, networks and editors do."""

import numpy as np


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Cuts, overwrites, deletes, inserts or flips a few bytes, the header's more than others."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(len(damaged)))
        length = int(rng.integers(1, 40))
        match rng.integers(6):
            case 0:
                del damaged[start + 1 :]
            case 1:
                damaged[start : start + length] = rng.bytes(length)
            case 2:
                del damaged[start : start + length]
            case 3:
                damaged[start:start] = rng.bytes(length)
            case 4:
                damaged[start] ^= 1 << int(rng.integers(8))
            case _:  # The header, where the sizes and counts are.
                position = int(rng.integers(min(64, len(damaged))))
                damaged[position] = int(rng.integers(256))
    return bytes(damaged)
