r"""Real roots of odd degree: `\sqrt[3]{-8}` is -2, where `(-8)^{1/3}` is a complex number."""

import sympy


class RealRoot(sympy.Function):
    """The real root of odd degree n of a real number: `RealRoot(x, n)`.

    It prints as SymPy's `real_root(x, n)`, and becomes a power where the sign of x is known.
    """

    nargs = (2,)

    @classmethod
    def eval(cls, radicand: sympy.Expr, degree: sympy.Expr) -> sympy.Expr | None:
        """The same as a power, if the radicand's sign is known."""
        if radicand.is_nonnegative:
            return sympy.Pow(radicand, 1 / degree)
        if radicand.is_negative:
            return -sympy.Pow(-radicand, 1 / degree)
        if radicand.is_Pow and radicand.exp == degree and radicand.base.is_extended_real:
            return radicand.base
        if radicand.could_extract_minus_sign():
            return -cls(-radicand, degree)
        return None

    def _eval_is_extended_real(self) -> bool | None:
        return self.args[0].is_extended_real

    def _eval_power(self, exponent: sympy.Expr) -> sympy.Expr | None:
        radicand, degree = self.args
        quotient = exponent / degree
        return radicand**quotient if quotient.is_Integer else None

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """The derivative by the radicand."""
        return 1 / (self.args[1] * self ** (self.args[1] - 1))

    def _eval_evalf(self, precision: int) -> sympy.Expr | None:
        radicand = self.args[0]._eval_evalf(precision)
        if radicand is None or not radicand.is_extended_real:
            return None
        root = sympy.Pow(abs(radicand), 1 / self.args[1])._eval_evalf(precision)
        return -root if radicand.is_negative else root

    def _sympystr(self, printer) -> str:
        return f"real_root({', '.join(map(printer._print, self.args))})"

    def _latex(self, printer, exp: str | None = None) -> str:
        radicand, degree = map(printer._print, self.args)
        root = rf"\sqrt[{degree}]{{{radicand}}}"
        return root if exp is None else rf"\left({root}\right)^{{{exp}}}"
