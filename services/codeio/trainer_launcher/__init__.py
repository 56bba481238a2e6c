"""Carries out training runs on a cluster: the resource TrainingRun, its Jobs, its status.

| module       | what                                                                       |
|--------------|----------------------------------------------------------------------------|
| `api`        | the API server                                                             |
| `cache`      | what is there of a kind of resource: listed, then watched                  |
| `queue`      | which runs are to be looked at                                             |
| `leader`     | one writer                                                                 |
| `pod`        | the pods of a step                                                         |
| `grading`    | what of them has a model's answers graded                                  |
| `children`   | the Job and the Service of a step                                          |
| `observed`   | what a Job and its pods say                                                |
| `unmade`     | why its pods are not made                                                  |
| `reconcile`  | what is to be done for a run: a function of spec, status, Jobs and pods    |
| `standing`   | the status of a run                                                        |
| `conditions` | its conditions                                                             |
| `events`     | what `kubectl describe` tells                                              |
| `progress`   | how far runs are                                                           |
| `launcher`   | all of these, at work                                                      |
| `service`    | the same resource by gRPC                                                  |
| `conversion` | the resource as gRPC's messages                                            |

**Why not kopf.** It calls a handler for each kind of change of one resource, and
keeps what is left to do in annotations and finalizers of its own. What we do
follows from several kinds of resources at once, whichever of them changed, so
that the handlers would all call one function; a finalizer would keep runs from
being deleted while no launcher runs; and what it holds of a resource, its
retries and its progress are not ours to test. What is left of it, a list and
watch and a queue, is three hundred lines.

**Why no finalizer.** All that a launcher makes is in the run's namespace and
names the run as its owner, so that the garbage collector takes it away, with or
without a launcher; pods get SIGTERM and save a checkpoint. Checkpoints, models
and scores on the volume are the user's and stay: a run that is made again under
the same name goes on from them.

**Rights** in the namespace of the runs:

| group                | resources                     | verbs                            |
|----------------------|-------------------------------|----------------------------------|
| codeio.dev           | trainingruns                  | get list watch create patch      |
| codeio.dev           | trainingruns/status           | update                           |
| codeio.dev           | trainingruns/finalizers       | update (for blockOwnerDeletion)  |
| batch                | jobs                          | list watch create patch delete   |
|                      | services                      | list watch create patch          |
|                      | pods                          | list watch                       |
| events.k8s.io        | events                        | list create                      |
| coordination.k8s.io  | leases                        | get create update                |
"""
