"""From notebooks to website: execute, pair, stage, build; on top of everything else.

The Makefile calls it as ``python -m netdyn_lib.book``; see ``--help``.

* :mod:`.project`: where files lie, and how they are written whole or not at all;
* :mod:`.forms`: what the files that are read must look like;
* :mod:`.notebooks`: a notebook's source, parameters, figures, provenance, and its committed pair;
* :mod:`.execute`: papermill over every notebook that changed, several at once;
* :mod:`.scorecard`: every measured claim, and runs kept beside those shown;
* :mod:`.pages`, :mod:`.explorers`, :mod:`.reference`: generated parts of pages;
* :mod:`.site`: the website, built by Sphinx with the extensions in ``book/_ext``;
* :mod:`.readme`: the figure and the numbers of README.md;
* :mod:`.pdf`: the website printed;
* :mod:`.supplement`: the archive of everything, and :mod:`.verify`, its own check.
"""

from ..validation import need

need("netdyn_lib.book", "book", "papermill", "jupytext", "nbformat", "jupyter_book", "myst_nb")
