"""Can the outcome of training be told early?  Ensembles of small networks, followed with their
tangent dynamics (Storm 2024).

``campaign`` says what is followed, ``measuring`` follows it, ``predictors`` turns it into numbers
that a classifier sees, ``predicting`` scores them, ``published`` writes and reads what the book
shows; :mod:`netdyn_lib.experiments.campaign` runs it.
"""
