"""The command line: `main` reads it.

==============  ======================================================
`commands`      `inspect`, `matrix`, `size`, `compare`, `answer`
`claims`        `prove` and `verify`
`lengths`       `norm` and `spectrum`
`proving`       what `prove` does
`inspection`    what `inspect` does: one convolution on one photograph
`options`       options that several commands share
`inputs`        kernels and sizes that are typed or read from files
`kernel_files`  numbers in files and in options
`tables`        what is printed for people and for programs
`streams`       standard streams of any encoding
==============  ======================================================
"""

from convmat.cli.commands import main

__all__ = ["main"]
