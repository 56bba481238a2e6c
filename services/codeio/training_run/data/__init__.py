"""The rows that a run trains on or is asked about, found and read alike by all who need them.

| module    | what                                     |
|-----------|------------------------------------------|
| `sources` | finds the files of a split or a source   |
| `reading` | reads rows as streams                    |
"""
