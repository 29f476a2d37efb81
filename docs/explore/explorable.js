// One panel on a page. Its states lie in files next to the page, which are loaded when they are first needed; a page
// whose answers are a formula computes them instead. Nothing is fetched: a browser refuses that for file:// pages.
"use strict";

const explorable = (() => {
  const about = JSON.parse(document.getElementById("about").textContent);
  const place = (name) => document.getElementById(name);
  const inputs = about.controls.map((control) => [...document.getElementsByName(control.name)]);
  const at = about.controls.map((control) => control.start); // places among the choices, or numbers
  const files = new Map(); // number of a file → its states, undefined while it loads
  let compute = null; // a function from a position to its state, where the page has a formula
  let shown = null; // the state on the page, once it is not the first
  let waiting = false;

  const number = () => about.controls.reduce((sum, control, i) => sum + control.stride * at[i], 0);
  const join = (file, part, i) => file[part][i].map((piece) => file.pieces[piece]).join("");

  function load(file) {
    if (files.has(file) || file < 0 || file >= about.files) return;
    files.set(file, undefined);
    const script = document.createElement("script");
    script.src = `${about.folder}/${file}.js`;
    document.head.append(script);
  }

  function state() {
    if (compute) return compute(position());
    const n = number();
    const file = Math.floor(n / about.each);
    const states = files.get(file);
    if (!states) return load(file);
    const i = n % about.each;
    const [verdict, source] = ["verdict", "source"].map((part) => states[`${part}s`][states[part][i]]);
    return { picture: join(states, "pictures", i), numbers: join(states, "numbers", i), verdict, source, mark: states.marks[i] };
  }

  function show() {
    waiting = false;
    about.controls.forEach(write);
    const found = state();
    if (!found) return;
    place("picture").innerHTML = found.picture;
    for (const part of ["verdict", "source", "numbers"]) {
      if (found[part] !== undefined && place(part).innerHTML !== found[part]) place(part).innerHTML = found[part];
    }
    place("table").hidden = !found.numbers;
    shown = found;
  }

  // Make a control look as it is, and tell a screen reader its value and not its place.
  function write(control, i) {
    const [first] = inputs[i];
    if (control.kind === "buttons") inputs[i].forEach((button, j) => button.setAttribute("aria-pressed", j === at[i]));
    else if (control.kind === "list") first.selectedIndex = at[i];
    else {
      const text = control.labels.length ? control.labels[at[i]] : at[i].toFixed(control.digits).replace("-", "−") + control.unit;
      first.value = at[i];
      first.setAttribute("aria-valuetext", text);
      first.closest(".trustlab-control").querySelector(".trustlab-readout").textContent = text;
    }
  }

  function read(i, target) {
    at[i] = about.controls[i].kind === "list" ? target.selectedIndex : Number(target.value);
    if (waiting) return;
    waiting = true; // several moves within one frame are one picture
    requestAnimationFrame(() => { show(); remember(); });
  }

  // The position is in the address, so that a link leads to it.
  const remember = () => history.replaceState(null, "", `#${about.controls.map((control, i) => `${control.name}=${at[i]}`).join("&")}`);

  function recall() {
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
      const i = about.controls.findIndex((control) => control.name === name);
      const last = i < 0 ? -1 : about.controls[i].high;
      if (i >= 0 && Number(value) >= about.controls[i].low && Number(value) <= last) at[i] = Number(value);
    }
  }

  function position() {
    return Object.fromEntries(about.controls.map((control, i) => [control.name, control.values.length ? control.values[at[i]] : at[i]]));
  }

  inputs.forEach((group, i) => group.forEach((input) => {
    input.addEventListener(about.controls[i].kind === "buttons" ? "click" : "input", () => read(i, input));
  }));
  place("reset").addEventListener("click", () => {
    about.controls.forEach((control, i) => { at[i] = control.start; });
    show();
    remember();
  });
  // The first file is asked for when a hand comes near, so that the first move finds it.
  for (const event of ["pointerenter", "touchstart", "focusin"]) {
    place("controls").addEventListener(event, () => compute || load(Math.floor(number() / about.each)), { passive: true });
  }
  place("controls").disabled = false;
  recall();
  const moved = about.controls.some((control, i) => at[i] !== control.start);
  if (moved) requestAnimationFrame(show);

  return {
    add(file, states) { files.set(file, states); show(); },
    computed(function_) { compute = function_; show(); },
    move(values) { Object.entries(values).forEach(([name, value]) => { at[about.controls.findIndex((c) => c.name === name)] = value; }); show(); },
    position,
    get shown() { return shown; },
    get settled() { return !waiting && (compute !== null || files.get(Math.floor(number() / about.each)) !== undefined); },
  };
})();
