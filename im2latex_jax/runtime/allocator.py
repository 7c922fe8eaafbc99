"""Starting the process again with a memory allocator that keeps what it has.

A training step takes and returns buffers of many megabytes. The C library gives each of them back
to the system, which has to clear it the next time: a tenth of a step on CPUs. Which allocator a
process has is settled when it starts, so it has to start again.
"""

import os
import pathlib
import sys

_MARK = "IM2LATEX_ALLOCATOR"  # set in the process that was started again
_GLIBC_TUNABLES = (
    "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=6000000000:glibc.malloc.hugetlb=1"
)
_JEMALLOC_CONF = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always"
_JEMALLOC = "libjemalloc.so.2"
_FOLDERS = ("/usr/lib64", "/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")


def restart_with(name: str, command: list[str]) -> None:
    """Replaces this process by one that runs the command with the allocator, where it can.

    To be called before anything large is imported: the process begins anew. Where it cannot, a line
    on standard error says so, and this process goes on.

    Args:
      name: "system" changes nothing; "glibc" sets tunables of the C library of Linux;
        "jemalloc" preloads that library.
      command: program and arguments, usually `sys.orig_argv`.
    """
    if name == "system" or os.environ.get(_MARK):
        return
    added = environment(name)
    if added is None:
        print(
            f"config.allocator is {name!r}, which is not to be found here: going on without",
            file=sys.stderr,
        )
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command, {**os.environ, **added, _MARK: name})


def environment(name: str) -> dict[str, str] | None:
    """Environment variables that select an allocator; None where this system lacks it.

    What the user has set for the same allocator stays.
    """
    if name == "glibc":
        if not sys.platform.startswith("linux") or not os.confstr("CS_GNU_LIBC_VERSION"):
            return None
        return {"GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES") or _GLIBC_TUNABLES}
    library = _find_jemalloc()
    if library is None:
        return None
    preloaded = " ".join(filter(None, [os.environ.get("LD_PRELOAD"), str(library)]))
    return {
        "LD_PRELOAD": preloaded,
        "MALLOC_CONF": os.environ.get("MALLOC_CONF") or _JEMALLOC_CONF,
    }


def _find_jemalloc() -> pathlib.Path | None:
    machine = f"/usr/lib/{os.uname().machine}-linux-gnu"
    candidates = (pathlib.Path(folder, _JEMALLOC) for folder in (machine, *_FOLDERS))
    return next((path for path in candidates if path.exists()), None)
