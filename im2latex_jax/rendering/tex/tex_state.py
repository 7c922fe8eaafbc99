"""What a formula must leave in TeX as it found it, written out so that it can be compared."""

import functools

from im2latex_jax.latex.commands import COMMANDS, ENVIRONMENTS

_PARAMETERS = """
    hsize vsize textwidth linewidth columnwidth mag hoffset voffset parindent parskip hangindent
    leftskip rightskip baselineskip lineskip lineskiplimit topskip tabskip spaceskip xspaceskip
    parfillskip maxdepth boxmaxdepth abovedisplayskip abovedisplayshortskip belowdisplayskip
    belowdisplayshortskip thinmuskip medmuskip thickmuskip mathsurround nulldelimiterspace
    delimitershortfall delimiterfactor scriptspace binoppenalty relpenalty globaldefs escapechar
    endlinechar newlinechar hangafter looseness tolerance pretolerance emergencystretch
    overfullrule language uchyph arraycolsep tabcolsep arrayrulewidth doublerulesep fboxsep
    fboxrule jot everymath everydisplay everyhbox everyvbox everypar everycr output
"""
# Commands beside those of formulas; the first line is that of `latex`.
_INTERNAL = r"""
    im@begin im@mustnot im@start im@end im@state im@digest im@ship im@may@array @currenvir @empty
    document enddocument displaymath enddisplaymath math endmath [ ] ( ) currentgrouplevel par
    message setbox box csname endcsname expandafter ifx
"""
_CODES = ("catcode", "mathcode", "lccode", "delcode")


@functools.cache
def written_out() -> str:
    r"""TeX's code for a text of commands' meanings, parameters and categories of characters.

    Many commands are two: `\frac` calls one whose name ends in a space.
    """
    ends = (f"end{name}" for name in ENVIRONMENTS)
    names = sorted({*COMMANDS, *ENVIRONMENTS, *ends, *_INTERNAL.split()})
    inner = sorted({*COMMANDS, "begin", "end"})
    return "%\n".join(
        [
            *(rf"\expandafter\meaning\csname {name}\endcsname" for name in names),
            *(rf"\expandafter\meaning\csname {name}\space\endcsname" for name in inner),
            *(rf"\the\{name}" for name in _PARAMETERS.split()),
            *(rf"\the\{table}{code}\space" for table in _CODES for code in range(128)),
        ]
    )
