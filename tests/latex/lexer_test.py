import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2latex_jax.latex.lexer import LexError, detokenize, tokenize


@pytest.mark.parametrize(
    ("formula", "tokens"),
    [
        (r"\frac12", [r"\frac", "1", "2"]),
        (r"\alpha x", [r"\alpha", "x"]),
        (r"a\,b\ c\\", ["a", r"\,", "b", "\\", "c", r"\\"]),
        ("a\\", ["a", "\\"]),
        (r"\left( x \right \}", [r"\left(", "x", r"\right\}"]),
        (r"\left\langle\leftarrow", [r"\left\langle", r"\leftarrow"]),
        (r"\left.x\right|", [r"\left.", "x", r"\right|"]),
        (r"\begin {array}{c}a\end{array}", [r"\begin{array}", "{", "c", "}", "a", r"\end{array}"]),
        (
            r"\operatorname*{a}\operatorname *{b}",
            [r"\operatorname*", *"{a}", r"\operatorname", *"*{b}"],
        ),
        ("a % a comment \\frac\n b", ["a", "b"]),
        (r"5\% x", ["5", r"\%", "x"]),
        ("a--b - -", ["a", "--", "b", "-", "-"]),
        ("x ^ { π' }", ["x", "^", "{", "π", "'", "}"]),
        ("", []),
    ],
)
def test_tokenize(formula, tokens):
    assert tokenize(formula) == tokens


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("a\x00b", r"U\+0000 at character 1"),
        ("\ud800", r"U\+D800"),
        (r"\begin x", "name"),
        (r"\begin{\x}", "name"),
        (r"x \left {", "delimiter"),
        (r"\right", "delimiter"),
        (r"\left\begin{filecontents*}{x.sty}", r"\\left is followed by \\begin, which is not"),
        (r"\right\alpha", "not a delimiter"),
    ],
)
def test_refuses_with_reason(formula, reason):
    with pytest.raises(LexError, match=reason):
        tokenize(formula)


def test_detokenize_keeps_dimensions_in_one_piece():
    tokens = [r"\hspace", "{", "0", ".", "5", "c", "m", "}", r"\alpha", "x", r"\beta", "2"]
    assert detokenize(tokens) == r"\hspace{0.5cm}\alpha x\beta2"


def test_detokenize_keeps_a_control_word_from_an_at_sign():
    assert detokenize([r"\sqrt", "@"]) == r"\sqrt @"  # to KaTeX it is a letter


def test_detokenize_keeps_control_space_at_the_end():
    assert detokenize(["a", "\\"]) == "a\\ "


@given(st.text(alphabet="\\ab*-{}()[]%^_ .,1é\n", max_size=40))
def test_detokenize_then_tokenize_gives_the_same_tokens(formula):
    try:
        tokens = tokenize(formula)
    except LexError:
        return
    assert tokenize(detokenize(tokens)) == tokens
    assert tokenize(" ".join(tokens)) == tokens


def test_tokenized_validation_lines_come_back(shared_data):
    text = (shared_data / "im2latex-100k" / "val.formulas.norm.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "[object" not in line]
    assert len(lines) > 8000
    assert [line for line in lines if tokenize(line) != line.split()] == []
    assert [line for line in lines if tokenize(detokenize(line.split())) != line.split()] == []
