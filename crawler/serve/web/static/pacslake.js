"use strict";
// Charts out of data attributes, and arrow keys in the calendar. Everything works without this file, but less well.

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const legend = () => ({ type: "scroll", bottom: 0, textStyle: { color: color("--ink") } });
const amounts = () => ({ type: "value", axisLabel: { color: color("--dim") }, splitLine: { lineStyle: { color: color("--line") } } });
const names = (found) => ({ type: "category", data: found, axisLabel: { color: color("--dim") } });

const CHARTS = {
  months: (found) => ({
    xAxis: names(found.months),
    yAxis: amounts(),
    legend: legend(),
    dataZoom: [{ type: "inside" }],
    series: found.series.map((one) => ({ name: one.name, type: "bar", stack: "all", data: one.values })),
  }),
  sweeps: (found) => ({
    xAxis: names(found.map((one) => `${one.started.slice(0, 16).replace("T", " ")} ${one.pacs}`)),
    yAxis: { ...amounts(), name: "minutes", nameTextStyle: { color: color("--dim") } },
    series: [{
      type: "bar",
      data: found.map((one) => ({
        value: one.minutes,
        itemStyle: { color: one.state === "complete" ? "#2f8f4e" : "#b3261e" },
      })),
    }],
  }),
  answer: (found) => ({
    xAxis: names(found.labels),
    yAxis: amounts(),
    legend: legend(),
    series: found.series.map((one) => ({ name: one.name, type: "bar", data: one.values })),
  }),
};

function draw(element, values) {
  const chart = echarts.init(element, null, { renderer: "canvas" });
  chart.setOption({
    animation: false,
    textStyle: { color: color("--ink") },
    tooltip: { trigger: "axis", renderMode: "richText" },  // HTML would want styles that our policy forbids
    grid: { left: 10, right: 20, top: 30, bottom: 35, containLabel: true },
    ...CHARTS[element.dataset.chart](values),
  });
  new ResizeObserver(() => chart.resize()).observe(element);
  return chart;
}

function drawAll(root) {
  for (const element of root.querySelectorAll("[data-chart][data-values]")) {
    if (window.echarts && !echarts.getInstanceByDom(element)) draw(element, JSON.parse(element.dataset.values));
  }
}

// One stop of the Tab key for the whole calendar: arrow keys go from day to day.
function rove(table) {
  const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].slice(1).map((cell) => cell.querySelector("a")));
  const days = rows.flat().filter(Boolean);
  days.forEach((day) => { day.tabIndex = -1; });
  const last = days.at(-1);
  if (last) last.tabIndex = 0;
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  table.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || !days.includes(event.target)) return;
    event.preventDefault();
    let row = rows.findIndex((cells) => cells.includes(event.target));
    let column = rows[row].indexOf(event.target);
    for (;;) {
      row += step[0];
      column += step[1];
      if (column < 0) { row -= 1; column = 30; }
      if (column > 30) { row += 1; column = 0; }
      if (row < 0 || row >= rows.length) return;
      if (rows[row][column]) break;
    }
    event.target.tabIndex = -1;
    rows[row][column].tabIndex = 0;
    rows[row][column].focus();
  });
}

drawAll(document);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const element of document.querySelectorAll("[data-chart]")) echarts.getInstanceByDom(element)?.dispose();
  drawAll(document);
});
document.querySelectorAll("[data-grid]").forEach(rove);
document.addEventListener("htmx:afterSwap", (event) => drawAll(event.target));

// Questions are remembered for as long as the tab is open: they may name patients, so that no disk should keep them.
function remember(form) {
  const text = form.elements.sql;
  const earlier = form.querySelector("[data-earlier]");
  const known = () => JSON.parse(sessionStorage.getItem("sql") || "[]");
  const show = () => {
    earlier.length = 1;
    for (const one of known()) earlier.add(new Option(one.length > 60 ? `${one.slice(0, 59)}…` : one, one));
  };
  form.addEventListener("htmx:beforeRequest", () => {
    const asked = [text.value, ...known().filter((one) => one !== text.value)].slice(0, 50);
    sessionStorage.setItem("sql", JSON.stringify(asked));
    show();
  });
  earlier.addEventListener("change", () => {
    if (earlier.value) text.value = earlier.value;
    earlier.selectedIndex = 0;
    text.focus();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  // A download is the browser's business: htmx must not take it for a part of the page.
  form.querySelector("[data-plain]").addEventListener("click", (event) => {
    event.preventDefault();
    if (!form.reportValidity()) return;
    const copy = document.createElement("form");
    copy.method = "post";
    copy.action = event.target.getAttribute("formaction");
    for (const [name, value] of new FormData(form)) {
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = name;
      field.value = value;
      copy.append(field);
    }
    document.body.append(copy);
    copy.submit();
    copy.remove();
  });
  show();
}

document.querySelectorAll("[data-history]").forEach(remember);
