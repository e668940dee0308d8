"""Search for the proofs of all theorems again, and write down those that the checker accepts.

    python scripts/find_certificates.py [file]

Without a file, those that the package reads are replaced.
"""

from __future__ import annotations

import sys

import command_line

from convmat.certificates.checker import check
from convmat.certificates.provers.found import FILE, written
from convmat.symbolic.library import LIBRARY, search_certificate


def main() -> None:
    """Search, check and write."""
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=command_line.writable, default=FILE)
    path = parser.parse_args().file
    found = []
    for name, theorem in LIBRARY.items():
        whole = search_certificate(name)
        if whole is None:
            sys.exit(f"no proof of {name!r} is found")
        check(whole, theorem)
        found.append(whole)
    path.write_text(written(found), encoding="utf-8")
    print(f"{len(found)} proofs, {sum(len(c.steps) for c in found)} steps: {path}")


if __name__ == "__main__":
    command_line.run(main)
