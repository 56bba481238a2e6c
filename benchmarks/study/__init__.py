"""Does training on this project's data help a real small model? The study, resumable throughout.

| module       | what                                                                        |
|--------------|-----------------------------------------------------------------------------|
| `plan`       | every number of the study, and the smaller demonstration                    |
| `model`      | the model, as a TrainingRun begins with it                                  |
| `data`       | runs the recipe on packages of PyPI; chooses examples and held-out questions |
| `functions`  | questions of another source: functions out of a random grammar              |
| `questions`  | how a question is put to the model, and what an arm learns to answer        |
| `arms`       | what each arm is trained on, and the TrainingRun that does it               |
| `answering`  | has a model answer questions                                                |
| `grading`    | judges answers by the verifier's rules, by execution                        |
| `baselines`  | answers that need no model                                                  |
| `statistics` | bootstrap intervals over seeds and programs                                 |
| `cells`      | trains and questions what is not there yet, and keeps each result           |
| `report`     | table, `study.json`, the text and the picture                               |

    python -m benchmarks.study [--demo]

What it makes lies in `out/study`; to begin anew, remove that folder.
"""
