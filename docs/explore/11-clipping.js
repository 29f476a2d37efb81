// The toy of notebook 11, as toy.py computes it: clip gradients, add noise, and ask whether Anna took part.
"use strict";

const clipping = (() => {
  const { given, fixed, percent, axes, path, line, picture, text, px } = computing;
  const [blue, orange] = given.colours;

  // Φ(x): the series of erf in the middle, a continued fraction in the tails; both to 1e-13.
  function normal(x) {
    const z = Math.abs(x);
    if (z > 3) {
      let tail = z;
      for (let k = 60; k > 0; k--) tail = z + k / tail;
      const upper = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI) / tail;
      return x > 0 ? 1 - upper : upper;
    }
    let sum = z, term = z;
    for (let k = 1; k < 60; k++) sum += term *= (z * z) / (2 * k + 1);
    const half = (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
    return x > 0 ? 0.5 + half : 0.5 - half;
  }

  const guess = (shift, std) => (std === 0 ? (shift > 0 ? 1 : 0.5) : normal(shift / (2 * std)));
  const clip = ([x, y], most) => { const f = most / Math.max(Math.hypot(x, y), most); return [f * x, f * y]; };

  function answer({ clip_norm, noise_multiplier, length }) {
    const shift = Math.min(length, clip_norm);
    const std = noise_multiplier * clip_norm;
    const whole = [...given.others, [length * given.direction[0], length * given.direction[1]]];
    const clipped = whole.map((gradient) => clip(gradient, clip_norm));
    const sum = (vectors) => vectors.reduce(([a, b], [x, y]) => [a + x, b + y], [0, 0]);
    const around = ([x, y], draws) => draws.map(([a, b]) => [x + std * a, y + std * b]);
    const clouds = [around(sum(clipped.slice(0, -1)), given.draws[0]), around(sum(clipped), given.draws[1])];
    return { shift, std, right: guess(shift, std), worst: guess(clip_norm, std), whole, clipped, clouds };
  }

  function verdict({ clip_norm, length }, { shift, std, right }) {
    const cut = length > clip_norm ? `clipped to ${fixed(shift, 2)}` : "short enough not to be clipped";
    return `Anna's gradient has length ${fixed(length, 2)}, ${cut}; the noise has standard deviation ${fixed(std, 2)}. ` +
      `From one noisy sum, the best guess of whether she took part is right ${percent(right)} of the time (coin: ${percent(0.5)}).`;
  }

  // An arrow from the middle to (x, y): a shaft and a head that shrinks with a short arrow.
  function arrow([x0, y0], [x1, y1], width) {
    const length = Math.hypot(x1 - x0, y1 - y0);
    const [ux, uy] = length ? [(x1 - x0) / length, (y1 - y0) / length] : [1, 0];
    const scale = Math.min(1, length / (5 * width));
    const at = (along, across) => [x0 + along * ux - across * uy, y0 + along * uy + across * ux];
    const [shaft, head, neck] = [0.5 * width * scale, 1.5 * width * scale, length - 4.5 * width * scale];
    const tip = length - 5 * width * scale;
    return line([at(0, shaft), at(neck, shaft), at(tip, head), at(length, 0), at(tip, -head), at(neck, -shaft), at(0, -shaft)]) + "Z";
  }

  const left = axes(given.axes[0], [-3.4, 3.4], [-3.4, 3.4]);
  const right = axes(given.axes[1], [-5.4, 5.4], [-5.4, 5.4]);
  const ticks = (most) => Array.from({ length: most + 1 }, (_, i) => 2 * i - most).map((x) => [x, String(x).replace("-", "−")]);
  const [before, after] = [left.frame({ xticks: ticks(2), yticks: ticks(2), title: "One gradient per example", grid: "xy" }),
    right.frame({ xticks: ticks(4), yticks: ticks(4), title: "What is released: the noisy sum", grid: "xy" })];
  const colour = (i) => (i === given.others.length ? orange : blue);

  function draw({ clip_norm }, { whole, clipped, clouds }) {
    const middle = [left.X(0), left.Y(0)];
    const arrows = (vectors, width, look) => left.at(vectors).map((end, i) => path(arrow(middle, end, width * left.width), `fill="${colour(i)}" ${look}`)).join("");
    const radius = left.X(clip_norm) - left.X(0);
    const circle = `<circle cx="${px(middle[0])}" cy="${px(middle[1])}" r="${px(radius)}" fill="none" stroke="currentColor" stroke-opacity="0.79" stroke-width="1.9" stroke-dasharray="7 3"/>`;
    const dots = right.at(clouds[0]).map(([x, y]) => `<circle cx="${px(x)}" cy="${px(y)}" r="2.7"/>`).join("");
    const peaks = right.at(clouds[1]).map(([x, y]) => `M${px(x)} ${px(y - 2.7)}l2.7 5.4h-5.4Z`);
    const key = ["orange: Anna", "pale: as computed", "strong: clipped to C"].map((words, i) => text(left.left + 6, left.top + 20 + 18 * i, words)).join("");
    const legend = [`<circle cx="${right.left + 14}" cy="${right.top + 15}" r="4.2" fill="${blue}"/>`, text(right.left + 26, right.top + 20, "without Anna"),
      path(`M${right.left + 14} ${right.top + 29}l4.2 8.4h-8.4Z`, `fill="${orange}"`), text(right.left + 26, right.top + 38, "with Anna")].join("");
    return [before + left.clip(arrows(whole, 0.006, 'fill-opacity="0.3"') + arrows(clipped, 0.009, "") + circle) + key,
      after + right.clip(`<g fill="${blue}" fill-opacity="0.55">${dots}</g><g fill="${orange}" fill-opacity="0.55">${peaks.map((d) => path(d, "")).join("")}</g>`) + legend];
  }

  explorable.computed((position) => {
    const found = answer(position);
    const said = verdict(position, found);
    return { picture: picture(said, draw(position, found)), verdict: said };
  });
  return { answer, verdict, normal };
})();
