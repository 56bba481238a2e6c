"""The contract, generated from proto/codeio/v1; never edited."""
