"""One HTML page of verdicts and pictures, complete in itself and readable without scripts."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from convmat.answer.verdict import EXCEPT, FALSE, HOLDS, Verdict
from convmat.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["number", "page"]

MARKS = {HOLDS: ("✓", "holds"), EXCEPT: ("◐", "except"), FALSE: ("✗", "false")}

STYLE = """
:root { color-scheme: light dark; --ink: #22262e; --muted: #5d6470; --paper: #fdfdfc;
  --card: #f3f4f2; --line: #dcdfe3; --holds: #00704f; --except: #8a5a00; --false: #b03a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --muted: #a3abb8; --paper: #16181c;
  --card: #20242a; --line: #363c46; --holds: #4cc79b; --except: #e0b14a; --false: #ff8f5a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.6 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, serif; }
main { max-width: 60rem; margin: 0 auto; padding: 3rem 1.25rem 5rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 1rem; letter-spacing: -0.01em; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 0.4rem; }
p { max-width: 44rem; margin: 0 0 0.9rem; }
.answer { font-size: 1.6rem; font-weight: 700; margin-bottom: 0.5rem; }
.muted, figcaption, footer { color: var(--muted); font-size: 0.9rem; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 0.2em; }
a:hover { text-decoration-color: currentColor; }
section { border-top: 1px solid var(--line); margin-top: 2.6rem; padding-top: 1.8rem; }
.holds { color: var(--holds); } .except { color: var(--except); } .false { color: var(--false); }
.verdict { font-weight: 700; white-space: nowrap; }
table { border-collapse: collapse; margin: 1.2rem 0; font-size: 0.95rem; }
th, td { text-align: left; vertical-align: baseline; padding: 0.35rem 1.2rem 0.35rem 0;
  border-bottom: 1px solid var(--line); font-weight: 400; }
td.number { text-align: right; font-variant-numeric: tabular-nums; padding-right: 0; }
pre, code { font: 0.82rem/1.55 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { background: var(--card); border-radius: 6px; padding: 0.8rem 1rem; overflow-x: auto; }
figure { margin: 1.2rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 8px;
  border: 1px solid var(--line); }
ul { max-width: 44rem; padding-left: 1.2rem; margin: 0 0 1rem; } li { margin-bottom: 0.3rem; }
summary { cursor: pointer; color: var(--muted); font-size: 0.9rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
"""


def page(question: str, answer: str, reasons: Iterable[str], found: Mapping[str, Verdict]) -> str:
    """Return the whole page."""
    because = "\n".join(f"<p>{escape(reason)}</p>" for reason in reasons)
    parts = "\n".join(
        _section(f"q{place}", verdict) for place, verdict in enumerate(found.values(), 1)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(question)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(question)}</h1>
<p class="answer">{escape(answer)}.</p>
{because}
<p class="muted">{escape(_counted(found.values()))} Every verdict was computed: the matrices of two
layers, A and B, were compared entry by entry. A layer without bias is a linear map, so layers with
equal matrices are equal for all inputs, and layers with different ones differ for the input that is
named.</p>
{_contents(found)}
{parts}
<footer>{escape(_footer())}</footer>
</main>
</body>
</html>
"""


def _counted(found: Iterable[Verdict]) -> str:
    answers = [verdict.answer for verdict in found]
    counts = [(answers.count(answer), answer) for answer in (HOLDS, EXCEPT, FALSE)]
    words = [f"{count} {_plural(count, answer)}" for count, answer in counts if count]
    return f"Of {len(answers)} statements, {', '.join(words)}."


def _plural(count: int, answer: str) -> str:
    """Return the verdict as the verb of so many statements.

    Examples
    --------
    >>> _plural(3, "holds except at the boundary"), _plural(2, "does not hold")
    ('hold except at the boundary', 'do not hold')
    """
    if count == 1:
        return answer
    return answer.replace("holds", "hold", 1).replace("does", "do", 1)


def _contents(found: Mapping[str, Verdict]) -> str:
    rows = "\n".join(
        f'<tr><td>{_mark(verdict.answer)}</td><th scope="row"><a href="#q{place}">'
        f"{escape(verdict.title)}</a></th></tr>"
        for place, verdict in enumerate(found.values(), 1)
    )
    return f"<table>\n{rows}\n</table>"


def _mark(answer: str) -> str:
    sign, kind = MARKS[answer]
    return f'<span class="verdict {kind}">{sign} {escape(answer)}</span>'


def _section(anchor: str, verdict: Verdict) -> str:
    evidence = "\n".join(f"<li>{escape(line)}</li>" for line in verdict.evidence)
    numbers = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="number">{escape(number(value))}</td>'
        "</tr>"
        for name, value in verdict.numbers.items()
    )
    code = "\n".join(verdict.code)
    command = (
        f"<p>On the command line:</p>\n<pre>{escape(verdict.command)}</pre>"
        if verdict.command
        else ""
    )
    return f"""<section id="{anchor}">
<h2>{escape(verdict.title)}</h2>
<p>{escape(verdict.statement)}</p>
<p>{_mark(verdict.answer)}. {escape(verdict.so)}</p>
<figure>
<img src="{_source(verdict.figure())}" alt="{escape(verdict.statement, quote=True)}">
</figure>
<ul>
{evidence}
</ul>
<table>
{numbers}
</table>
<details>
<summary>Run it yourself</summary>
<pre>{escape(code)}</pre>
{command}
</details>
</section>"""


def _source(figure: Figure) -> str:
    """Return a picture as the text of an image source."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=130, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def number(value: Any) -> str:
    """Return a number as it is read best.

    Examples
    --------
    >>> number(16384), number(0.25), number(1.7e-13), number(-3.0)
    ('16,384', '0.25', '1.7e-13', '−3')
    """
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return text if "e" in text else text.replace("-", "−")


def _footer() -> str:
    return (
        f"Written by convmat {__version__}, convmat answer. In the code, cm is convmat, np "
        "is NumPy, and x the image, cm.answer.sample()."
    )
