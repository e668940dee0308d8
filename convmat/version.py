"""The version, known without an installed distribution."""

__version__ = "0.1.0"
