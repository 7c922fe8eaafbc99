"""Values and file names that begin with a dash."""

import argparse

import pytest

from im2latex_jax.cli import arguments, main


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="*")
    parser.add_argument("--latex", action="append")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--size", type=int)
    return parser


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--latex", "-x^2+4=0"], ["--latex=-x^2+4=0"]),
        (["--latex", "-x", "--latex", "--json"], ["--latex=-x", "--latex", "--json"]),
        (["--latex", "x", "--json"], ["--latex", "x", "--json"]),
        (["--latex"], ["--latex"]),
        (["--latex", "--", "-x"], ["--latex=--", "-x"]),
        (["--size", "-1"], ["--size=-1"]),
        (["-", "-a.png"], ["-", "./-a.png"]),
        (["--json", "-h", "--nope"], ["--json", "-h", "--nope"]),
        (["--", "-a.png", "--json"], ["--", "-a.png", "--json"]),
    ],
)
def test_arguments_are_what_they_are_meant_to_be(given, expected, parser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-a.png", "-h"):  # a name that is an option is the option
        (tmp_path / name).touch()
    assert arguments.protect(given, parser) == expected


def test_solve_takes_a_formula_that_begins_with_a_minus(capsys):
    assert main.main(["solve", "--latex", "-x^2+4=0"]) == 0
    assert "solution:   x = -2\n" in capsys.readouterr().out
