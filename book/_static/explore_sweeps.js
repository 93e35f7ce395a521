/* Explorer of the stored sweeps: quantities against the learning rate, and the networks behind each. */
"use strict";
(function () {
  const { unpack, number, make, chart, path, rich, plain, keepDrawn } = window.netdynExplore;
  const data = window.netdynData.sweeps;
  const root = document.getElementById("explorer-sweeps");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const FEW = 6; // so many networks' values are listed in a sentence
  const CURVES = {
    distance: { title: "Mean distance of the copies over epochs", label: "mean distance d̄(t)", log: true, name: "distance d̄" },
    loss: { title: "Training loss over epochs", label: "training loss", log: true, name: "loss" },
    test_accuracy: { title: "Test accuracy over epochs", label: "test accuracy", low: 0, high: 1, name: "test accuracy" },
    sharpness: { title: "Sharpness over epochs", label: "sharpness · η/2", low: 0, name: "sharpness in units of 2/η" },
  };
  const percent = (share) => `${number(100 * share)} %`;
  const epochs = (value) => (value === null ? "never within the cap" : `${number(value, 5)} epochs`);

  /* What is said and drawn of each kind of quantity; `of` is the quantity, k the learning rate. */
  const KINDS = {
    exponent: {
      option: () => "λ_{nMLE}: exponent at which copies part",
      title: "Exponent λ_{nMLE} against the learning rate", label: "exponent λ_{nMLE} (1/epoch)", network: "one network's Λ; faint: not kept",
      one: (v, kept) => (v === null ? "no window" : `Λ = ${number(v)} per epoch${kept ? "" : ", not kept"}`),
      say: (of, k) => (of.interval[k][0] === null
        ? `no λ_{nMLE}, for the Λ of none of ${of.keeps[k].length} networks is kept`
        : `λ_{nMLE} = ${number(of.interval[k][0])} per epoch${between(of, k)}, mean over ${total(of.keeps[k])} of ${of.keeps[k].length} networks whose Λ is kept`),
    },
    share: {
      option: () => "p: share of initial conditions whose copies part exponentially",
      title: "Share p of sensitive initial conditions against the learning rate", label: "share p", network: "one network: 1 sensitive, 0 not", low: 0, high: 1,
      one: (v) => (v ? "sensitive" : "not sensitive"),
      say: (of, k) => `p = ${number(of.interval[k][0])}${between(of, k)}, ${of.kept[k]} of ${of.count[k]} networks`,
    },
    arrival: {
      option: (of) => `τ: epochs to ${percent(of.target)} test accuracy, within ${of.cap} epochs`,
      title: "Epochs τ to the target accuracy against the learning rate", label: "mean τ (epochs)", network: "one network's τ, where it arrives", log: true,
      one: epochs,
      say: (of, k) => {
        const gone = of.networks[k].filter((v) => v === null).length;
        const mean = of.interval[k][0] === null ? "" : `⟨τ⟩ = ${number(of.interval[k][0], 4)} epochs${between(of, k)} over those that arrive; `;
        return `${mean}${gone} of ${of.networks[k].length} networks never reach ${percent(of.target)} within ${of.cap} epochs (share never ${number(of.never[k][0])})`;
      },
    },
    sharpness: {
      option: () => "sharpness late in training, in units of 2/η",
      title: "Sharpness over the second half of the record against the learning rate", label: "sharpness · η/2", network: "one network's median", over: "median over the networks", low: 0, line: 1,
      one: (v) => (v === null ? "none" : `${number(v)} times 2/η`),
      say: (of, k) => `sharpness ${number(of.interval[k][0])} times 2/η, median over networks of each one's median over the second half of its record`,
    },
  };
  const total = (values) => values.reduce((a, b) => a + b, 0);
  const between = (of, k) => (of.interval[k][1] === null ? "" : ` (95%: ${number(of.interval[k][1])} to ${number(of.interval[k][2])})`);

  const parts = { sweep: find("sweep"), quantity: find("quantity"), rate: find("rate"), network: find("network"), curve: find("curve") };
  const state = { hover: null, hoverNetwork: null };
  let sweep, of, kind, curves, order, said;

  /* The network behind the j-th value at learning rate k: values leave out what is not present. */
  const inits = (k) => sweep.present[k].map((there, j) => (there ? j : -1)).filter((j) => j >= 0);
  const rateNow = () => (state.hover === null ? Number(parts.rate.value) : state.hover);
  const networkNow = () => (state.hoverNetwork === null ? Number(parts.network.value) - 1 : state.hoverNetwork);

  function options(select, entries) {
    const before = select.value;
    select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
    if (entries.some(([value]) => value === before)) select.value = before;
  }

  function setSweep() {
    sweep = data.sweeps.find((one) => one.name === parts.sweep.value);
    options(parts.quantity, Object.entries(sweep.quantities).map(([name, q]) => [name, plain(KINDS[q.kind].option(q))]));
    parts.rate.max = sweep.rates.length - 1;
    const far = (rate) => Math.abs(Math.log(rate / data.home));
    const home = sweep.rates.reduce((best, r, k) => (far(r) < far(sweep.rates[best]) ? k : best), 0);
    parts.rate.value = home;
    parts.network.max = sweep.networks;
    parts.network.value = 0;
    curves = {};
    for (const name of ["distance", "loss", "test_accuracy"]) {
      const values = unpack(sweep.curves[name]), [, n, steps] = sweep.curves[name].shape;
      const at = (k, j) => { const row = values.subarray((k * n + j) * steps, (k * n + j + 1) * steps); return CURVES[name].log ? row.map(Math.exp) : row; };
      curves[name] = { epochs: sweep.curves.epochs, at };
    }
    const sharp = sweep.quantities.sharpness;
    if (sharp) curves.sharpness = { epochs: sharp.epochs, at: (k, j) => sharp.curves[k][inits(k).indexOf(j)] || [] };
    for (const [name, curve] of Object.entries(curves)) {
      let low = Infinity, high = -Infinity;
      sweep.rates.forEach((_, k) => inits(k).forEach((j) => curve.at(k, j).forEach((v) => {
        if (Number.isFinite(v) && (v > 0 || !CURVES[name].log)) { low = Math.min(low, v); high = Math.max(high, v); }
      })));
      curve.low = CURVES[name].low ?? low / 1.3;
      curve.high = CURVES[name].high ?? high * (CURVES[name].log ? 1.3 : 1.05);
    }
    options(parts.curve, Object.keys(curves).map((name) => [name, CURVES[name].title]));
    setQuantity();
    notes();
  }

  function notes() {
    const kinds = new Set(Object.values(sweep.quantities).map((q) => q.kind)), absent = [];
    if (!kinds.has("arrival")) absent.push("epochs to a target accuracy");
    if (!kinds.has("sharpness")) absent.push("sharpness");
    const missing = total(sweep.present.map((row) => row.length - total(row)));
    find("absent").textContent = [
      absent.length ? `Not measured in this sweep: ${absent.join(" and ")}.` : "",
      missing ? `${missing} of ${sweep.rates.length * sweep.networks} pairs of initial condition and learning rate were not computed.` : "",
    ].filter(Boolean).join(" ");
    find("thinned").textContent = [
      sweep.curves.every > 1 ? `Of the stored curves every ${sweep.curves.every}th epoch is shown.` : "Every stored epoch is shown.",
      "The distance is the mean over the copies; those of single copies are stored for the first initial conditions only, and are not shown here.",
    ].join(" ");
    const text = sweep.summary.replace("stored run (ours).  ", "");
    find("provenance").textContent = `Stored run (ours), ${sweep.name}.npz: ${text}`;
  }

  function setQuantity() {
    of = sweep.quantities[parts.quantity.value];
    kind = KINDS[of.kind];
    update();
  }

  function values(k) {
    return inits(k).map((j, i) => ({ init: j, value: of.networks[k][i] ?? null, kept: of.keeps ? Boolean(of.keeps[k][i]) : true }));
  }

  function sentence(k) {
    const rows = values(k), out = [`η = ${sweep.rates[k]}: ${rows.length ? kind.say(of, k) : "no network was computed"}.`];
    if (sweep.diverged[k]) out.push(`${sweep.diverged[k]} diverged.`);
    const single = rows.find((row) => row.init === networkNow());
    if (single) out.push(`Network ${single.init + 1}: ${kind.one(single.value, single.kept)}.`);
    else if (rows.length && rows.length <= FEW) out.push(rows.map((row) => `Network ${row.init + 1}: ${kind.one(row.value, row.kept)}`).join("; ") + ".");
    else if (of.kind !== "share") {
      const known = rows.map((row) => row.value).filter((v) => v !== null).sort((a, b) => a - b);
      if (known.length) out.push(`${known.length} networks between ${number(known[0])} and ${number(known[known.length - 1])}.`);
    }
    return out.join(" ");
  }

  function update() {
    const k = rateNow(), network = networkNow();
    const text = sentence(k);
    if (text !== said) rich(find("readout"), text);
    said = text;
    parts.rate.setAttribute("aria-valuetext", `η = ${sweep.rates[Number(parts.rate.value)]}`);
    parts.network.setAttribute("aria-valuetext", Number(parts.network.value) ? `network ${parts.network.value}` : "none");
    const [value, low, high] = of.interval[k];
    Object.assign(root.dataset, {
      sweep: sweep.name, quantity: parts.quantity.value, rate: sweep.rates[k], network: network + 1,
      value: value ?? "", low: low ?? "", high: high ?? "", networks: JSON.stringify(values(k).map((row) => row.value)),
    });
    rich(find("title"), `${kind.title}: ${sweep.title}`);
    find("key-over").lastElementChild.textContent = kind.over || "over the initial conditions, with its 95% interval";
    find("key-network").lastElementChild.textContent = kind.network;
    find("curve-title").textContent = `${CURVES[parts.curve.value].title} at η = ${sweep.rates[k]}`;
    table(k);
    draw();
  }

  function table(k) {
    const cell = (name, text) => { const node = document.createElement(name); node.textContent = text; return node; };
    const row = (name, texts) => { const node = document.createElement("tr"); node.append(...texts.map((text) => cell(name, text))); return node; };
    const shown = Object.values(sweep.quantities);
    const names = shown.map((q) => KINDS[q.kind].option(q).split(":")[0] + (q.kind === "arrival" ? ` to ${percent(q.target)}` : ""));
    const head = document.createElement("thead"), body = document.createElement("tbody"), whole = document.createElement("table");
    head.append(row("th", ["network", ...names.map((name) => name.replace("λ_{nMLE}", "Λ per epoch"))]));
    inits(k).forEach((j, i) => body.append(row("td", [
      String(j + 1),
      ...shown.map((q) => KINDS[q.kind].one(q.networks[k][i] ?? null, q.keeps ? q.keeps[k][i] : true).replace(/^Λ = | per epoch| times 2\/η| epochs$/g, "")),
    ])));
    whole.append(head, body);
    find("table").replaceChildren(whole);
  }

  function draw() { drawQuantity(); drawCurves(); }

  function drawQuantity() {
    const k = rateNow(), rates = sweep.rates;
    const known = of.networks.flat().concat(of.interval.flat()).filter((v) => v !== null);
    const most = Math.max(...known, kind.line || 0, 0), least = Math.min(...known);
    const y = { label: kind.label, log: kind.log };
    if (kind.log) Object.assign(y, known.length ? { low: least / 1.3, high: most * 1.3 } : { low: 1, high: of.cap });
    else Object.assign(y, { low: kind.high ? -0.06 : Math.min(0, least < 0 ? least * 1.1 : 0), high: kind.high ? 1.06 : (most || 1) * 1.08 });
    const drawn = chart(find("quantity-chart"), {
      height: 300, x: { low: Math.min(...rates) / 1.35, high: Math.max(...rates) * 1.35, log: true, label: "learning rate η" }, y,
      describe: plain(`${kind.title}, sweep ${sweep.title}. ${sentence(k)}`),
    });
    const { plot, x } = drawn, up = drawn.y;
    make("line", { x1: x(rates[k]), x2: x(rates[k]), y1: drawn.top, y2: drawn.bottom, class: "stroke-ink", "stroke-width": 1.5, "stroke-dasharray": "4 3" }, plot);
    if (kind.line) make("line", { x1: drawn.left, x2: drawn.right, y1: up(kind.line), y2: up(kind.line), class: "stroke-muted", "stroke-dasharray": "6 3" }, plot);
    order = [];
    const gaps = rates.slice(1).map((rate, r) => x(rate) - x(rates[r]));
    const room = Math.min(5, 0.4 * Math.min(...gaps, Infinity)), size = sweep.networks > FEW ? 2 : 3.5;
    rates.forEach((rate, r) => {
      const rows = values(r), spread = Math.min(room, rows.length / 2);
      rows.forEach((row, i) => {
        if (row.value === null) return;
        const place = { cx: x(rate) + (rows.length > 1 ? (i / (rows.length - 1) - 0.5) * 2 * spread : 0), cy: up(row.value) };
        const single = row.init === networkNow();
        order.push({ rate: r, init: row.init, ...place });
        make("circle", { ...place, r: single ? 5 : size, class: single ? "fill-orange" : "stroke-green", fill: "none", "stroke-opacity": of.kind === "exponent" && !row.kept ? 0.35 : 0.9 }, plot);
      });
    });
    const means = of.interval.map((i) => (i[0] === null ? NaN : i[0]));
    make("path", { d: path(rates, means, x, up), class: "stroke-blue", "stroke-width": 1.5 }, plot);
    of.interval.forEach(([mean, low, high], r) => {
      if (mean === null) return;
      if (low !== null) make("line", { x1: x(rates[r]), x2: x(rates[r]), y1: up(low), y2: up(high), class: "stroke-blue", "stroke-width": 2.5 }, plot);
      make("circle", { cx: x(rates[r]), cy: up(mean), r: r === k ? 6.5 : 4.5, class: "fill-blue" }, plot);
    });
    follow(find("quantity-chart"), drawn, (px, py) => {
      state.hover = rates.reduce((best, r, j) => (Math.abs(x(r) - px) < Math.abs(x(rates[best]) - px) ? j : best), 0);
      const near = order.filter((one) => one.rate === state.hover).map((one) => ({ ...one, far: Math.hypot(one.cx - px, one.cy - py) })).sort((a, b) => a.far - b.far)[0];
      state.hoverNetwork = near && near.far < 9 ? near.init : null;
    }, () => { parts.rate.value = state.hover; });
  }

  function drawCurves() {
    const k = rateNow(), name = parts.curve.value, curve = curves[name], style = CURVES[name];
    const drawn = chart(find("curve-chart"), {
      height: 280, x: { low: 0, high: Math.max(...curve.epochs), label: "epoch t" }, y: { low: curve.low, high: curve.high, log: style.log, label: style.label },
      describe: `${style.title} at η = ${sweep.rates[k]}, one line for each of ${inits(k).length} networks of the sweep ${sweep.title}.`,
    });
    const { plot, x, y } = drawn, single = networkNow();
    if (name === "sharpness") make("line", { x1: drawn.left, x2: drawn.right, y1: y(1), y2: y(1), class: "stroke-ink", "stroke-dasharray": "6 3" }, plot);
    const line = (j, options) => make("path", { d: path(curve.epochs, curve.at(k, j), x, y), ...options }, plot);
    const there = inits(k);
    for (const j of there) if (j !== single) line(j, { class: "stroke-muted", "stroke-width": 1.1, "stroke-opacity": there.length > FEW ? 0.55 : 0.95 });
    if (there.includes(single)) line(single, { class: "stroke-orange", "stroke-width": 2.4 });
    follow(find("curve-chart"), drawn, (px, py) => {
      const step = curve.epochs.reduce((best, t, j) => (Math.abs(x(t) - px) < Math.abs(x(curve.epochs[best]) - px) ? j : best), 0);
      const near = there.map((j) => ({ j, far: Math.abs(y(curve.at(k, j)[step]) - py) })).filter((one) => one.far < 25).sort((a, b) => a.far - b.far)[0];
      state.hoverNetwork = near ? near.j : null;
    }, () => { if (state.hoverNetwork !== null) parts.network.value = state.hoverNetwork + 1; });
  }

  /* The pointer shows, a click keeps. */
  function follow(holder, drawn, show, keep) {
    const at = (event) => {
      const box = holder.getBoundingClientRect();
      show(event.clientX - box.left, event.clientY - box.top);
    };
    const before = () => `${state.hover} ${state.hoverNetwork}`;
    holder.onpointermove = (event) => { const old = before(); at(event); if (before() !== old) update(); };
    holder.onpointerdown = (event) => { at(event); keep(); update(); };
    holder.onpointerleave = () => { state.hover = state.hoverNetwork = null; update(); };
  }

  for (const name of ["rate", "network"]) parts[name].addEventListener("input", () => { state.hover = state.hoverNetwork = null; update(); });
  parts.curve.addEventListener("change", update);
  parts.quantity.addEventListener("change", setQuantity);
  parts.sweep.addEventListener("change", setSweep);
  options(parts.sweep, data.sweeps.map((one) => [one.name, `${one.title} (${one.name})`]));
  parts.sweep.value = data.first;
  setSweep();
  keepDrawn(root, draw);
  root.dataset.ready = "true";
})();
