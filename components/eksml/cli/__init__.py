"""The command `eksml`: thin, it parses, calls and prints."""

from eksml.cli.main import main

__all__ = ["main"]
