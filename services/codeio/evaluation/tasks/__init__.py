"""Tasks for lm-evaluation-harness: a YAML file each, and how answers are read."""
