"""Files changed as bad disks, networks and editors do; see `experiments.tools.damage`."""

from experiments.tools.damage import damage

__all__ = ["damage"]
