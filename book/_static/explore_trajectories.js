/* Explorer of trajectories: a network and its copies from one ε-ball, projected, and their distance over time. */
"use strict";
(function () {
  const { unpack, number, make, chart, path, keepDrawn } = window.netdynExplore;
  const data = window.netdynData.trajectories;
  const root = document.getElementById("explorer-trajectories");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const rate = find("rate"), condition = find("condition"), time = find("time"), play = find("play");
  const NAMES = ["ink", "blue", "orange"], TAIL = 30; // so many observations are drawn behind each network
  const networks = 1 + data.copies, steps = data.epochs.length;
  let now;

  function read() {
    const one = data.runs[rate.selectedIndex].conditions[condition.selectedIndex];
    const rows = (pack, n) => { const all = unpack(pack); return Array.from({ length: n }, (_, j) => all.subarray(j * steps, (j + 1) * steps)); };
    const places = rows(one.projection, 2 * networks);
    now = {
      eta: data.runs[rate.selectedIndex].rate, shares: one.shares, fit: one.fit,
      across: Array.from({ length: networks }, (_, j) => places[2 * j]), up: Array.from({ length: networks }, (_, j) => places[2 * j + 1]),
      distance: rows(one.distance, data.copies).map((row) => row.map(Math.exp)), loss: rows(one.loss, networks).map((row) => row.map(Math.exp)),
    };
  }

  const range = (rows, pad) => {
    let low = Infinity, high = -Infinity;
    for (const row of rows) for (const v of row) if (Number.isFinite(v) && (pad || v > 0)) { low = Math.min(low, v); high = Math.max(high, v); }
    return pad ? [low - pad * (high - low), high + pad * (high - low)] : [low / 1.6, high * 1.6];
  };

  function sentence() {
    const k = Number(time.value), apart = now.distance.map((row) => number(row[k])).join(" and ");
    const grown = now.distance.map((row) => row[k] / row[0]);
    const factor = number(grown.reduce((a, b) => a + b, 0) / grown.length);
    return `η = ${number(now.eta)}, epoch ${data.epochs[k]}: the copies are ${apart} from the network, ${factor} times as far as at the start; its loss is ${number(now.loss[0][k])}.`;
  }

  function growth() {
    const { exponent, r2, start, stop, kept } = now.fit;
    if (exponent === null) return `No exponential growth within ${data.exponent_epochs} epochs.`;
    const verdict = kept ? "counts as exponential growth" : "does not count as exponential growth";
    return `Best fit within ${data.exponent_epochs} epochs (dashed): Λ = ${number(exponent)} per epoch in the window ${start} to ${stop}, R² = ${number(r2)}; it ${verdict}.`;
  }

  function update() {
    const k = Number(time.value);
    time.setAttribute("aria-valuetext", `epoch ${data.epochs[k]}`);
    find("readout").textContent = `${sentence()} ${growth()}`;
    Object.assign(root.dataset, {
      eta: now.eta, condition: condition.selectedIndex, epoch: data.epochs[k], distance: JSON.stringify(now.distance.map((row) => row[k])),
      loss: now.loss[0][k], exponent: now.fit.exponent ?? "", shares: JSON.stringify(now.shares),
    });
    draw();
  }

  function draw() { projection(); over("distance"); over("loss"); }

  function projection() {
    const k = Number(time.value), from = Math.max(0, k - TAIL);
    const axis = (rows, number_) => { const [low, high] = range(rows, 0.06); return { low, high, label: `component ${number_} (${number(100 * now.shares[number_ - 1])} % of variance)` }; };
    const { plot, x, y } = chart(find("projection"), {
      height: Math.min(420, Math.max(300, root.clientWidth * 0.62)), x: axis(now.across, 1), y: axis(now.up, 2),
      describe: `Weights of a network and ${data.copies} copies projected on two principal components, with the whole way drawn faintly. ${sentence()}`,
    });
    for (let j = 0; j < networks; j++) make("path", { d: path(now.across[j], now.up[j], x, y), class: "stroke-muted", "stroke-width": 0.8, "stroke-opacity": 0.45 }, plot);
    for (let j = networks - 1; j >= 0; j--) {
      make("path", { d: path(now.across[j].slice(from, k + 1), now.up[j].slice(from, k + 1), x, y), class: `stroke-${NAMES[j]}`, "stroke-width": 1.8 }, plot);
    }
    // The network itself is a ring, so that copies in the same place are seen inside it.
    for (let j = networks - 1; j >= 1; j--) make("circle", { cx: x(now.across[j][k]), cy: y(now.up[j][k]), r: 2 + 2.2 * j, class: `fill-${NAMES[j]}` }, plot);
    make("circle", { cx: x(now.across[0][k]), cy: y(now.up[0][k]), r: 9, class: "stroke-ink", fill: "none", "stroke-width": 2 }, plot);
  }

  const SERIES = {
    distance: { label: "L1 distance d_{j}(t)", names: NAMES.slice(1), describe: "Distance of each copy from the network over epochs, on logarithmic axes." },
    loss: { label: "training loss", names: NAMES, describe: "Training losses of the network and its copies over epochs." },
  };

  function over(name) {
    const k = Number(time.value), series = SERIES[name], rows = now[name], [low, high] = range(rows);
    const shifted = data.epochs.map((t) => t + 1), last = shifted[steps - 1];
    const drawn = chart(find(name), {
      height: 210, x: { low: 1, high: last, log: true, label: "epoch t + 1" }, y: { low, high, log: true, label: series.label },
      describe: `${series.describe} ${sentence()}`,
    });
    const { plot, x, y } = drawn;
    for (let j = rows.length - 1; j >= 0; j--) make("path", { d: path(shifted, rows[j], x, y), class: `stroke-${series.names[j]}`, "stroke-width": 1.4 }, plot);
    if (name === "distance" && now.fit.exponent !== null) {
      const ts = Array.from({ length: now.fit.stop - now.fit.start + 1 }, (_, i) => now.fit.start + i);
      const line = ts.map((t) => Math.exp(now.fit.intercept + now.fit.exponent * t));
      make("path", { d: path(ts.map((t) => t + 1), line, x, y), class: "stroke-ink", "stroke-width": 2, "stroke-dasharray": "5 4" }, plot);
    }
    make("line", { x1: x(shifted[k]), x2: x(shifted[k]), y1: drawn.top, y2: drawn.bottom, class: "stroke-ink", "stroke-width": 1.5 }, plot);
    rows.forEach((row, j) => make("circle", { cx: x(shifted[k]), cy: y(row[k]), r: 4, class: `fill-${series.names[j]}` }, plot));
    const holder = find(name);
    const set = (event) => {
      const t = x.inverse(event.clientX - holder.getBoundingClientRect().left);
      time.value = shifted.reduce((best, s, i) => (Math.abs(Math.log(s / t)) < Math.abs(Math.log(shifted[best] / t)) ? i : best), 0);
      update();
    };
    holder.onpointerdown = set;
    holder.onpointermove = (event) => { if (event.buttons & 1) set(event); };
  }

  let timer = 0;
  function stop() { clearInterval(timer); timer = 0; play.textContent = "Play"; find("readout").setAttribute("aria-live", "polite"); }
  play.addEventListener("click", () => {
    if (timer) { stop(); update(); return; }
    if (Number(time.value) >= steps - 1) time.value = 0;
    play.textContent = "Pause";
    find("readout").setAttribute("aria-live", "off"); // it would never cease to speak
    timer = setInterval(() => {
      time.value = Number(time.value) + 2;
      if (Number(time.value) >= steps - 1) stop();
      update();
    }, 50);
  });

  time.max = steps - 1;
  rate.append(...data.runs.map((run, k) => new Option(`${number(run.rate)} (chapter ${k + 2})`, k)));
  condition.append(...data.runs[0].conditions.map((_, k) => new Option(String(k + 1), k)));
  rate.selectedIndex = 1;
  time.value = Math.min(60, steps - 1);
  const fresh = () => { read(); update(); };
  rate.addEventListener("change", fresh);
  condition.addEventListener("change", fresh);
  time.addEventListener("input", () => { if (timer) stop(); update(); });
  fresh();
  keepDrawn(root, draw);
  root.dataset.ready = "true";
})();
