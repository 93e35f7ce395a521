/* Explorer of the map of finite-time exponents: a picture whose grey levels are values, coloured and magnified here. */
"use strict";
(function () {
  const { number, make, chart, keepDrawn, colour } = window.netdynExplore;
  const data = window.netdynData.exponents;
  const root = document.getElementById("explorer-exponents");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const side = data.side, full = 0.3; // the exponent at which a colour is full
  const value = (levels, row, column) => (levels[row * side + column] - data.zero) * data.step;
  const at = ([low, high], cells) => low * (high / low) ** (cells / (side - 1));
  const rate = find("rate"), scale = find("scale"), zoom = find("zoom");
  for (const slider of [rate, scale]) slider.max = side - 1;
  let levels = null, painted = { theme: null, canvas: null };

  /* The whole map in the theme's colours, one pixel a cell, the smallest scale at the bottom. */
  function whole() {
    const theme = document.documentElement.dataset.theme;
    if (painted.theme === theme) return painted.canvas;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d"), pixels = context.createImageData(side, side);
    const rgb = (name) => [1, 3, 5].map((k) => parseInt(colour(name).slice(k, k + 2), 16));
    const paper = rgb("paper"), grey = rgb("grid"), cold = rgb("blue"), warm = rgb("orange");
    for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) {
      const v = value(levels, row, column), place = 4 * ((side - 1 - row) * side + column);
      const [from, to] = v < 0 ? [paper, cold] : v < data.threshold ? [grey, grey] : [paper, warm];
      const share = Math.min(1, 0.25 + (0.75 * Math.abs(v)) / full);
      for (let k = 0; k < 3; k++) pixels.data[place + k] = from[k] + share * (to[k] - from[k]);
      pixels.data[place + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
    painted = { theme, canvas };
    return canvas;
  }

  /* The first cell and the number of cells of the window, which stays within the map. */
  function view() {
    const wide = side / 2 ** Number(zoom.value);
    const first = (middle) => Math.max(0, Math.min(side - wide, Number(middle) + 0.5 - wide / 2));
    return { left: first(rate.value), low: first(scale.value), wide };
  }

  function sentence() {
    const v = value(levels, Number(scale.value), Number(rate.value));
    const [eta, s] = [at(data.rates, Number(rate.value)), at(data.scales, Number(scale.value))];
    const kind = v < 0 ? "nearby networks approach each other" : v < data.threshold ? "nearby networks part, more slowly than the papers call chaos" : "nearby networks part: chaos, as the papers call it";
    return `η = ${number(eta, 4)}, s = ${number(s, 4)}: between ${number(v)} and ${number(v + data.step)} per epoch over ${data.epochs} epochs; ${kind}.`;
  }

  function draw() {
    if (!levels) return;
    const { left, low, wide } = view();
    const ends = (range, first) => ({ low: at(range, first - 0.5), high: at(range, first + wide - 0.5), log: true });
    const said = sentence();
    const drawn = chart(find("chart"), {
      square: root.clientWidth < 700, height: 560,
      x: { ...ends(data.rates, left), label: "learning rate η" },
      y: { ...ends(data.scales, low), label: "scale s of the initial weights" },
      describe: `Map of finite-time exponents over the learning rate and the scale of the initial weights, magnified ${2 ** Number(zoom.value)} times. ${said}`,
    });
    const { plot, x, y } = drawn;
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(drawn.right - drawn.left);
    canvas.height = Math.round(drawn.bottom - drawn.top);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(whole(), left, side - low - wide, wide, wide, 0, 0, canvas.width, canvas.height);
    make("image", { href: canvas.toDataURL(), x: drawn.left, y: drawn.top, width: drawn.right - drawn.left, height: drawn.bottom - drawn.top, preserveAspectRatio: "none" }, plot);
    const [px, py] = [x(at(data.rates, Number(rate.value))), y(at(data.scales, Number(scale.value)))];
    make("circle", { cx: px, cy: py, r: 7, class: "stroke-ink", fill: "none", "stroke-width": 2 }, plot);
    make("line", { x1: px, x2: px, y1: drawn.top, y2: drawn.bottom, class: "stroke-ink", "stroke-opacity": 0.35 }, plot);
    make("line", { x1: drawn.left, x2: drawn.right, y1: py, y2: py, class: "stroke-ink", "stroke-opacity": 0.35 }, plot);
    find("readout").textContent = said;
    rate.setAttribute("aria-valuetext", `η = ${number(at(data.rates, Number(rate.value)), 4)}`);
    scale.setAttribute("aria-valuetext", `s = ${number(at(data.scales, Number(scale.value)), 4)}`);
    zoom.setAttribute("aria-valuetext", `${2 ** Number(zoom.value)} times`);
    root.dataset.exponent = String(value(levels, Number(scale.value), Number(rate.value)));
    root.dataset.wide = String(wide);
    const pick = (event) => {
      const box = find("chart").getBoundingClientRect();
      const [h, v] = [event.clientX - box.left, event.clientY - box.top];
      if (h < drawn.left || h > drawn.right || v < drawn.top || v > drawn.bottom) return;
      const cell = (share, first) => String(Math.max(0, Math.min(side - 1, Math.floor(first + share * wide))));
      rate.value = cell((h - drawn.left) / (drawn.right - drawn.left), left);
      scale.value = cell((drawn.bottom - v) / (drawn.bottom - drawn.top), low);
      draw();
    };
    find("chart").onpointerdown = pick;
  }

  for (const slider of [rate, scale, zoom]) slider.addEventListener("input", draw);
  find("closer").addEventListener("click", () => { zoom.value = Number(zoom.value) + 1; draw(); });
  find("back").addEventListener("click", () => { zoom.value = 0; draw(); });
  find("provenance").textContent = `Computed: ${data.provenance}.`;

  const picture = new Image();
  picture.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    const rgba = context.getImageData(0, 0, side, side).data;
    levels = Uint8Array.from({ length: side * side }, (_, k) => rgba[4 * k]);
    keepDrawn(root, draw);
    root.dataset.ready = "true";
  };
  picture.src = `data:image/png;base64,${data.png}`;
})();
