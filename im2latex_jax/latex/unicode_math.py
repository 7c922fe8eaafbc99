"""Characters beyond ASCII to the LaTeX that draws them."""
# ruff: noqa: RUF001

import unicodedata

from im2latex_jax.errors import Im2latexError


class UnsupportedCharacterError(Im2latexError):
    """A character that TeX's math cannot draw."""


_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu",
    "ξ": "xi", "π": "pi", "ρ": "rho", "ς": "varsigma", "σ": "sigma", "τ": "tau", "υ": "upsilon",
    "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega", "ϵ": "epsilon", "ϑ": "vartheta",
    "ϕ": "phi", "ϖ": "varpi", "ϱ": "varrho", "ϰ": "varkappa",
    "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma",
    "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega", "µ": "mu", "∆": "Delta",
}  # fmt: skip
_SYMBOLS = {
    "±": "pm", "∓": "mp", "×": "times", "÷": "div", "·": "cdot", "∗": "ast", "⋆": "star",
    "∘": "circ", "•": "bullet", "⊕": "oplus", "⊖": "ominus", "⊗": "otimes", "⊘": "oslash",
    "⊙": "odot", "∪": "cup", "∩": "cap", "∨": "vee", "∧": "wedge", "∖": "setminus",
    "≤": "leq", "≥": "geq", "≦": "leqq", "≧": "geqq", "⩽": "leqslant", "⩾": "geqslant",
    "≪": "ll", "≫": "gg", "≠": "neq", "≈": "approx", "≃": "simeq", "≅": "cong", "≡": "equiv",
    "∼": "sim", "∝": "propto", "≺": "prec", "≻": "succ", "⊂": "subset", "⊃": "supset",
    "⊆": "subseteq", "⊇": "supseteq", "∈": "in", "∉": "notin", "∋": "ni", "⊥": "perp",
    "∥": "parallel", "∣": "mid", "⊢": "vdash", "⊣": "dashv", "⊨": "models", "≲": "lesssim",
    "≳": "gtrsim", "→": "rightarrow", "←": "leftarrow", "↔": "leftrightarrow", "⇒": "Rightarrow",
    "⇐": "Leftarrow", "⇔": "Leftrightarrow", "↦": "mapsto", "↑": "uparrow", "↓": "downarrow",
    "⟶": "longrightarrow", "⟵": "longleftarrow", "⟹": "Longrightarrow", "↪": "hookrightarrow",
    "⇀": "rightharpoonup", "∞": "infty", "∂": "partial", "∇": "nabla", "∀": "forall",
    "∃": "exists", "∅": "emptyset", "∠": "angle", "△": "triangle", "□": "Box", "⋄": "diamond",
    "√": "surd", "∑": "sum", "∏": "prod", "∐": "coprod", "∫": "int", "∮": "oint", "∬": "iint",
    "∭": "iiint", "…": "ldots", "⋯": "cdots", "⋮": "vdots", "⋱": "ddots", "ℓ": "ell",
    "ℏ": "hbar", "ℜ": "Re", "ℑ": "Im", "ℵ": "aleph", "℘": "wp", "†": "dagger", "‡": "ddagger",
    "⟨": "langle", "⟩": "rangle", "〈": "langle", "〉": "rangle", "⌈": "lceil", "⌉": "rceil",
    "⌊": "lfloor", "⌋": "rfloor", "‖": "|", "¬": "neg", "§": "S", "¶": "P",
    "⊤": "top", "∎": "blacksquare", "€": "texteuro", "£": "pounds", "¥": "yen",
}  # fmt: skip
_PLAIN = {
    "−": "-", "–": "-", "‐": "-", "‑": "-", "⁄": "/", "∕": "/", "’": "'", "‘": "`",
    "“": "``", "”": "''", "∶": ":", "≔": ":=", "\u00a0": "~", "\u2009": "\\,", "\u200a": "\\,",
    "\u2002": "\\enspace ", "\u2003": "\\quad ", "\u2005": "\\:", "\u2004": "\\;", "\u202f": "\\,",
    "\u3000": "\\quad ", "\ufeff": "", "\u200b": "", "\u2060": "", "\u00ad": "", "\u2062": "",
    "\u2061": "", "\u2063": "", "«": "\\ll ", "»": "\\gg ", "ı": "\\imath ", "ȷ": "\\jmath ",
    "′": "'", "″": "''", "‴": "'''", "°": "^{\\circ}",
}  # fmt: skip
_SCRIPTS = {"super": "^", "sub": "_"}
_ALPHABETS = (
    ("DOUBLE-STRUCK", "mathbb"),
    ("BOLD SCRIPT", "mathcal"),
    ("SCRIPT", "mathcal"),
    ("BOLD FRAKTUR", "mathfrak"),
    ("FRAKTUR", "mathfrak"),
    ("BLACK-LETTER", "mathfrak"),
    ("MONOSPACE", "mathtt"),
    ("SANS-SERIF", "mathsf"),
    ("BOLD", "mathbf"),
    ("ITALIC", ""),
)


def to_latex(formula: str) -> str:
    """Writes every character beyond ASCII as the LaTeX that draws it in math.

    Raises:
      UnsupportedCharacterError: names the first character that TeX's math cannot draw.
    """
    if formula.isascii():
        return formula
    return "".join(
        character if character.isascii() else _character(character, position)
        for position, character in enumerate(formula)
    )


def _character(character: str, position: int) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    command = _GREEK.get(character) or _SYMBOLS.get(character)
    if command:
        return f"\\{command} "
    name = unicodedata.name(character, "")
    decomposition = unicodedata.decomposition(character).split()
    if len(decomposition) == 1:  # the same character under another number, such as the ohm sign
        return _character(chr(int(decomposition[0], 16)), position)
    if len(decomposition) == 2 and decomposition[0] in ("<super>", "<sub>"):
        base = chr(int(decomposition[1], 16))
        mark = _SCRIPTS[decomposition[0].strip("<>")]
        return f"{mark}{{{to_latex(base)}}}"
    if len(decomposition) == 2 and decomposition[0] == "<font>":
        return _lettered(name, chr(int(decomposition[1], 16)))
    if unicodedata.category(character).startswith("C"):
        raise UnsupportedCharacterError(
            f"control character U+{ord(character):04X} at character {position}: remove it"
        )
    raise UnsupportedCharacterError(
        f"character {character} (U+{ord(character):04X} {name}) at character {position} cannot be "
        "drawn in math"
    )


def _lettered(name: str, base: str) -> str:
    """A letter of a mathematical alphabet, such as the double-struck R."""
    letter = to_latex(base)
    for word, command in _ALPHABETS:
        if word in name:
            return f"\\{command}{{{letter}}}" if command else letter
    return letter
