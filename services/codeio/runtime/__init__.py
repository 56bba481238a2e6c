"""What carries the stages: records, logs, the stage worker, settings and errors."""
