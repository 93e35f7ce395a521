"""Arms of a controlled experiment: the same networks and the same batches, trained with different
rules of pruning (H).

``arm`` says what is followed, ``measuring`` follows it, ``running`` keeps it in a store,
``results`` and ``measures`` are what the book shows, ``published`` writes and reads it.
"""
