"""From programs to reproducible input/output pairs and prediction tasks."""
