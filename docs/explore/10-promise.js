// What ε promises, as promise.py computes it: how often a bet that you took part can be right.
"use strict";

const promise = (() => {
  const { given, fixed, percent, general, axes, path, line, picture, text, px } = computing;

  // (e^ε + δ) / (1 + e^ε), without overflow.
  const rate = (epsilon) => (1 + given.delta * Math.exp(-epsilon)) / (1 + Math.exp(-epsilon));

  // More digits close to 100, so that a bound below 100 stays below it.
  function written(share) {
    const missing = 100 * (1 - share);
    return percent(share, missing > 10 ? 0 : Math.max(1, Math.ceil(-Math.log10(missing))));
  }

  const verdict = ({ epsilon }) =>
    `<strong>At ε = ${general(epsilon)}</strong>, an attacker who bets that your sentence was in the training data is right at most ` +
    `${written(rate(epsilon))} of the time, whatever else they know (a coin: ${percent(0.5)}).`;

  const [low, high] = [0.45, 1.02];
  const room = 0.03 * given.most;
  const plot = axes(given.axes[0], [-room, given.most + room], [low, high]);
  const curve = Array.from({ length: 101 }, (_, i) => (given.most * i) / 100).map((epsilon) => [epsilon, rate(epsilon)]);
  const still = plot.frame({
    xticks: [0, 2, 4, 6, 8, 10].map((x) => [x, String(x)]),
    yticks: [0.5, 0.6, 0.7, 0.8, 0.9, 1].map((y) => [y, fixed(y, 1)]),
    xlabel: "ε", ylabel: "share of right bets", title: "How often a bet can be right",
  }) + path(line(plot.at([[-room, 0.5], [given.most + room, 0.5]])), 'stroke="currentColor" stroke-opacity="0.79" stroke-width="1.7" stroke-dasharray="6 3"') +
    text(plot.left + plot.width, plot.Y(0.5) - 6, "a coin", 'text-anchor="end"') +
    path(line(plot.at(curve)), `fill="none" stroke="${given.colours[0]}" stroke-width="3.4"`);

  const [left, top, width, height] = given.axes[1];
  const step = Math.min(width, height) / 10;
  const bets = Array.from({ length: 100 }, (_, i) => [left + step * (0.5 + (i % 10)), top + step * (0.5 + Math.floor(i / 10))]);
  const title = `<text x="${left}" y="${top - 10}" font-size="16" fill="currentColor">A hundred bets: right ones filled</text>`;

  function draw(epsilon) {
    const right = Math.round(100 * rate(epsilon));
    const [x, y] = [plot.X(epsilon), plot.Y(rate(epsilon))];
    const dots = bets.map(([x, y], i) => i < right
      ? `<circle cx="${px(x)}" cy="${px(y)}" r="9" fill="${given.colours[1]}"/>`
      : `<circle cx="${px(x)}" cy="${px(y)}" r="9" fill="none" stroke="currentColor" stroke-opacity="0.5" stroke-width="1.7"/>`);
    return [still + path(`M${px(x)} ${plot.top}V${plot.top + plot.height}`, 'stroke="currentColor" stroke-opacity="0.79" stroke-width="1.4" stroke-dasharray="3 4"') +
      `<circle cx="${px(x)}" cy="${px(y)}" r="10.4" fill="none" stroke="currentColor" stroke-width="2.5"/>`, title + dots.join("")];
  }

  explorable.computed(({ epsilon }) => {
    const said = verdict({ epsilon });
    return { picture: picture(said.replace(/<[^>]+>/g, ""), draw(epsilon)), verdict: said };
  });
  return { rate, written, verdict };
})();
