"""The quality gate: what is wrong with a source, found before anything is learnt from it. docs/quality.md tells the user.

One check, or a few of a kind, per file: pure functions over arrays and decoded records. `examine` runs those that look at
one record, `whole_set` those that need all of them, `verdict` sets what was found against the limits.
"""
