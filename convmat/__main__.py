"""Run the command line as ``python -m convmat``."""

from convmat.cli import main

if __name__ == "__main__":
    main()
