// Filters of the scorecard: lines that do not match are hidden, and chapters that have none left.
(() => {
  const form = document.querySelector("form.scorecard-filters");
  const rows = [...document.querySelectorAll("table.scorecard tbody tr")];
  const count = form.querySelector("output");

  function apply() {
    const wanted = new FormData(form);
    const word = wanted.get("word").trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = ["paper", "chapter", "verdict"].every((name) => !wanted.get(name) || row.dataset[name] === wanted.get(name));
      row.hidden = !(fits && row.textContent.toLowerCase().includes(word));
      shown += !row.hidden;
    }
    for (const section of document.querySelectorAll("section")) {
      const own = section.querySelectorAll(":scope > .scorecard-frame tbody tr");
      if (own.length) section.hidden = [...own].every((row) => row.hidden);
    }
    count.textContent = `${shown} of ${rows.length} claims`;
  }

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply(); // a browser may have kept what was chosen before
})();
