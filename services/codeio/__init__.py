"""codeio: real code into verified reasoning data."""

__version__ = "0.1.0"
