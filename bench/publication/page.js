// Tables sort and filter (DataTables), charts are drawn (Vega) in the colours of the page's light or dark.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const tables = read("tables");
const style = document.createElement("style");
style.textContent = tables.style;
document.head.prepend(style);
const { default: DataTable } = await import(URL.createObjectURL(new Blob([tables.code], { type: "text/javascript" })));
for (const table of document.querySelectorAll("table.sorted")) {
  new DataTable(table, {
    paging: false, info: false, order: [], autoWidth: false, layout: { topStart: "search", topEnd: null },
    language: { search: "Filter: " },
  });
}
const charts = read("charts");
const draw = () => {
  document.documentElement.classList.toggle("dark", dark.matches);
  const ink = getComputedStyle(document.body).color;
  const line = getComputedStyle(document.documentElement).getPropertyValue("--line");
  for (const place of document.querySelectorAll("[data-chart]")) {
    const config = {
      background: "transparent", font: "system-ui, sans-serif", view: { stroke: null },
      axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line },
      axisY: { labelLimit: place.clientWidth < 500 ? 130 : 220 },
      legend: { labelColor: ink, titleColor: ink, orient: "bottom", columns: Math.max(1, Math.floor(place.clientWidth / 190)), labelLimit: 300 },
    };
    const spec = { ...charts[place.dataset.chart], width: "container", height: 320 };
    vegaEmbed(place, spec, { config, renderer: "svg", ast: false, actions: { export: true, source: false, compiled: false, editor: false } });
  }
};
draw();
dark.addEventListener("change", draw);
document.body.dataset.ready = "yes";
