"""Can the outcome of training be told early?  Ensembles of small networks, followed with their
tangent dynamics (S).

``campaign`` says what is followed, ``measuring`` follows it, ``running`` keeps it
in a store, ``predictors`` turns it into numbers that a classifier sees,
``predicting`` scores them, ``published`` writes and reads what the book shows.
"""
