"""From notebooks to website: execute, pair, stage, build.

The top floor of the library: it uses everything and nothing uses it.  The
Makefile calls it as ``python -m netdyn_lib.book``; see ``--help``.

* :mod:`.project`: where things lie, and writing files whole or not at all;
* :mod:`.notebook`: a notebook's source, parameters, identifiers, provenance;
* :mod:`.execute`: papermill over every notebook that changed;
* :mod:`.pair`: the committed ``.ipynb`` of each source;
* :mod:`.scorecard`: every measured claim, gathered;
* :mod:`.recorded`: runs of other profiles and devices, kept beside;
* :mod:`.fragments`: generated parts of pages;
* :mod:`.site`: the website;
* :mod:`.alone`: one build at a time;
* :mod:`.joined`: its pages as one document;
* :mod:`.pdf`: that, printed;
* :mod:`.deposit`: what a data repository asks, from CITATION.cff;
* :mod:`.supplement`: the archive of everything;
* :mod:`.verify`: the archive's own check.
"""

from ..validation import need

need("netdyn_lib.book", "book", "papermill", "jupytext", "nbformat", "jupyter_book", "myst_nb")
