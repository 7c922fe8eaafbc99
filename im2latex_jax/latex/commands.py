r"""The commands and environments that a formula may use when TeX draws it.

A closed list: whatever could define, assign globally, read, write, loop, or end the document is not
on it, and neither is what LaTeX with amsmath and amssymb does not know.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def control_words(names: str) -> frozenset[str]:
    r"""The commands of some names: `\pi` and `\rho` of `pi rho`."""
    return frozenset(f"\\{name}" for name in names.split())


GREEK = _words(
    """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon phi chi psi omega varepsilon vartheta varpi varrho varsigma varphi varkappa digamma
    Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega varGamma varDelta varTheta varLambda
    varXi varPi varSigma varUpsilon varPhi varPsi varOmega aleph beth gimel daleth
    """
)

SYMBOLS = _words(
    """
    AA AE And Arrowvert Bbbk Box Bumpeq Cap Cup Diamond Doteq Downarrow Finv Game Im Join L
    Leftarrow Leftrightarrow Lleftarrow Longleftarrow Longleftrightarrow Longrightarrow Lsh O OE P
    Re Rightarrow Rrightarrow Rsh S Subset Supset Uparrow Updownarrow Vdash Vert Vvdash aa ae amalg
    angle approx approxeq arrowvert ast asymp backepsilon backprime backsim backsimeq backslash
    barwedge because between bigcap bigcirc bigcup bigodot bigoplus bigotimes bigsqcup bigstar
    bigtriangledown bigtriangleup biguplus bigvee bigwedge blacklozenge blacksquare blacktriangle
    blacktriangledown blacktriangleleft blacktriangleright bot bowtie boxdot boxminus boxplus
    boxtimes bracevert bullet bumpeq cap cdot cdotp cdots centerdot checkmark circ circeq
    circlearrowleft circlearrowright circledR circledS circledast circledcirc circleddash clubsuit
    colon complement cong coprod copyright cup curlyeqprec curlyeqsucc curlyvee curlywedge
    curvearrowleft curvearrowright dag dagger dasharrow dashleftarrow dashrightarrow dashv ddag
    ddagger ddots dh diagdown diagup diamond diamondsuit div divideontimes doteq doteqdot dotplus
    dots dotsb dotsc dotsi dotsm dotso doublebarwedge doublecap doublecup downarrow downdownarrows
    downharpoonleft downharpoonright ell emptyset eqcirc eqsim eqslantgtr eqslantless equiv eth
    exists fallingdotseq flat forall frown ge geq geqq geqslant gets gg ggg gggtr gnapprox gneq
    gneqq gnsim gtrapprox gtrdot gtreqless gtreqqless gtrless gtrsim gvertneqq hbar hdots heartsuit
    hookleftarrow hookrightarrow hslash i idotsint iff iiiint iiint iint imath impliedby implies in
    infty int intercal intop j jmath l lVert land langle lbrace lbrack lceil ldotp ldots le leadsto
    leftarrow leftarrowtail leftharpoondown leftharpoonup leftleftarrows leftrightarrow
    leftrightarrows leftrightharpoons leftrightsquigarrow leftthreetimes leq leqq leqslant
    lessapprox lessdot lesseqgtr lesseqqgtr lessgtr lesssim lfloor lgroup lhd lhook ll llcorner lll
    llless lmoustache lnapprox lneq lneqq lnot lnsim longleftarrow longleftrightarrow longmapsto
    longrightarrow looparrowleft looparrowright lor lozenge lq lrcorner ltimes lvert lvertneqq
    maltese mapsto mapstochar mathdollar mathellipsis mathparagraph mathsection mathsterling
    mathunderscore measuredangle mho mid models mp multimap nLeftarrow nLeftrightarrow nRightarrow
    nVDash nVdash nabla natural ncong ne nearrow neg neq nexists ngeq ngeqq ngeqslant ngtr ni
    nleftarrow nleftrightarrow nleq nleqq nleqslant nless nmid notin nparallel nprec npreceq
    nrightarrow nshortmid nshortparallel nsim nsubseteq nsubseteqq nsucc nsucceq nsupseteq
    nsupseteqq ntriangleleft ntrianglelefteq ntriangleright ntrianglerighteq nvDash nvdash nwarrow o
    odot oe oint ointop ominus oplus oslash otimes owns parallel partial perp pitchfork pm pounds
    prec precapprox preccurlyeq preceq precnapprox precneqq precnsim precsim prime prod propto
    rVert rangle rbrace rbrack rceil relbar restriction rfloor rgroup rhd rhook rightarrow
    rightarrowtail rightharpoondown rightharpoonup rightleftarrows rightleftharpoons
    rightrightarrows rightsquigarrow rightthreetimes risingdotseq rmoustache rq rtimes rvert
    searrow setminus sharp shortmid shortparallel sim simeq slash smallfrown smallint smallsetminus
    smallsmile smile spadesuit sphericalangle sqcap sqcup sqsubset sqsubseteq sqsupset sqsupseteq
    square ss star subset subseteq subseteqq subsetneq subsetneqq succ succapprox succcurlyeq
    succeq succnapprox succneqq succnsim succsim sum supset supseteq supseteqq supsetneq supsetneqq
    surd swarrow textasciitilde textbackslash textbar textbullet textdagger textdegree textellipsis
    textemdash textendash texteuro textgreater textless textperiodcentered textquotedblleft
    textquotedblright textquoteleft textquoteright textquotesingle textregistered texttrademark
    textunderscore textvisiblespace th therefore thickapprox thicksim times to top triangle
    triangledown triangleleft trianglelefteq triangleq triangleright trianglerighteq
    twoheadleftarrow twoheadrightarrow ulcorner unlhd unrhd uparrow updownarrow upharpoonleft
    upharpoonright uplus upuparrows urcorner vDash varnothing varpropto varsubsetneq varsubsetneqq
    varsupsetneq varsupsetneqq vartriangle vartriangleleft vartriangleright vdash vdots vee veebar
    vert wedge wp wr yen
    """
)

FUNCTIONS = _words(
    """
    Pr arccos arcsin arctan arg bmod cos cosh cot coth csc deg det dim exp gcd hom inf injlim ker lg
    lim liminf limsup ln log max min mod pmod pod projlim sec sin sinh sup tan tanh varinjlim
    varliminf varlimsup varprojlim operatorname operatornamewithlimits qopname
    """
)

STRUCTURE = _words(
    """
    above abovewithdelims atop atopwithdelims binom brace brack cfrac choose dbinom dfrac frac
    genfrac over overwithdelims tbinom tfrac root of sqrt sqrtsign leftroot uproot
    left middle right big Big bigg Bigg bigl Bigl biggl Biggl bigm Bigm biggm Biggm bigr Bigr biggr
    Biggr limits nolimits displaylimits sb sp sideset substack stackrel buildrel
    overset underset overunderset overbrace underbrace overline underline underbar boxed fbox
    overleftarrow overrightarrow overleftrightarrow underleftarrow underrightarrow
    underleftrightarrow xleftarrow xrightarrow leftarrowfill rightarrowfill downbracefill
    upbracefill mathop mathbin mathrel mathord mathopen mathclose mathpunct mathinner mathchoice
    mathpalette mathaccent mathchar char not joinrel skew
    acute bar breve check dot ddot dddot ddddot grave hat mathring tilde vec widehat widetilde
    Acute Bar Breve Check Ddot Dot Grave Hat Tilde Vec H b c d k r t u v textcircled
    displaystyle textstyle scriptstyle scriptscriptstyle
    eqno leqno label nonumber notag lefteqn allowdisplaybreaks displaylines
    bordermatrix matrix pmatrix cases
    begin end cr crcr hline cline vline multicolumn multispan omit noalign hdotsfor hidewidth
    bgroup egroup begingroup endgroup relax protect ensuremath leavevmode normalcolor
    """
)

FONTS = _words(
    """
    Bbb bf bfseries bm bold boldmath boldsymbol cal em emph frak it itshape mathbb mathbf mathcal
    mathfrak mathit mathnormal mathrm mathscr mathsf mathtt mdseries mit normalfont operatorfont pmb
    rm rmfamily sc scshape sf sffamily sl slshape text textbf textit textmd textnormal textrm textsc
    textsf textsl textsubscript textsuperscript texttt textup tt ttfamily unboldmath upshape
    tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge
    """
)

SPACE_AND_BOXES = _words(
    """
    enskip enspace hfil hfill hphantom hskip hspace hss indent kern mathstrut medspace mkern
    mskip mspace negmedspace negthickspace negthinspace nobreak nobreakdash noindent null phantom
    qquad quad smallskip medskip bigskip smash space strut thickspace thinspace tmspace unskip
    vphantom centering centerline clap framebox hbox hrule llap lower makebox mbox ooalign parbox
    raise raisebox rlap rule shortstack vbox vcenter vrule vspace vtop
    """
)

# Assigned to inside a formula, they go back to their values at its end.
LENGTHS = _words(
    """
    setlength arraycolsep arrayrulewidth baselineskip delimitershortfall fboxsep jot mathsurround
    medmuskip nulldelimiterspace thickmuskip thinmuskip
    """
)

COMMANDS = GREEK | SYMBOLS | FUNCTIONS | STRUCTURE | FONTS | SPACE_AND_BOXES | LENGTHS

# Commands whose argument is text, in which `$` begins a formula: the number of the arguments in
# braces that come before it.
TEXT_ARGUMENTS = dict.fromkeys(
    _words(
        """
        text textbf textit textmd textnormal textrm textsc textsf textsl textsubscript
        textsuperscript texttt textup textcircled emph mbox hbox vbox vtop vcenter fbox makebox
        framebox rlap llap clap centerline shortstack ooalign noalign underbar label
        """
    ),
    0,
) | {"raisebox": 1, "parbox": 1, "multicolumn": 2}

# Commands after which an environment, a group or a formula may begin or end: they take no argument
# that it could be mistaken for.
WITHOUT_ARGUMENT = (
    GREEK
    | SYMBOLS
    | FUNCTIONS - _words("mod pod pmod operatorname operatornamewithlimits qopname")
    | _words(
        """
        over atop choose brace brack of limits nolimits displaylimits joinrel
        displaystyle textstyle scriptstyle scriptscriptstyle eqno leqno nonumber notag
        allowdisplaybreaks cr crcr hline vline omit hidewidth bgroup egroup begingroup endgroup
        relax protect leavevmode normalcolor
        bf bfseries boldmath cal em it itshape mdseries mit normalfont operatorfont rm rmfamily sc
        scshape sf sffamily sl slshape tt ttfamily unboldmath upshape
        tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge
        enskip enspace hfil hfill hss indent mathstrut medspace negmedspace negthickspace
        negthinspace nobreak nobreakdash noindent null qquad quad smallskip medskip bigskip space
        strut thickspace thinspace unskip centering
        """
    )
)

ENVIRONMENTS = _words(
    """
    Bmatrix Vmatrix aligned alignedat array bmatrix cases gathered matrix pmatrix smallmatrix split
    subarray tabular vmatrix
    """
)
