/* What scrolls sideways can be reached and scrolled with the keyboard, and has a name.
   Only while it scrolls: a stop that does nothing is a nuisance. */
(function () {
  "use strict";
  const FRAMES = ".scorecard-frame, .figure-frame, .pst-scrollable-table-container, .cell_output .output.text_html";

  function mark(frame) {
    const scrolls = frame.scrollWidth > frame.clientWidth;
    if (scrolls) {
      frame.tabIndex = 0;
      frame.setAttribute("role", "group");
      frame.setAttribute("aria-label", "Scrollable " + (frame.dataset.name || "table"));
    } else if (frame.getAttribute("role") === "group") {
      frame.removeAttribute("tabindex");
      frame.removeAttribute("role");
      frame.removeAttribute("aria-label");
    }
  }

  window.addEventListener("load", function () {
    const watch = new ResizeObserver((entries) => entries.forEach((entry) => mark(entry.target)));
    document.querySelectorAll(FRAMES).forEach((frame) => watch.observe(frame));
  });
})();
