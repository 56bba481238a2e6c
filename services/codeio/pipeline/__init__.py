"""The stages put together: all of them over one log, or one of them over a file."""
