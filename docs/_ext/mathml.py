"""Formulas as MathML, which every browser reads: nothing is fetched when the page is read."""

import re
from html import escape

from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number

_BOLD = re.compile(r'<mi mathvariant="(bold|bold-italic)">(.*?)</mi>')
_FUNCTION = re.compile(r"<mi>(?:sin|cos|tan|exp|log|ln)</mi>|<msup><mi>(?:sin|cos)</mi>.*?</msup>")
_MATRIX = re.compile(r"<mo>[^<]+</mo><mtable>.*?</mtable><mo>[^<]+</mo>")
_SPACE = '<mspace width="0.167em" />'
_STARTS = {"bold": {"A": 0x1D400, "a": 0x1D41A, "Α": 0x1D6A8, "α": 0x1D6C2}}
_STARTS["bold-italic"] = {"A": 0x1D468, "a": 0x1D482, "Α": 0x1D71C, "α": 0x1D736}


def _bold(match):
    """A bold letter by its own character: browsers leave the attribute aside."""
    kind, text = match[1], re.sub(r"&#x([0-9A-F]+);", lambda m: chr(int(m[1], 16)), match[2])
    return f"<mi>{''.join(_bold_letter(c, _STARTS[kind]) for c in text)}</mi>"


def _bold_letter(letter, starts):
    for first, place in starts.items():
        if 0 <= ord(letter) - ord(first) < 26:
            return chr(place + ord(letter) - ord(first))
    return letter


def _mathml(latex, display):
    text = _BOLD.sub(_bold, convert(latex, display=display))
    text = _FUNCTION.sub(rf"{_SPACE}\g<0>{_SPACE}", text)
    return _MATRIX.sub(r"<mrow>\g<0></mrow>", text)  # at the ends of a row brackets grow with what they hold


def _inline(writer, node):
    writer.body.append(f'<span class="math">{_mathml(node.astext(), "inline")}</span>')
    _skip()


def _block(writer, node):
    number = ""
    if node["number"]:
        number = f'<span class="eqno">({escape(get_node_equation_number(writer, node))})</span>'
    writer.body.append(f'<div class="math">{number}{_mathml(node.astext(), "block")}</div>')
    _skip()


def _skip():
    from docutils.nodes import SkipNode

    raise SkipNode


def setup(app):
    """Register the renderer under the name that ``html_math_renderer`` takes."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
