"""What a training run is: the resource `TrainingRun`, read alike by all who deal with it.

| module        | what                                                                     |
|---------------|--------------------------------------------------------------------------|
| `spec`        | what a user asks for                                                     |
| `status`      | what the launcher says of it: conditions, progress, scores               |
| `recipes`     | the paper's stages and hyperparameters, and what a user changed of them  |
| `manifest`    | reads a YAML file                                                        |
| `definition`  | makes the schema of the custom resource                                  |
| `outcomes`    | how a pod tells how it ended: exit codes and the last message            |
| `scores`      | makes scores small enough for that message                               |
| `environment` | what a pod is told by environment variables                              |
| `places`      | where models, data and checkpoints lie                                   |
| `serving`     | what a pod answers by HTTP: progress, figures                            |
| `data/`       | finds and reads rows                                                     |
"""
