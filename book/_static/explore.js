/* What the explorers share: numbers, packed arrays, and charts in SVG.  No framework, nothing loaded from elsewhere. */
"use strict";
window.netdynExplore = (function () {
  const SVG = "http://www.w3.org/2000/svg";
  const MISSING = -32768, MINUS_INFINITY = -32767;

  function bytes(base64) {
    const text = atob(base64), out = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
    return out;
  }

  /* Values of an array that netdyn_lib packed into whole multiples of a step, row by row. */
  function unpack(pack) {
    const raw = new DataView(bytes(pack.data).buffer), out = new Float64Array(raw.byteLength / 2);
    for (let i = 0; i < out.length; i++) {
      const whole = raw.getInt16(2 * i, true);
      out[i] = whole === MISSING ? NaN : whole === MINUS_INFINITY ? -Infinity : whole * pack.step;
    }
    return out;
  }

  const minus = (text) => text.replace(/-/g, "−");

  /* A number as text, with so many significant digits. */
  function number(value, digits = 3) {
    if (value === null || Number.isNaN(value)) return "none";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) {
      const [front, power] = value.toExponential(digits - 1).split("e");
      return minus(`${Number(front)}·10${superscript(Number(power))}`);
    }
    return minus(String(Number(value.toPrecision(digits))));
  }

  function superscript(power) {
    return String(power).replace(/-/g, "⁻").replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]);
  }

  function make(name, attributes = {}, parent = null) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (parent) parent.appendChild(node);
    return node;
  }

  /* Text with parts written below the line: "λ_{nMLE}". */
  function write(node, text) {
    let low = false;
    for (const part of text.split(/_\{|\}/)) {
      if (part) {
        const span = make("tspan", low ? { dy: "0.3em", "font-size": "75%" } : {}, node);
        span.textContent = part;
        if (!low && node.childNodes.length > 1) span.setAttribute("dy", "-0.22em");
      }
      low = !low;
    }
  }

  /* The same in HTML, and without marks for where there is text alone. */
  function rich(node, text) {
    node.replaceChildren(...text.split(/_\{|\}/).map((part, k) => {
      if (k % 2 === 0) return document.createTextNode(part);
      const low = document.createElement("sub");
      low.textContent = part;
      return low;
    }));
  }
  const plain = (text) => text.replace(/_\{(\w+)\}/g, " $1");

  function linearTicks(low, high, about) {
    const rough = (high - low) / about, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((s) => s * power >= rough * 0.999);
    const out = [];
    for (let k = Math.ceil(low / step - 1e-9); k <= high / step + 1e-9; k++) out.push(Number((k * step).toPrecision(12)));
    return out;
  }

  function logTicks(low, high, about) {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
    if (last - first < 1) {
      const out = [];
      for (let p = first - 1; p <= last + 1; p++) for (const s of [1, 2, 5]) out.push(s * 10 ** p);
      return out.filter((v) => v >= low * 0.999 && v <= high * 1.001);
    }
    const every = Math.max(1, Math.ceil((last - first) / about)), out = [];
    for (let p = first; p <= last; p += every) out.push(10 ** p);
    return out;
  }

  function tickText(value, log) {
    const power = Math.floor(Math.log10(Math.abs(value)) + 1e-9), front = Number((value / 10 ** power).toPrecision(3));
    if (log && (power < -3 || power > 3)) return `${front === 1 ? "" : `${front}·`}10${superscript(power)}`;
    return minus(String(Number(value.toPrecision(12))));
  }

  /* A chart in `holder`, drawn at its width.  Options: height, square, x and y: {low, high, log, label}, and `describe`,
     its accessible name.  Gives {svg, x, y, plot, left, right, top, bottom, width}: scales, and the clipped group to draw in. */
  function chart(holder, options) {
    const width = Math.max(240, Math.floor(holder.clientWidth));
    const margin = { left: 58, right: 12, top: options.top || 10, bottom: options.x.label ? 42 : 24 };
    const height = options.square ? width - margin.left - margin.right + margin.top + margin.bottom : options.height;
    const left = margin.left, right = width - margin.right, top = margin.top, bottom = height - margin.bottom;
    const scale = (axis, from, to) => {
      const f = axis.log ? Math.log10 : (v) => v, a = f(axis.low), b = f(axis.high);
      const forward = (v) => from + ((f(v) - a) / (b - a)) * (to - from);
      forward.inverse = (place) => { const v = a + ((place - from) / (to - from)) * (b - a); return axis.log ? 10 ** v : v; };
      return forward;
    };
    const x = scale(options.x, left, right), y = scale(options.y, bottom, top);
    const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": options.describe });
    const name = `clip-${(chart.made = (chart.made || 0) + 1)}`;
    const clip = make("clipPath", { id: name }, make("defs", {}, svg));
    make("rect", { x: left, y: top, width: right - left, height: bottom - top }, clip);
    const grid = make("g", { class: "explore-axes" }, svg);
    const ticks = (axis, about) => (axis.ticks || (axis.log ? logTicks : linearTicks)(axis.low, axis.high, about));
    for (const v of ticks(options.x, Math.max(3, Math.floor((right - left) / 70)))) {
      make("line", { x1: x(v), x2: x(v), y1: top, y2: bottom + 4 }, grid);
      make("text", { x: x(v), y: bottom + 16, "text-anchor": "middle" }, grid).textContent = tickText(v, options.x.log);
    }
    for (const v of ticks(options.y, Math.max(3, Math.floor((bottom - top) / 40)))) {
      make("line", { x1: left - 4, x2: right, y1: y(v), y2: y(v) }, grid);
      make("text", { x: left - 7, y: y(v) + 4, "text-anchor": "end" }, grid).textContent = tickText(v, options.y.log);
    }
    if (options.x.label) write(make("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle", class: "explore-label" }, grid), options.x.label);
    const middle = (top + bottom) / 2;
    write(make("text", { x: 13, y: middle, "text-anchor": "middle", transform: `rotate(-90 13 ${middle})`, class: "explore-label" }, grid), options.y.label);
    const plot = make("g", { "clip-path": `url(#${name})` }, svg);
    make("rect", { x: left, y: top, width: right - left, height: bottom - top, class: "explore-box" }, svg);
    holder.replaceChildren(svg);
    return { svg, x, y, plot, left, right, top, bottom, width, height };
  }

  /* The path through points, broken where one is not finite. */
  function path(xs, ys, x, y) {
    let out = "", pen = "M";
    for (let i = 0; i < xs.length; i++) {
      const a = x(xs[i]), b = y(ys[i]);
      if (Number.isFinite(a) && Number.isFinite(b)) { out += `${pen}${a.toFixed(1)} ${Math.max(-1e4, Math.min(1e4, b)).toFixed(1)}`; pen = "L"; }
      else pen = "M";
    }
    return out || "M0 0";
  }

  /* Calls `draw` now, when a holder's width changes, and when the theme does. */
  function keepDrawn(root, draw) {
    let width = root.clientWidth;
    new ResizeObserver(() => { if (root.clientWidth !== width) { width = root.clientWidth; draw(); } }).observe(root);
    new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    draw();
  }

  const colour = (name) => getComputedStyle(document.querySelector(".explorer")).getPropertyValue(`--explore-${name}`).trim();

  return { bytes, unpack, number, make, chart, rich, plain, path, keepDrawn, colour };
})();
