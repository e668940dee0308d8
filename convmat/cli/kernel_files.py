"""Kernels as numbers in files and in options: read, or refused with the reason. Nothing is run.

Numbers are decimal or fractions. Between those of a row stand blanks, tabs or commas; rows are
lines, or parted by semicolons, as in options and in MATLAB. In several lines with semicolons but no
blanks, as programs with decimal commas write tables, semicolons part the numbers of a row.
"""

from __future__ import annotations

import re
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError

__all__ = ["check_numbers", "read_file", "read_rows"]

Array = np.ndarray[Any, np.dtype[Any]]

# The byte-order marks, the longer first, for one begins with another.
MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# What other files begin with, and what to do with them.
FOREIGN = {
    b"PK\x03\x04": ("is an archive, such as .npz", "save one array with np.save"),
    b"MATLAB": ("is a file of MATLAB", "write it as text, with writematrix(kernel, 'kernel.txt')"),
    b"\x89PNG": ("is an image", "name numbers"),
    b"\x80": ("is a pickle, which is never read", "save the array with np.save"),
}
REAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(nan|inf|infinity)", re.IGNORECASE)
RATIO = re.compile(r"[-+]?\d{1,300}/\d{1,300}")
COMMENT = re.compile(r"[#%].*")
ASSIGNED = re.compile(r"^\s*\w+\s*=")


def read_file(path: Path) -> Array:
    """Return the numbers of a ``.npy`` file, or of text.

    Raises
    ------
    GeometryError
        Another kind of file, or text that is no array of numbers.
    OSError
        It cannot be read.
    """
    raw = path.read_bytes()
    if raw.startswith(b"\x93NUMPY") or (path.suffix == ".npy" and raw[:4] != b"PK\x03\x04"):
        return _saved(path)
    for start, (rule, repair) in FOREIGN.items():
        if raw.startswith(start):
            raise GeometryError("kernel", str(path), rule, repair)
    return read_rows(_decoded(raw, str(path)), str(path))


def check_numbers(array: Array, source: str) -> None:
    """Refuse what is not finite numbers, and say what it is."""
    words = {
        "b": "truth values",
        "U": "text",
        "S": "text",
        "M": "dates",
        "m": "times",
        "V": "records",
    }
    if array.dtype.kind not in "iufc":
        raise GeometryError(
            "kernel",
            source,
            f"holds {words.get(array.dtype.kind, 'objects')} ({array.dtype}), not numbers",
            "save it as array.astype(float)",
        )
    if array.size == 0:
        raise GeometryError(
            "kernel", source, f"holds no numbers: its shape is {array.shape}", "save a kernel"
        )
    if not np.isfinite(array).all():
        raise GeometryError(
            "kernel", source, "must hold finite numbers", "remove NaN and infinities"
        )


def _saved(path: Path) -> Array:
    try:
        # NumPy leaves damaged archives open, and warns of old headers and odd escapes.
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(np.load(file, allow_pickle=False))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001, headers are parsed as Python and fail in as many ways
        rule, repair = "is a damaged .npy file", "save it again, with np.save"
        if "Object arrays" in str(error):
            rule = "holds Python objects, which are never unpickled"
            repair = "save it as array.astype(float)"
        raise GeometryError("kernel", str(path), rule, repair) from None


def _decoded(raw: bytes, source: str) -> str:
    """Return the text of bytes: as their mark says, else UTF-8, or UTF-16 by its zeros."""
    encoding = next((MARKS[mark] for mark in MARKS if raw.startswith(mark)), "utf-8")
    if encoding == "utf-8" and 0 in raw[:2]:
        encoding = "utf-16-be" if raw[0] == 0 else "utf-16-le"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise GeometryError(
            "kernel", source, f"is no text in {encoding.upper()}", "use a .npy file, or plain text"
        ) from None


def read_rows(text: str, source: str) -> Array:
    r"""Return a vector of one row of numbers, an array of several.

    Examples
    --------
    >>> read_rows("[1 0 -1; 2 0 -2]", "")
    array([[ 1.,  0., -1.],
           [ 2.,  0., -2.]])
    >>> read_rows("0,5;1,5\n1;2", ""), read_rows("1/4 1/2 1/4", "")
    (array([[0.5, 1.5],
           [1. , 2. ]]), array([0.25, 0.5 , 0.25]))
    """
    rows = [[_number(word, source) for word in row] for row in _rows(text, source)]
    lengths = [len(row) for row in rows]
    if not rows:
        raise GeometryError("kernel", source, "holds no numbers", "write one row of them a line")
    if len(set(lengths)) > 1:
        raise GeometryError(
            "kernel",
            source,
            f"has rows of {' and '.join(map(str, lengths[:6]))} numbers",
            "give every row the same length",
        )
    return np.array(rows if len(rows) > 1 else rows[0])


def _rows(text: str, source: str) -> list[list[str]]:
    """Return the words of each row."""
    lines = [COMMENT.sub("", line.replace("\u2212", "-")) for line in text.splitlines()]
    whole = "\n".join(line.rstrip() for line in lines if line.strip())
    if "[" in whole:
        # MATLAB's rows, or Python's, in which semicolons have one meaning.
        whole = re.sub(r"\]\s*,?\s*\[", ";", ASSIGNED.sub("", whole).replace("...\n", " "))
        return _split(re.split(r"[;\n]", re.sub(r"[][]", "", whole)))
    lines = [line.rstrip("; ") for line in whole.split("\n")]
    parted = sum(";" in line for line in lines)
    if parted < 2 or any(re.search(r"\d[ \t]+[-+.\d]", part) for part in whole.split(";")):
        if any(_tabulated(line) for line in lines):
            rows = [line.replace(",", ".").split("\t") for line in lines]
            return [[word.strip() for word in row] for row in rows]
        _check_commas(lines, source)
        return _split(re.split(r"[;\n]", "\n".join(lines)))
    if any(part.count(",") > 1 for line in lines for part in line.split(";")):
        raise GeometryError(
            "kernel",
            source,
            "has semicolons and several commas in one line, where several lines are rows",
            "part rows by lines, or by semicolons, but not by both",
        )
    return [[part.strip().replace(",", ".") for part in line.split(";")] for line in lines]


def _split(rows: list[str]) -> list[list[str]]:
    """Return the words of rows that are not empty, between blanks and commas."""
    return [row.replace(",", " ").split() for row in rows if row.strip(", \t\n")]


def _tabulated(line: str) -> bool:
    """Say whether tabs stand between numbers with decimal commas."""
    words = line.split("\t")
    return (
        len(words) > 1
        and "," in line
        and all(re.fullmatch(r"\s*[-+]?\d+(,\d+)?\s*", w) for w in words)
    )


def _check_commas(lines: list[str], source: str) -> None:
    """Refuse commas that may be decimal ones, or between numbers; and those between nothing."""
    for line in lines:
        if re.search(r",\s*,", line):
            raise GeometryError(
                "kernel",
                source,
                f"has nothing between two commas: {line.strip()[:40]!r}",
                "write 0",
            )
        if re.search(r"\d,\d", line) and re.search(r"\d[ \t]+[-+.\d]", line):
            raise GeometryError(
                "kernel",
                source,
                f"has both commas and blanks between its digits: {line.strip()[:40]!r}",
                "write decimal points, or part all numbers by commas",
            )


def _number(word: str, source: str) -> float:
    if REAL.fullmatch(word):
        return float(word)
    if RATIO.fullmatch(word) and int(word.partition("/")[2]):
        return float(Fraction(word))
    raise GeometryError(
        "kernel",
        source,
        f"holds {word[:40]!r}, which is no number",
        "use a .npy file, or text with one row of numbers a line, such as 1 -2.5 1/4",
    )
