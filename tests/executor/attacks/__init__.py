"""Hostile programs, by family, and what must be said of each.

A family is a module with its programs as data; `attack.py` says what an attack is.
Most programs that probe for a way out return the list of what they got away
with, so that the right answer is an empty list, and a failure names the hole.
"""
