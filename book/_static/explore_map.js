/* Explorer of the cubic map: the orbit, its exponent and its period are computed here, by the library's formula. */
"use strict";
(function () {
  const { bytes, unpack, number, make, chart, path, keepDrawn, colour } = window.netdynExplore;
  const data = window.netdynData.map;
  const root = document.getElementById("explorer-map");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const curve = unpack(data.exponent);
  const LONGEST = 64, SAME = 1e-9; // the longest period looked for, and how nearly an orbit has to return
  const STEPS = 100; // at most, of the orbit drawn over time

  // The same operations in the same order as netdyn_lib.maps.one_dimensional.CUBIC, so that orbits agree to the last bit.
  const f = (w, eta) => w * (1 - eta * (w * w - 1));
  const slope = (w, eta) => 1 + eta - 3 * eta * w * w;

  function measure(eta, start, steps) {
    const early = [start];
    let stretched = 0; // ln of the factor by which a small difference has grown
    for (let t = 0; t < steps; t++) {
      stretched += Math.log(Math.abs(slope(early[t], eta)));
      early.push(f(early[t], eta));
    }
    let w = start;
    for (let t = 0; t < data.transient; t++) w = f(w, eta);
    const late = [w];
    for (let t = 0; t < Math.max(LONGEST, data.shown); t++) late.push(f(late[t], eta));
    let sum = 0;
    for (let t = 0; t < data.steps; t++) { sum += Math.log(Math.abs(slope(w, eta))); w = f(w, eta); }
    const escaped = !Number.isFinite(w);
    let period = 0;
    const settled = [w];
    for (let t = 0; t < LONGEST; t++) settled.push(f(settled[t], eta));
    for (let m = 1; m <= LONGEST && !period && !escaped; m++) if (Math.abs(settled[m] - w) < SAME) period = m;
    const exponent = escaped ? NaN : sum / data.steps;
    return { eta, start, steps, early, late, finite: stretched / steps, exponent, period, escaped };
  }

  function sentence(now) {
    const eta = `η = ${number(now.eta, 6)}, w₀ = ${number(now.start, 4)}`;
    if (now.escaped) return `${eta}: the orbit escapes to infinity.`;
    const where = now.period === 0 ? `no period up to ${LONGEST} after ${number(data.transient + data.steps, 6)} steps`
      : now.period === 1 ? "the orbit settles on a fixed point" : `the orbit settles on a cycle of period ${now.period}`;
    const sign = now.exponent > 0 ? "nearby orbits part" : "nearby orbits approach each other";
    return `${eta}: exponent λ = ${number(now.exponent, 4)} per step (${sign}); ${where}.`;
  }

  function sentenceOfSteps(now) {
    const steps = now.steps === 1 ? "1 step" : `${now.steps} steps`;
    const last = now.early[now.steps], weight = Number.isFinite(last) ? number(last, 6) : "beyond all bounds";
    const rate = Number.isNaN(now.finite) ? "" : `; finite-time exponent so far ${number(now.finite, 4)} per step`;
    return `After ${steps} the weight is ${weight}${rate}.`;
  }

  function cobweb(now) {
    const limit = 1.75, axis = (label) => ({ low: -limit, high: limit, label, ticks: [-1, 0, 1] });
    const { plot, x, y } = chart(find("cobweb"), {
      square: true, x: axis("weight w_{t}"), y: axis("next weight w_{t+1}"),
      describe: `Cobweb of the cubic map at ${sentence(now)}`,
    });
    const ws = Array.from({ length: 201 }, (_, k) => -limit + (2 * limit * k) / 200);
    make("path", { d: path(ws, ws, x, y), class: "stroke-muted" }, plot);
    make("path", { d: path(ws, ws.map((w) => f(w, now.eta)), x, y), class: "stroke-ink", "stroke-width": 1.8 }, plot);
    const web = (orbit, count, name, wide) => {
      const across = [], up = [];
      for (let t = 0; t < count; t++) { across.push(orbit[t], orbit[t]); up.push(orbit[t], orbit[t + 1]); }
      make("path", { d: path(across, up, x, y), class: name, "stroke-width": wide }, plot);
    };
    web(now.early, now.steps, "stroke-blue", 1);
    if (!now.escaped && find("settled").checked) web(now.late, data.shown, "stroke-orange", 1.4);
    make("circle", { cx: x(now.start), cy: y(now.start), r: 4, class: "fill-blue" }, plot);
  }

  function orbit(now) {
    const { plot, x, y } = chart(find("orbit"), {
      height: 240, x: { low: 0, high: STEPS, label: "step t" }, y: { low: -1.75, high: 1.75, label: "weight w_{t}", ticks: [-1, 0, 1] },
      describe: `The first steps of the orbit. ${sentence(now)} ${sentenceOfSteps(now)}`,
    });
    const ts = now.early.map((_, t) => t);
    make("path", { d: path(ts, now.early, x, y), class: "stroke-blue", "stroke-width": 0.8, "stroke-opacity": 0.6 }, plot);
    for (const t of ts) if (Math.abs(now.early[t]) < 2) make("circle", { cx: x(t), cy: y(now.early[t]), r: 2.2, class: "fill-blue" }, plot);
  }

  let image = { theme: null, url: "" };
  function picture() {
    const theme = document.documentElement.dataset.theme;
    if (image.theme === theme) return image.url;
    const { columns, bins, ink } = data.diagram, packed = bytes(ink);
    const canvas = document.createElement("canvas");
    canvas.width = columns; canvas.height = bins;
    const context = canvas.getContext("2d"), pixels = context.createImageData(columns, bins);
    const rgb = (name) => [1, 3, 5].map((k) => parseInt(colour(name).slice(k, k + 2), 16));
    const paper = rgb("paper"), right = rgb("blue"), left = rgb("orange");
    const at = (column, bin) => { const pair = packed[column * (bins / 2) + (bin >> 1)]; return (bin & 1 ? pair & 15 : pair >> 4) / 15; };
    for (let c = 0; c < columns; c++) for (let b = 0; b < bins; b++) {
      // The map is odd: the orbit that starts at −w₀ is the mirror image of the one that starts at w₀.
      const up = at(c, b), down = at(c, bins - 1 - b), place = 4 * ((bins - 1 - b) * columns + c);
      for (let k = 0; k < 3; k++) pixels.data[place + k] = Math.max(0, Math.min(255, paper[k] + up * (right[k] - paper[k]) + down * (left[k] - paper[k])));
      pixels.data[place + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
    image = { theme, url: canvas.toDataURL() };
    return image.url;
  }

  function diagram(now) {
    const [low, high] = data.range, span = data.diagram.span;
    const narrow = root.clientWidth < 480; // labels of the marks then stand in two rows
    const drawn = chart(find("diagram"), {
      height: narrow ? 304 : 290, top: narrow ? 36 : 22, x: { low, high }, y: { low: -span, high: span, label: "weight w", ticks: [-1, 0, 1] },
      describe: `Bifurcation diagram of the cubic map: weights that orbits settle to, against the learning rate. The marker stands at η = ${number(now.eta, 6)}.`,
    });
    const { plot, x, y, svg } = drawn;
    make("image", { href: picture(), x: x(low), y: drawn.top, width: x(high) - x(low), height: drawn.bottom - drawn.top, preserveAspectRatio: "none" }, plot);
    data.marks.forEach((mark, k) => {
      make("line", { x1: x(mark.eta), x2: x(mark.eta), y1: drawn.top, y2: drawn.bottom, class: "stroke-muted", "stroke-dasharray": "4 3" }, plot);
      make("text", { x: x(mark.eta), y: drawn.top - (narrow && k % 2 ? 20 : 6), "text-anchor": "middle" }, svg).textContent = mark.name;
    });
    marker(drawn, now);
    pick(find("diagram"), drawn);
  }

  function exponents(now) {
    const [low, high] = data.range, n = curve.length;
    const drawn = chart(find("exponent"), {
      height: 220, x: { low, high, label: "learning rate η" }, y: { low: -1.6, high: 1.3, label: "exponent λ per step" },
      describe: `Lyapunov exponent against the learning rate. ${sentence(now)}`,
    });
    const { plot, x, y } = drawn;
    make("line", { x1: x(low), x2: x(high), y1: y(0), y2: y(0), class: "stroke-ink" }, plot);
    const etas = Array.from(curve, (_, k) => low + ((high - low) * (k + 0.5)) / n);
    const area = (part, name) => {
      const heights = Array.from(curve, (v) => (Number.isNaN(v) ? 0 : part(Math.max(v, -1.7))));
      const line = path([etas[0], ...etas, etas[n - 1]], [0, ...heights, 0], x, y);
      make("path", { d: `${line}Z`, class: name, "fill-opacity": 0.75 }, plot);
    };
    area((v) => Math.min(v, 0), "area-blue");
    area((v) => Math.max(v, 0), "area-orange");
    marker(drawn, now);
    if (!now.escaped) make("circle", { cx: x(now.eta), cy: y(Math.max(now.exponent, -1.6)), r: 4.5, class: "fill-ink" }, plot);
    pick(find("exponent"), drawn);
  }

  function marker({ plot, x, top, bottom }, now) {
    make("line", { x1: x(now.eta), x2: x(now.eta), y1: top, y2: bottom, class: "stroke-ink", "stroke-width": 1.8 }, plot);
  }

  // A click or a drag in the diagram moves the slider.
  function pick(holder, { x, left, right }) {
    const set = (event) => {
      const place = event.clientX - holder.getBoundingClientRect().left;
      if (place >= left && place <= right) choose(Number(x.inverse(place).toFixed(3)));
    };
    holder.onpointerdown = set;
    holder.onpointermove = (event) => { if (event.buttons & 1) set(event); };
  }

  const slider = find("eta"), box = find("eta-number"), from = find("start"), count = find("steps");
  let now;
  function choose(eta) {
    const [low, high] = [Number(slider.min), Number(slider.max)];
    now = measure(Math.min(high, Math.max(low, eta)), Number(from.value), Number(count.value));
    from.setAttribute("aria-valuetext", `w₀ = ${number(now.start, 4)}`);
    find("start-said").textContent = number(now.start, 4);
    find("steps-said").textContent = String(now.steps);
    root.dataset.finite = String(now.finite);
    root.dataset.weight = String(now.early[now.steps]);
    find("step-readout").textContent = sentenceOfSteps(now);
    slider.value = now.eta;
    slider.setAttribute("aria-valuetext", `η = ${number(now.eta, 6)}`);
    if (document.activeElement !== box) box.value = now.eta;
    root.dataset.eta = String(now.eta);
    root.dataset.exponent = String(now.exponent);
    root.dataset.period = String(now.period);
    root.dataset.escaped = String(now.escaped);
    find("readout").textContent = sentence(now);
    draw();
  }
  function draw() { cobweb(now); orbit(now); diagram(now); exponents(now); }

  slider.addEventListener("input", () => choose(Number(slider.value)));
  for (const control of [from, count, find("settled")]) control.addEventListener("input", () => choose(now.eta));
  const goTo = (steps) => { count.value = steps; choose(now.eta); };
  find("next").addEventListener("click", () => goTo(now.steps + 1));
  find("again").addEventListener("click", () => goTo(1));
  box.addEventListener("input", () => { if (box.value !== "" && box.validity.valid) choose(Number(box.value)); });
  box.addEventListener("blur", () => { box.value = now.eta; });
  for (const eta of data.presets) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = number(eta);
    button.setAttribute("aria-label", `η = ${number(eta)}`);
    button.addEventListener("click", () => choose(eta));
    find("presets").appendChild(button);
  }
  choose(Number(slider.value));
  keepDrawn(root, draw);
  root.dataset.ready = "true";
})();
