"""The same networks and the same batches, trained with different rules of pruning (Herrmann 2022).

``arm`` says what is followed, ``measuring`` follows it, ``results`` and ``measures`` are what the
book shows, ``published`` writes and reads it; :mod:`netdyn_lib.experiments.campaign` runs it.
"""
