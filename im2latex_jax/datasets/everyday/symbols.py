r"""All symbols that everyday formulas may hold, each with frames that show it in context.

`items()` lists every (symbol, kind); `FRAMES` has, for each kind, templates with the slot `<s>` for
the symbol, the first of which is the symbol alone. Going through the items in turn shows every
symbol equally often, however rare it is in texts.
"""

import functools


def _words(text: str) -> list[str]:
    return text.split()


LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
DIGITS = "0123456789"
GREEK = [
    "\\" + name
    for name in _words(
        "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu "
        "xi pi varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta "
        "Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
    )
]
OTHER_LETTERS = _words(r"\ell \hbar \imath \jmath \wp \Re \Im \aleph \beth \partial \nabla")
RELATIONS = _words(
    r"= \neq < > \leq \geq \leqslant \geqslant \ll \gg \sim \simeq \approx \cong \equiv \propto "
    r"\prec \succ \preceq \succeq \subset \supset \subseteq \supseteq \subsetneq \supsetneq \in "
    r"\ni \notin \perp \parallel \mid \nmid \vdash \dashv \models \asymp \doteq \triangleq "
    r"\lesssim \gtrsim \leqq \geqq \nsubseteq \nparallel \sqsubseteq \bowtie \smile \frown : "
    r"\approxeq \lessgtr \not\equiv \not\subset \nleq \ngeq \trianglelefteq \vDash"
)
OPERATORS = _words(
    r"+ - \pm \mp \times \div \cdot * / \circ \bullet \oplus \ominus \otimes \odot \oslash \wedge "
    r"\vee \cap \cup \setminus \star \sqcup \sqcap \uplus \amalg \diamond \dagger \ddagger \wr "
    r"\ltimes \rtimes \triangleleft \triangleright \boxplus \boxtimes \bmod \smallsetminus"
)
ARROWS = _words(
    r"\rightarrow \leftarrow \leftrightarrow \Rightarrow \Leftarrow \Leftrightarrow \mapsto "
    r"\longrightarrow \longleftarrow \longleftrightarrow \Longrightarrow \Longleftarrow "
    r"\Longleftrightarrow \longmapsto \uparrow \downarrow \updownarrow \Uparrow \Downarrow "
    r"\hookrightarrow \hookleftarrow \rightharpoonup \rightharpoondown \leftharpoonup "
    r"\rightleftharpoons \nearrow \searrow \swarrow \nwarrow \rightsquigarrow "
    r"\twoheadrightarrow \rightarrowtail \leftrightarrows \rightleftarrows \rightrightarrows "
    r"\nrightarrow \circlearrowleft \circlearrowright \curvearrowright \leadsto"
)
ORDINARY = _words(
    r"\infty \forall \exists \nexists \emptyset \varnothing \neg \top \bot \angle "
    r"\measuredangle \triangle \square \blacksquare \bigstar \checkmark \therefore \because "
    r"\sharp \flat \natural \clubsuit \diamondsuit \heartsuit \spadesuit \surd \lozenge "
    r"\ldots \cdots \vdots \ddots \prime ! ? , . ; ' \% \# \& \$ \S \P \complement \bigcirc "
    r"\pounds \backslash | \| \_ @"
)
BIG_OPERATORS = _words(
    r"\sum \prod \coprod \bigcup \bigcap \bigoplus \bigotimes \bigvee \bigwedge \bigsqcup \bigodot"
)
INTEGRALS = _words(r"\int \oint \iint \iiint")
FUNCTIONS = _words(
    r"\sin \cos \tan \cot \sec \csc \arcsin \arccos \arctan \sinh \cosh \tanh \coth \log \ln \lg "
    r"\exp \det \dim \ker \deg \arg \gcd"
)
LIMIT_FUNCTIONS = _words(r"\lim \max \min \sup \inf \limsup \liminf \Pr")
NAMED = [
    rf"\operatorname{{{name}}}"
    for name in _words(
        "sgn tr rank diag Re Im span Var Cov erf lcm arcsinh Tr softmax sinc div rot grad curl "
        "arsinh conv vol ord Hom End Aut Gal Spec supp id card"
    )
]
ACCENTS = _words(
    r"\hat \tilde \bar \dot \ddot \vec \check \breve \acute \grave \mathring \overline \underline "
    r"\widehat \widetilde \overrightarrow \overleftarrow \dddot"
)
DELIMITERS = [
    _words(pair)
    for pair in (
        "( )",
        "[ ]",
        r"\{ \}",
        "| |",
        r"\| \|",
        r"\langle \rangle",
        r"\lfloor \rfloor",
        r"\lceil \rceil",
        "( ]",
        "[ )",
        r"\langle |",
        r"| \rangle",
    )
]
ALPHABETS = {
    r"\mathbb": UPPER,
    r"\mathcal": UPPER,
    r"\mathscr": UPPER,
    r"\mathfrak": UPPER + LOWER,
    r"\mathbf": UPPER + LOWER + DIGITS,
    r"\mathsf": UPPER + LOWER,
    r"\mathrm": UPPER + LOWER,
    r"\mathtt": UPPER + LOWER,
}
BOLD_GREEK = _words(
    r"\alpha \beta \gamma \delta \epsilon \varepsilon \eta \theta \lambda \mu \nu \xi \pi \rho "
    r"\sigma \tau \phi \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Phi "
    r"\Psi \Omega"
)

_LETTER_FRAMES = [
    "<s>",
    "<s>",
    "<s> = <number>",
    "<s>_{<index>}",
    "<s>^{<power>}",
    "<s>_{<index>}^{<power>}",
    "<letter>_{<s>}",
    "<letter>^{<s>}",
    "<number> <s>",
    r"\frac{<s>}{<atom>}",
    r"\frac{<atom>}{<s>}",
    "<letter>(<s>)",
    "<s>(<letter>)",
    "<s> + <atom>",
    "<atom> - <s>",
    "<atom> <s>",
    "<s> <atom>",
    r"\sqrt{<s>}",
    "|<s>|",
    "<s>'",
    "<s> = <letter> <letter>",
    "<s>, <letter>, <letter>",
]
FRAMES: dict[str, list[str]] = {
    "letter": _LETTER_FRAMES,
    "styled": [
        *_LETTER_FRAMES[:8],
        r"<letter> \in <s>",
        r"<s> \subset <s2>",
        "<s><s2>",
        "<s>(<letter>)",
        r"<s> : <atom> \to <s2>",
        "<s> = <s2> + <letter>",
        r"\{ <s>_1, \ldots, <s>_n \}",
    ],
    "digit": ["<s>", "<s>", "<s>", "<s><digit>", "<digit><s>", "<s> + <number>", "<letter>^{<s>}"],
    "relation": [
        "<s>",
        "<atom> <s> <atom>",
        "<atom> <s> <atom>",
        "<atom> <s> <number>",
        "<scripted> <s> <scripted>",
        "<term> <s> <term>",
        "<atom> <s> <atom> <s> <atom>",
        "<upper> <s> <upper>",
    ],
    "operator": [
        "<s>",
        "<atom> <s> <atom>",
        "<atom> <s> <atom>",
        "<number> <s> <number>",
        "<scripted> <s> <scripted>",
        "<upper> <s> <upper>",
        "<atom> <s> <atom> = <atom>",
        "(<atom> <s> <atom>) <s> <atom>",
    ],
    "arrow": [
        "<s>",
        "<upper> <s> <upper>",
        "<atom> <s> <atom>",
        "<letter> <s> <number>",
        "<scripted> <s> <scripted>",
        "<letter> : <upper> <s> <upper>",
    ],
    "ordinary": [
        "<s>",
        "<s>",
        "<s> <letter>",
        "<letter> <s>",
        "<atom> = <s>",
        "<letter> <s> <letter>",
        "<letter>, <s>",
    ],
    "big": [
        "<s>",
        "<s> <scripted>",
        "<s>_{<index>} <scripted>",
        "<s>_{<i=counter>=<start>}^{<end>} <letter>_{<i>}",
        "<s>_{<i=counter>=<start>}^{<end>} <letter>_{<i>}",
        r"<s>_{<i=counter> \in <upper>} <letter>_{<i>}",
        r"<upper> = <s>_{<i=counter>=<start>}^{<end>} <upper>_{<i>}",
    ],
    "integral": [
        "<s>",
        "<s> <letter>(<v=variable>) d<v>",
        r"<s> <letter>(<v=variable>) \, d<v>",
        "<s>_{<bound>}^{<bound>} <letter>(<v=variable>) d<v>",
        r"<s>_{<upper>} <letter> \, d<upper>",
        "<s>_{<bound>}^{<bound>} <scripted> d<variable>",
        "<s>_{<upper>} <letter> d<variable>",
    ],
    "function": [
        "<s>",
        "<s> <letter>",
        "<s> <letter>",
        "<s>(<term>)",
        "<s>^2 <letter>",
        "<s>(<letter>)",
        "<s> <number><letter>",
        r"\frac{<s> <letter>}{<atom>}",
        "<letter> <s> <letter>",
        r"<s> \left( \frac{<atom>}{<atom>} \right)",
    ],
    "limit_function": [
        "<s>",
        "<s> <letter>",
        r"<s>_{<v=variable> \to <limit>} <letter>(<v>)",
        "<s>_{<index>} <letter>_{<index>}",
        r"<s>_{<v=variable> \in <upper>} <letter>(<v>)",
        "<s>(<atom>, <atom>)",
        r"<s> \{ <atom>, <atom> \}",
    ],
    "named": [
        "<s> <letter>",
        "<s>(<letter>)",
        "<s>(<upper>)",
        "<s>(<atom>) = <atom>",
        "<s>(<atom>, <atom>)",
        "<s> <upper>",
    ],
    "accent": [
        "<s>{<accented>}",
        "<s>{<accented>}",
        "<s>{<accented>}_{<index>}",
        "<s>{<accented>} = <term>",
        "<s>{<accented>} + <s>{<accented>}",
        r"\frac{<s>{<accented>}}{<atom>}",
        "<letter> = <s>{<accented>}",
    ],
    "pair": [
        "<open> <letter> <close>",
        "<open> <term> <close>",
        "<open> <atom>, <atom> <close>",
        "<open> <atom>, <atom>, <atom> <close>",
        "<letter> <open> <atom> <close>",
        r"\left<open> \frac{<atom>}{<atom>} \right<close>",
        r"\left<open> <sum> \right<close>",
        r"<letter> \left<open> \frac{<term>}{<atom>} \right<close>",
        r"\left<open> <term>, \frac{<atom>}{<atom>} \right<close>",
        r"\big<open> <sum> \big<close>",
        r"\Big<open> <fraction> \Big<close>",
    ],
}


@functools.cache
def items() -> tuple[tuple[str, str], ...]:
    """Every symbol with the kind of its frames. A delimiter pair's halves are joined by a blank."""
    kinds = {
        "letter": [*LOWER, *UPPER, *GREEK, *OTHER_LETTERS],
        "digit": list(DIGITS),
        "relation": RELATIONS,
        "operator": OPERATORS,
        "arrow": ARROWS,
        "ordinary": ORDINARY,
        "big": BIG_OPERATORS,
        "integral": INTEGRALS,
        "function": FUNCTIONS,
        "limit_function": LIMIT_FUNCTIONS,
        "named": NAMED,
        "accent": ACCENTS,
        "pair": [" ".join(pair) for pair in DELIMITERS],
        "styled": [
            *(f"{font}{{{letter}}}" for font, letters in ALPHABETS.items() for letter in letters),
            *(rf"\boldsymbol{{{letter}}}" for letter in (*BOLD_GREEK, *LOWER, *UPPER)),
        ],
    }
    return tuple((symbol, kind) for kind, symbols in kinds.items() for symbol in symbols)
