"""Are upsampling and transposed convolution the same? Print the verdicts, write a page of pictures.

python scripts/upsampling_vs_transposed.py --output answer.html
python scripts/upsampling_vs_transposed.py --compare pad:reflect,1 pad:replicate,1
"""

from __future__ import annotations

import command_line

import convmat as cm


def main(arguments: list[str] | None = None) -> int:
    """Ask all questions of one photograph, or compare two layers."""
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", help="a photograph instead of the portrait of Matplotlib")
    parser.add_argument(
        "--output", type=command_line.writable, help="also write a page with pictures"
    )
    parser.add_argument("--compare", nargs=2, metavar="LAYER", help="compare two layers instead")
    parser.add_argument(
        "--size", type=command_line.positive, nargs="+", default=[1, 8, 8], help="with --compare"
    )
    options = parser.parse_args(arguments)
    try:
        if options.compare:
            first, second = options.compare
            found = cm.compare(first, second, options.size)
            print(found)
            return 0 if found.holds else 1
        verdicts = cm.answer.verdicts(cm.answer.sample(options.image))
        if options.output:
            cm.answer.write_page(options.output, verdicts)
    except (cm.GeometryError, OSError) as error:
        parser.error(str(error))
    for verdict in verdicts.values():
        print(f"{verdict.answer:30}{verdict.statement}")
    yes_or_no, reasons = cm.answer.headline(verdicts)
    print(f"\n{cm.answer.QUESTION}\n{yes_or_no}. {' '.join(reasons)}")
    return 0


if __name__ == "__main__":
    command_line.run(main)
