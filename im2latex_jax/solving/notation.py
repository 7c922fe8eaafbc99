"""What the parser knows by name: functions, letters, signs, and why others are refused."""

from collections.abc import Callable

import sympy

from im2latex_jax.solving.building import divide

RELATION_CLASSES = {
    "=": sympy.Eq,
    "<": sympy.Lt,
    ">": sympy.Gt,
    "\\leq": sympy.Le,
    "\\leqslant": sympy.Le,
    "\\geq": sympy.Ge,
    "\\geqslant": sympy.Ge,
    "\\neq": sympy.Ne,
}
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
    "varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda "
    "Xi Pi Sigma Upsilon Phi Psi Omega hbar ell pi"
)
GREEK = frozenset(_GREEK_NAMES.split())
ACCENTS = {"\\bar": "bar", "\\overline": "bar", "\\hat": "hat", "\\tilde": "tilde"}
CONJUGATES = frozenset(("\\bar", "\\overline"))
# Letters that usually stand for complex numbers.
COMPLEX_LETTERS = frozenset("zw")
FUNCTION_LETTERS = frozenset("fghFGH")
# As superscripts of a letter, a tensor's indices: two or more of the former, one of the latter.
INDEX_LETTERS = frozenset(("\\mu", "\\nu", "\\rho", "\\sigma", "\\lambda", "\\alpha", "\\beta"))
LONE_INDICES = frozenset((("\\mu",), ("\\nu",)))
TIMES_SIGNS = frozenset(("\\cdot", "\\times", "*"))
RATIO_SIGNS = frozenset((":", "\\colon"))
DIVISION_SIGNS = frozenset(("/", "\\div")) | RATIO_SIGNS
REMAINDER_SIGNS = frozenset(("\\bmod", "\\mod"))
ARROWS = frozenset(("\\rightarrow", "\\longrightarrow"))
BRACKETS = {"(": ")", "[": "]", "\\{": "\\}", "{": "}"}
ROUNDED = {
    "\\lfloor": ("\\rfloor", sympy.floor),
    "\\lceil": ("\\rceil", sympy.ceiling),
    "\\left|": ("\\right|", sympy.Abs),
    "|": ("|", sympy.Abs),
}


def _logarithm(base: int) -> Callable[..., sympy.Expr]:
    def function(argument, **options):
        return divide(sympy.log(argument, **options), sympy.log(base, **options))

    return function


_ELEMENTARY = "exp erf erfc sin cos tan cot sec csc sinh cosh tanh coth sech csch"
CIRCULAR = ("sin", "cos", "tan", "cot", "sec", "csc")
FUNCTIONS: dict[str, Callable[..., sympy.Expr]] = {
    **{name: getattr(sympy, name) for name in _ELEMENTARY.split()},
    **{
        f"{prefix}{name}": getattr(sympy, f"a{name}")
        for name in CIRCULAR
        for prefix in ("a", "arc")
    },
    **{
        f"{prefix}{name}h": getattr(sympy, f"a{name}h")
        for name in CIRCULAR
        for prefix in ("a", "ar", "arc")
    },
    "tg": sympy.tan,
    "ctg": sympy.cot,
    "arctg": sympy.atan,
    "ln": sympy.log,
    "log": sympy.log,
    "lg": _logarithm(10),
    "sgn": sympy.sign,
    "sign": sympy.sign,
    "arg": sympy.arg,
    "Re": sympy.re,
    "Im": sympy.im,
}
OF_SEVERAL: dict[str, Callable[..., sympy.Expr]] = {
    "max": sympy.Max,
    "min": sympy.Min,
    "gcd": lambda *terms: sympy.gcd(terms),
    "lcm": lambda *terms: sympy.lcm(terms),
    "mod": lambda *terms: sympy.Mod(*terms, evaluate=False),
}
INVERSES = {name: f"arc{name}" for name in CIRCULAR} | {
    f"{name}h": f"ar{name}h" for name in CIRCULAR
}
REFUSED = {
    **dict.fromkeys(
        ("\\ldots", "\\cdots", "\\dots", "\\vdots", "\\ddots"),
        "an ellipsis leaves out a part of it",
    ),
    **dict.fromkeys(("\\pm", "\\mp"), "a double sign stands for two formulas: write one of them"),
    **dict.fromkeys(("\\vec", "\\mathbf", "\\boldsymbol"), "vectors are not known"),
    **dict.fromkeys(("\\dot", "\\ddot"), "a dotted letter is an undefined function of time"),
    **dict.fromkeys(
        ("\\approx", "\\sim", "\\simeq", "\\propto", "\\cong"),
        "it holds only nearly, or in another sense than =",
    ),
    **dict.fromkeys(
        ("\\in", "\\subset", "\\cup", "\\cap", "\\mathbb", "\\forall", "\\exists", "\\emptyset"),
        "sets and quantifiers are not known",
    ),
    **dict.fromkeys(
        ("\\nabla", "\\partial", "\\otimes", "\\oplus", "\\wedge", "\\dagger", "\\oint"),
        "this operation is not known",
    ),
    **dict.fromkeys(("\\rightarrow", "\\Rightarrow", "\\leftrightarrow"), "it is a mapping"),
    **dict.fromkeys(("\\|", "\\langle", "\\rangle"), "norms and brackets are not known"),
    "\\equiv": "a congruence needs its modulus, such as \\pmod{7}",
    "\\pmod": "it belongs to a congruence with \\equiv",
    ",": "a list",
    ";": "a list",
    "|": "a bar that opens nothing",
    "\\prime": "a primed letter is an undefined function",
    "_": "a subscript of something that is not a letter",
    "^": "a superscript of nothing",
    "&": "a table",
}


def is_letter(token: str) -> bool:
    return (len(token) == 1 and token.isascii() and token.isalpha()) or token[1:] in GREEK
