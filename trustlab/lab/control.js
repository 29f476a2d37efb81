// The controls of a panel, as native inputs: keyboards, touch and screen readers find what they know.
//
// Python (lab/inputs.py) keeps the state in traits; here it is shown, and what a hand does is sent. While the kernel
// still works on one position, ipywidgets keeps the next one back and lets a newer one take its place: a drag sends
// the newest position after the last picture came back, and never a queue of old ones.

function made(tag, properties = {}, ...children) {
  const { label, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  if (label) element.setAttribute("aria-label", label);
  element.append(...children);
  return element;
}

function send(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

function named(model, input) {
  const name = made("span", { className: "trustlab-name" }, model.get("description"));
  return made("label", { className: "trustlab-label" }, name, input);
}

// A slider over labels ("8 (weak)") or over a range of numbers; its value is read out as text, not as a position.
function slider(model, el) {
  const labels = model.get("labels");
  const name = labels ? "index" : "value";
  const range = labels ? { min: 0, max: labels.length - 1, step: 1 } : {
    min: model.get("min"), max: model.get("max"), step: model.get("step"),
  };
  const text = (value) => labels ? labels[value] : written(value, model.get("decimals"), model.get("unit"));
  const input = made("input", { type: "range", title: model.get("tooltip"), ...range });
  const readout = made("span", { className: "trustlab-readout", ariaHidden: "true" });
  const widest = Math.max(...(labels ?? [text(range.min), text(range.max)]).map((each) => each.length));
  readout.style.minWidth = `${widest}ch`;
  input.addEventListener("input", () => send(model, name, Number(input.value)));
  el.append(named(model, input), readout);
  return () => {
    input.value = model.get(name);
    input.disabled = model.get("disabled");
    readout.textContent = text(model.get(name));
    input.setAttribute("aria-valuetext", readout.textContent);
  };
}

function written(value, decimals, unit) {
  return `${value.toFixed(decimals).replace("-", "−")}${unit ? ` ${unit}` : ""}`;
}

// Names that fit a row: a labelled group of buttons, of which one is pressed.
function buttons(model, el) {
  const all = model.get("labels").map((label, i) => {
    const button = made("button", { type: "button", className: "trustlab-choice" }, label);
    button.addEventListener("click", () => send(model, "index", i));
    return button;
  });
  const name = made("span", { className: "trustlab-name" }, model.get("description"));
  const group = made("div", { className: "trustlab-choices", role: "group", label: model.get("description") }, ...all);
  el.append(name, group);
  return () => all.forEach((button, i) => {
    button.setAttribute("aria-pressed", String(i === model.get("index")));
    button.disabled = model.get("disabled");
  });
}

// An answer to a question; none is chosen at first. A press of Commit is never kept back, so the choice before it must
// not be either: it goes as a message of its own, or a busy kernel hears Commit first and takes an older choice.
function radios(model, el) {
  const name = `trustlab-${Math.random()}`;
  const all = model.get("labels").map((label, i) => {
    const input = made("input", { type: "radio", name });
    input.addEventListener("change", () => {
      model.set("index", i);
      model.send({ index: i });
    });
    return { input, label: made("label", { className: "trustlab-label" }, input, label) };
  });
  const group = made("div", { className: "trustlab-answers", role: "radiogroup", label: model.get("description") });
  group.append(...all.map((each) => each.label));
  el.append(group);
  return () => all.forEach(({ input }, i) => {
    input.checked = i === model.get("index");
    input.disabled = model.get("disabled");
  });
}

// More names, or longer ones.
function list(model, el) {
  const options = model.get("labels").map((label, value) => made("option", { value }, label));
  const select = made("select", { title: model.get("tooltip") }, ...options);
  select.addEventListener("change", () => send(model, "index", select.selectedIndex));
  el.append(named(model, select));
  return () => {
    select.selectedIndex = model.get("index");
    select.disabled = model.get("disabled");
  };
}

// A few words of the reader's own.
function text(model, el) {
  const input = made("input", { type: "text", placeholder: model.get("placeholder"), maxLength: model.get("most") });
  input.addEventListener("input", () => send(model, "value", input.value));
  el.append(named(model, input));
  return () => {
    if (input.value !== model.get("value")) input.value = model.get("value"); // setting it would move the cursor
    input.disabled = model.get("disabled");
  };
}

// What leaves the panel: a call that makes this position again, and the numbers behind the picture.
function exports_(model, el) {
  const copy = made("button", { type: "button", className: "trustlab-quiet", title: model.get("tooltip") });
  const csv = made("button", { type: "button", className: "trustlab-quiet", title: "Save all digits as a file." }, "CSV");
  const said = made("span", { className: "trustlab-said", role: "status" });
  copy.textContent = "Copy as code";
  copy.addEventListener("click", async () => {
    await copied(model.get("code"));
    said.textContent = "Copied.";
    setTimeout(() => (said.textContent = ""), 2500);
  });
  let asked = false; // a panel may be shown twice, and one of them was pressed
  csv.addEventListener("click", () => {
    asked = true;
    model.send("csv");
  });
  model.on("msg:custom", ({ name, text }) => {
    if (asked) saved(name, text);
    asked = false;
  });
  el.append(csv, copy, said);
  return () => (copy.hidden = !model.get("code"));
}

async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = made("textarea", { value: text }); // a server that is reached without https gives no clipboard
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function saved(name, text) {
  const href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  made("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

// After a restart nobody answers. panel.css greys the panel and says so; here its parts leave the keyboard's way.
function follow_the_kernel(el) {
  const panel = el.closest(".trustlab-panel");
  const dead = panel?.classList.contains("jupyter-widgets-disconnected");
  for (const part of panel?.children ?? []) part.inert = dead;
}

// JupyterLab takes arrow keys, letters and Enter for its cells, also from a slider. Within a panel they are the panel's;
// what is pressed with Ctrl, and Shift + Enter, stay JupyterLab's. Asked once for all panels of the page.
function keep_keys() {
  if (window.trustlabKeepsKeys) return;
  window.trustlabKeepsKeys = true;
  window.addEventListener("keydown", (event) => {
    const labs = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
    const inside = event.target.closest?.(".trustlab-panel");
    if (inside) event.target.toggleAttribute("data-lm-suppress-shortcuts", !labs);
  }, true);
}

const KINDS = { slider, buttons, radios, list, text, exports: exports_ };

function render({ model, el }) {
  el.classList.add("trustlab-control");
  keep_keys();
  const show = KINDS[model.get("kind")](model, el);
  for (const name of ["index", "value", "disabled", "code"]) model.on(`change:${name}`, show);
  const soon = () => requestAnimationFrame(() => follow_the_kernel(el)); // once all of the panel is there, or has heard
  model.on("comm_live_update", soon);
  soon(); // a saved page may be opened without a kernel
  show();
}

export default { render };
