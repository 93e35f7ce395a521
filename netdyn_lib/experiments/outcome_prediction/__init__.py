"""Can the outcome of training be told early?  Ensembles of small networks, followed with their
tangent dynamics (Sharafi 2024).

``campaign`` says what is followed, ``measuring`` follows it, ``predicting`` says how well the
outcome is told, ``published`` writes and reads what the book shows;
:mod:`netdyn_lib.experiments.campaign` runs it.
"""
