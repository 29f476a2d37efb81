// What pages share that compute their states: numbers written as Python writes them, and the parts of a picture.
"use strict";

const computing = (() => {
  const given = JSON.parse(document.getElementById("given").textContent);
  const FONT = 14.58; // CSS pixels, 10.5 points
  const GREY = 'stroke="currentColor" stroke-opacity="0.79"';

  // f"{x:.2f}": toFixed rounds an exact half up, Python to the even digit. 20 digits tell a half from its neighbours.
  function fixed(x, digits) {
    const text = x.toFixed(digits);
    const exact = Math.abs(x).toFixed(Math.min(100, digits + 20));
    const half = /^50*$/.test(exact.slice(exact.length - 20));
    return half && Number(text.at(-1)) % 2 ? (x - Math.sign(x) * 0.4 * 10 ** -digits).toFixed(digits) : text;
  }
  const percent = (share, digits = 0) => `${fixed(100 * share, digits)}\u00a0%`.replace("-", "−");
  const general = (x) => String(Number(x.toPrecision(6))); // f"{x:g}" of everyday numbers

  const px = (x) => String(Math.round(100 * x) / 100);
  const text = (x, y, words, look = "") => `<text x="${px(x)}" y="${px(y)}" font-size="${FONT}" fill="currentColor" ${look}>${words}</text>`;
  const path = (d, look) => `<path d="${d}" ${look}/>`;
  const line = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${px(x)} ${px(y)}`).join("");

  // Axes at [left, top, width, height] in the picture, for x and y from low to high.
  function axes([left, top, width, height], [x0, x1], [y0, y1]) {
    const X = (x) => left + ((x - x0) / (x1 - x0)) * width;
    const Y = (y) => top + height - ((y - y0) / (y1 - y0)) * height;
    const at = (points) => points.map(([x, y]) => [X(x), Y(y)]);
    const clip = (inside) => `<svg x="${left}" y="${top}" width="${width}" height="${height}" viewBox="${left} ${top} ${width} ${height}">${inside}</svg>`;
    function frame({ xticks = [], yticks = [], xlabel = "", ylabel = "", title = "", grid = "y" }) {
      const bottom = top + height;
      const parts = [];
      const grids = [...(grid.includes("x") ? xticks.map(([x]) => `M${px(X(x))} ${top}V${bottom}`) : []), ...(grid.includes("y") ? yticks.map(([y]) => `M${left} ${px(Y(y))}H${left + width}`) : [])];
      parts.push(path(grids.join(""), 'stroke="currentColor" stroke-opacity="0.17" stroke-width="1.1"'));
      const ticks = [...xticks.map(([x]) => `M${px(X(x))} ${bottom}v4`), ...yticks.map(([y]) => `M${left} ${px(Y(y))}h-4`)];
      parts.push(path(`${ticks.join("")}M${left} ${top}V${bottom}H${left + width}`, `fill="none" ${GREY} stroke-width="1.1"`));
      parts.push(...xticks.map(([x, words]) => text(X(x), bottom + 19, words, 'text-anchor="middle"')));
      parts.push(...yticks.map(([y, words]) => text(left - 9, Y(y) + 5, words, 'text-anchor="end"')));
      if (title) parts.push(`<text x="${left}" y="${top - 10}" font-size="16" fill="currentColor">${title}</text>`);
      if (xlabel) parts.push(text(left + width / 2, bottom + 42, xlabel, 'text-anchor="middle"'));
      if (ylabel) parts.push(text(left - 48, top + height / 2, ylabel, `text-anchor="middle" transform="rotate(-90 ${left - 48} ${top + height / 2})"`));
      return parts.join("");
    }
    return { X, Y, at, clip, frame, left, top, width, height };
  }

  // The panes of a picture: next to each other where there is room, below each other on a narrow page.
  const safe = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
  function picture(alt, panes) {
    const [width, height] = given.size;
    const ends = [0, ...given.cuts, width];
    const parts = panes.map((inside, i) => {
      const wide = ends[i + 1] - ends[i];
      const item = `flex:${wide} 1 ${(given.narrow * wide) / width}px;max-width:${wide / 14}em;min-width:0`;
      return `<div style="${item}"><svg viewBox="${ends[i]} 0 ${wide} ${height}" style="display:block;width:100%;height:auto;overflow:visible" aria-hidden="true">${inside}</svg></div>`;
    });
    const row = `<div style="display:flex;flex-wrap:wrap;row-gap:.8em">${parts.join("")}</div>`;
    return `<div class="trustlab-drawing" role="img" aria-label="${safe(alt)}" style="font-family:${safe(given.fonts)}">${row}</div>`;
  }

  return { given, fixed, percent, general, text, path, line, axes, picture, px };
})();
