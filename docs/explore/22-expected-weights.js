// The toy of notebook 22, as toy.py computes it: the weight that the heaviest tenth of the devices has on average.
"use strict";

const weights = (() => {
  const { given, fixed, percent, general, axes, path, line, picture, text, px } = computing;
  const STEP = 0.2; // of the trapezoidal rule in log s, as in trustlab/federated/expectation.py
  const WAYS = Object.entries(given.ways);
  const HEAVY = Math.round(given.heavy * given.devices);

  // Activity n_i of each client, and e^{−s (n_i − least)} at every node s of the integral: the same for every β.
  const fleets = new Map();
  function fleet(exponent) {
    if (!fleets.has(exponent)) {
      const n = Float64Array.from({ length: given.devices }, (_, i) => (i + 1) ** -exponent);
      const sum = n.reduce((total, each) => total + each, 0);
      const least = n.at(-1);
      const [first, last] = [Math.log(1e-16 / sum), Math.log(50 / least) + STEP];
      const nodes = Array.from({ length: Math.ceil((last - first) / STEP) }, (_, i) => Math.exp(first + i * STEP));
      const falls = nodes.map((s) => n.map((each) => Math.exp(-s * (each - least))));
      if (fleets.size > 200) fleets.clear();
      fleets.set(exponent, { n, least, nodes, falls, share: n.slice(0, HEAVY).reduce((total, each) => total + each, 0) / sum });
    }
    return fleets.get(exponent);
  }

  // E[Σ p] of the heaviest clients under "examples": ∫ k q_i n_i e^{−s n_i} (Σ_j q_j e^{−s n_j})^{k−1} ds.
  function byExamples({ n, least, nodes, falls }, q, k) {
    let total = 0;
    nodes.forEach((s, node) => {
      const fall = falls[node];
      let all = 0, own = 0;
      for (let j = 0; j < n.length; j++) {
        all += q[j] * fall[j];
        if (j < HEAVY) own += q[j] * fall[j] * n[j];
      }
      total += own * k * s * Math.exp((k - 1) * Math.log(all) - s * least * k);
    });
    return STEP * total;
  }

  function at(beta, exponent, k) {
    const here = fleet(exponent);
    const activity = here.n.map((each) => each ** beta);
    const whole = activity.reduce((total, each) => total + each, 0);
    const q = activity.map((each) => each / whole);
    const { share } = here;
    const weight = { examples: byExamples(here, q, k), equal: q.slice(0, HEAVY).reduce((total, each) => total + each, 0), "horvitz-thompson": share };
    return { share, weight, ratio: Object.fromEntries(Object.entries(weight).map(([way, each]) => [way, each / share])) };
  }

  const reading = (ratio) => (Math.abs(ratio - 1) < 0.005 ? "fair to the data" : ratio > 1 ? "over-represented" : "under-represented");

  function verdict({ aggregation }, { share, weight, ratio }) {
    return `The heaviest tenth of the devices has ${percent(share)} of the data and ${percent(weight[aggregation])} of the ` +
      `expected weight, ${fixed(ratio[aggregation], 2)} times its share: ${reading(ratio[aggregation])}.`;
  }

  const BETAS = Array.from({ length: 21 }, (_, i) => i / 10);
  const known = new Map(); // the curves over β, by what else decides them
  function curves({ exponent, cohort }) {
    const key = `${exponent}/${cohort}`;
    if (!known.has(key)) known.set(key, BETAS.map((beta) => at(beta, exponent, cohort).ratio));
    return known.get(key);
  }

  function marker(shape, x, y, r) {
    if (shape === "o") return `<circle cx="${px(x)}" cy="${px(y)}" r="${r}"/>`;
    return shape === "s" ? `<rect x="${px(x - r)}" y="${px(y - r)}" width="${2 * r}" height="${2 * r}"/>` : path(`M${px(x)} ${px(y - r)}l${r} ${2 * r}h${-2 * r}Z`, "");
  }

  function left(position, found) {
    const rows = curves(position);
    const all = [1, ...rows.flatMap((row) => Object.values(row))];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = 0.08 * (high - low) || 0.1;
    const plot = axes(given.axes[0], [-0.06, 2.06], [low - room, high + room]);
    const ticks = Array.from({ length: 9 }, (_, i) => i / 4).map((x) => [x, general(x)]);
    const size = [0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5].find((step) => (high - low + 2 * room) / step <= 7);
    const first = Math.ceil((low - room) / size);
    const yticks = Array.from({ length: Math.floor((high + room) / size) - first + 1 }, (_, i) => (first + i) * size).map((y) => [y, fixed(y, size < 0.1 || size === 0.25 ? 2 : 1)]);
    const parts = [plot.frame({ xticks: ticks, yticks, xlabel: "β", ylabel: "expected weight over share of data", title: "The heaviest tenth of the devices" })];
    parts.push(path(line(plot.at([[-0.06, 1], [2.06, 1]])), 'stroke="currentColor" stroke-opacity="0.79" stroke-width="1.7" stroke-dasharray="6 3"'));
    parts.push(text(plot.left + plot.width, plot.Y(1) - 5, "fair to the data", 'text-anchor="end" font-size="13.9"'));
    WAYS.forEach(([way], i) => {
      const here = way === position.aggregation;
      const points = plot.at(rows.map((row, j) => [BETAS[j], row[way]]));
      const look = `fill="${given.colours[i]}" stroke="${given.colours[i]}" opacity="${here ? 1 : 0.45}"`;
      parts.push(`<g ${look}>${path(line(points), 'fill="none" stroke-width="3"')}${points.filter((_, j) => j % 5 === 0).map(([x, y]) => marker(given.markers[i], x, y, 4.6)).join("")}</g>`);
    });
    const [x, y] = [plot.X(position.beta), plot.Y(found.ratio[position.aggregation])];
    parts.push(path(`M${px(x)} ${plot.top}V${plot.top + plot.height}`, 'stroke="currentColor" stroke-opacity="0.79" stroke-width="1.4" stroke-dasharray="3 4"'));
    parts.push(`<circle cx="${px(x)}" cy="${px(y)}" r="10" fill="none" stroke="currentColor" stroke-width="2.5"/>`);
    let over = Math.max(4, plot.left - 60);
    WAYS.forEach(([, words], i) => {
      parts.push(`<g fill="${given.colours[i]}" stroke="${given.colours[i]}">${path(`M${px(over)} 22h26`, 'stroke-width="3"')}${marker(given.markers[i], over + 13, 22, 4.6)}</g>`, text(over + 34, 27, words));
      over += 52 + 8.2 * words.length;
    });
    return parts.join("");
  }

  function bars(position, { share, weight }) {
    const rows = [["of the devices", given.heavy], ["of the data", share], ...WAYS.map(([way, words], i) => [`weight, ${words}`, weight[way], given.colours[i], way])];
    const plot = axes(given.axes[1], [0, 1.12], [rows.length - 0.4, -0.6]);
    const parts = [plot.frame({ xticks: [[0, "0"], [0.5, percent(0.5)], [1, percent(1)]], xlabel: "share of the heaviest tenth", title: `At β = ${general(position.beta)}` })];
    rows.forEach(([words, value, colour, way], i) => {
      const look = colour ? `fill="${colour}" fill-opacity="${way === position.aggregation ? 1 : 0.45}"` : 'fill="currentColor" fill-opacity="0.7"';
      parts.push(`<rect x="${plot.left}" y="${px(plot.Y(i - 0.4))}" width="${px(plot.X(value) - plot.left)}" height="${px(plot.Y(0.4) - plot.Y(-0.4))}" ${look}/>`);
      parts.push(text(plot.X(value + 0.02), plot.Y(i) + 5, percent(value)));
      words.split(", ").forEach((part, j, all) => parts.push(text(plot.left - 9, plot.Y(i) + 5 + (all.length > 1 ? 18 * j - 9 : 0), part + (j < all.length - 1 ? "," : ""), 'text-anchor="end"')));
    });
    return parts.join("");
  }

  explorable.computed((position) => {
    const found = at(position.beta, position.exponent, position.cohort);
    const said = verdict(position, found);
    return { picture: picture(said, [left(position, found), bars(position, found)]), verdict: said };
  });
  return { at, verdict };
})();
