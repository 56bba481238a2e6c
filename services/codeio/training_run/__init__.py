"""What a training run is: the resource `TrainingRun`, read alike by all who deal with it.

| module            | what                                                                     |
|-------------------|--------------------------------------------------------------------------|
| `part`            | what the parts of a resource have in common, and their rules             |
| `spec`            | what a user asks for, put together from the next four                    |
| `training_data`   | what is trained on                                                       |
| `hyperparameters` | the paper's, and those that a user may set                               |
| `stage_rules`     | what must hold of the hyperparameters of each stage                      |
| `suites`          | the names of what a model can be measured by                             |
| `status`          | what the launcher says of it: conditions, progress, scores               |
| `recipes`         | a stage with nothing left open                                           |
| `manifest`        | reads a YAML file                                                        |
| `definition`      | makes the schema of the custom resource                                  |
| `outcomes`        | how a pod tells how it ended: exit codes and the last message            |
| `scores`          | makes scores small enough for that message                               |
| `environment`     | what a pod is told by environment variables                              |
| `places`          | where models, data and checkpoints lie                                   |
| `precision`       | which devices compute in BFloat16                                        |
| `serving`         | what a pod answers by HTTP: progress, figures                            |
| `data/`           | finds and reads rows                                                     |
"""
