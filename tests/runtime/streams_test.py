"""Standard streams that are closed or full, seen from outside."""

import os
import subprocess
import sys

import pytest

PROGRAM = """if True:
    import sys
    from im2latex_jax.cli import main
    from im2latex_jax.runtime import streams

    def handler(parsed):
        streams.say("said")
        opened = open(sys.argv[1], "w")  # takes the number of a stream that is closed
        streams.write("written")
        streams.say("said again")
        return 0

    main._parse = lambda given: type("Parsed", (), {"handler": staticmethod(handler)})
    sys.exit(main.main([]))
"""


def _run(tmp_path, redirection: str) -> tuple[int, str, str]:
    """Exit status, standard output and error of the program; the file must stay empty."""
    (tmp_path / "program.py").write_text(PROGRAM)
    command = f'"$0" "$1" "$2" {redirection}'
    run = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, str(tmp_path / "program.py"), tmp_path / "file"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if (tmp_path / "file").exists():
        assert (tmp_path / "file").read_text() == ""
    return run.returncode, run.stdout, run.stderr


def test_open_streams_are_written_to(tmp_path):
    assert _run(tmp_path, "") == (0, "written\n", "im2latex: said\nim2latex: said again\n")
    assert _run(tmp_path, "<&-") == (0, "written\n", "im2latex: said\nim2latex: said again\n")


def test_a_closed_standard_output_is_one_line(tmp_path):
    status, _, error = _run(tmp_path, ">&-")
    assert status == 1
    assert error == "im2latex: error: standard output is closed: there is nowhere to print to\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_standard_output_is_one_line(tmp_path):
    status, _, error = _run(tmp_path, ">/dev/full")
    assert status == 1
    assert error == (
        "im2latex: said\n"
        "im2latex: error: standard output cannot be written: No space left on device\n"
    )


def test_standard_error_that_cannot_be_written_does_not_end_the_work(tmp_path):
    assert _run(tmp_path, "2>&-") == (0, "written\n", "")
    if os.path.exists("/dev/full"):
        assert _run(tmp_path, "2>/dev/full") == (0, "written\n", "")


def test_a_reader_that_has_ended_is_no_error(tmp_path):
    _, _, error = _run(tmp_path, "| true; sleep 0")
    assert "Traceback" not in error and "Exception" not in error
