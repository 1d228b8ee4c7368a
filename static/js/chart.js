// Draws the figures that the server put into the page, in the reader's colours; PNG downloads.
(() => {
  const colour = (name, styles) => {
    const [token, opacity] = name.split("/");
    const value = styles.getPropertyValue(token).trim();
    if (!opacity) return value;
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(value.slice(at, at + 2), 16));
    return `rgba(${r},${g},${b},${opacity})`;
  };
  const painted = (part, styles) => {
    if (typeof part === "string") return part.startsWith("--") ? colour(part, styles) : part;
    if (Array.isArray(part)) return part.map((each) => painted(each, styles));
    if (part && typeof part === "object") {
      return Object.fromEntries(Object.entries(part).map(([key, each]) => [key, painted(each, styles)]));
    }
    return part;
  };
  const axis = (given, styles) => ({
    gridcolor: colour("--grid", styles), linecolor: colour("--border", styles),
    tickfont: { color: colour("--muted", styles), size: 12 }, fixedrange: true, ...given,
    title: { ...(given || {}).title, font: { color: colour("--muted", styles), size: 12 } },
  });
  const narrowed = (layout, canvas) => {
    if (canvas.clientWidth >= 560) return layout;
    const ended = (layout.annotations || []).some((each) => each.name === "end");
    const annotations = (layout.annotations || []).filter((each) => each.name !== "end" && each.name !== "mark");
    const margin = { ...layout.margin, l: 44, r: 10 };
    if (!ended) return { ...layout, margin };
    return { ...layout, annotations, margin: { ...margin, b: 70 }, showlegend: true, legend: { orientation: "h", y: -0.16 } };
  };
  const draw = (canvas) => {
    const source = document.getElementById(canvas.dataset.figure);
    if (!source || !window.Plotly) return;
    const styles = getComputedStyle(document.documentElement);
    const figure = painted(JSON.parse(source.textContent), styles);
    const text = colour("--text", styles);
    const layout = {
      ...figure.layout,
      paper_bgcolor: colour("--surface", styles), plot_bgcolor: colour("--surface", styles),
      font: { color: text, family: getComputedStyle(document.body).fontFamily, size: 12 },
      hoverlabel: { bgcolor: colour("--surface-2", styles), bordercolor: colour("--border", styles), font: { color: text } },
      xaxis: axis(figure.layout.xaxis, styles), yaxis: axis(figure.layout.yaxis, styles),
    };
    window.Plotly.react(canvas, figure.data, narrowed(layout, canvas), { displayModeBar: false, responsive: true });
    canvas.dataset.drawn = "";
  };
  const drawAll = (within) => within.querySelectorAll("[data-figure]").forEach(draw);
  document.addEventListener("DOMContentLoaded", () => drawAll(document));
  document.addEventListener("themechange", () => drawAll(document));
  document.addEventListener("htmx:load", (event) => { if (event.detail.elt !== document.body) drawAll(event.detail.elt); });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-png]");
    if (!button) return;
    const canvas = document.getElementById(button.dataset.png);
    window.Plotly.downloadImage(canvas, {
      format: "png", scale: 2, width: Math.max(canvas.clientWidth, 900), height: canvas.clientHeight, filename: button.dataset.name,
    });
  });
})();
