// How the search orders what it finds: the book first, then the library's reference,
// whose many pages name the same terms.  The other numbers are Sphinx's own.
var Scorer = {
  score: ([page, title, anchor, description, score]) =>
    page.startsWith("reference/") ? score - 1000 : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
