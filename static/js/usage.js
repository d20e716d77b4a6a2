// The hover of charts: a tip with the numbers of one column, read from the table behind the chart.
// By pointer, by touch, and by the arrow keys once the drawing has the focus.

const COLUMN = 10; // as bananarouter/pages/charts.py draws

function attach(figure) {
  const table = document.getElementById(figure.dataset.chart);
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const rows = [...table.tBodies[0].rows];
  const drawing = figure.querySelector(".drawing");
  const bars = figure.querySelector(".bars");
  const marker = figure.querySelector(".marker");
  const tip = figure.querySelector(".tip");
  const colors = [...figure.querySelectorAll(".bars path")].map((path) => path.classList[0]);
  let shown = -1;

  function line(name, amount, color) {
    const item = document.createElement("p");
    if (color) {
      const swatch = figure.querySelector(`.legend .${color}`)?.closest("svg").cloneNode(true);
      if (swatch) item.append(swatch);
    }
    const label = document.createElement("span");
    label.textContent = name;
    const value = document.createElement("strong");
    value.textContent = amount;
    item.append(label, value);
    return item;
  }

  function say(column) {
    const [time, ...cells] = [...rows[column].cells].map((cell) => cell.textContent);
    const title = document.createElement("p");
    title.textContent = time;
    const used = cells.map((amount, place) => [names[place], amount, colors[place]]);
    const total = used.pop();
    const lines = used.filter(([, amount]) => /[1-9]/.test(amount)).reverse();
    tip.replaceChildren(title, ...lines.map((one) => line(...one)), line(...total));
    return [time, ...total.slice(0, 2), ...lines.flatMap((one) => one.slice(0, 2))].join(" ");
  }

  function show(column) {
    if (column === shown) return;
    shown = column;
    drawing.setAttribute("aria-valuetext", say(column));
    drawing.setAttribute("aria-valuenow", column);
    marker.setAttribute("x", column * COLUMN);
    tip.hidden = false;
    const middle = ((column + 0.5) / rows.length) * drawing.clientWidth;
    const left = middle > drawing.clientWidth / 2 ? middle - tip.offsetWidth - 12 : middle + 12;
    tip.style.left = `${Math.max(0, Math.min(left, drawing.clientWidth - tip.offsetWidth))}px`;
  }

  function hide() {
    shown = -1;
    tip.hidden = true;
    marker.setAttribute("x", -COLUMN);
  }

  const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
  const within = (column) => Math.max(0, Math.min(rows.length - 1, column));

  for (const [name, value] of Object.entries({
    tabindex: 0,
    role: "slider",
    "aria-label": bars.getAttribute("aria-label"),
    "aria-valuemin": 0,
    "aria-valuemax": rows.length - 1,
    "aria-valuenow": rows.length - 1,
  })) {
    drawing.setAttribute(name, value);
  }
  bars.setAttribute("aria-hidden", "true");
  bars.removeAttribute("role");
  drawing.addEventListener("pointermove", (event) => {
    const box = bars.getBoundingClientRect();
    show(within(Math.floor(((event.clientX - box.left) / box.width) * rows.length)));
  });
  drawing.addEventListener("pointerleave", hide);
  drawing.addEventListener("focus", () => show(shown < 0 ? rows.length - 1 : shown));
  drawing.addEventListener("blur", hide);
  drawing.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (!(event.key in moves)) return;
    event.preventDefault();
    show(within((shown < 0 ? rows.length : shown) + moves[event.key]));
  });
}

for (const figure of document.querySelectorAll("[data-chart]")) attach(figure);

// A choice that is the whole form is sent at once; its button is for readers without JavaScript.
for (const select of document.querySelectorAll("select[data-sends]")) {
  select.form.querySelector("button").hidden = true;
  select.addEventListener("change", () => select.form.requestSubmit());
}
