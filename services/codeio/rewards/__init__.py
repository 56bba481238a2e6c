"""Rewards for reinforcement learning, in the forms that trainers call.

| trainer   | what it is given                                                    |
|-----------|---------------------------------------------------------------------|
| TRL       | `codeio.rewards.trl.reward_func`                                    |
| verl      | `compute_score` of `pkg://codeio.rewards.verl`                      |
| verifiers | `load_environment` of `codeio.rewards.verifiers`, or `verifiers_v1` |

Each has a verifier judge the answers (`codeio serve verifier`), named by the
environment; see `codeio.rewards.scoring`. They read the column
`verification_info` of the data sets that `codeio export` writes. A verifier that
cannot be reached is an error, not a reward: a wrong zero teaches.
"""
