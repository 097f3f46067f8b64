"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const page = JSON.parse($("data").textContent);
  const ROWS = 50, MOST_PRINTED = 500;
  const state = { kept: page.budget, sort: 0, falling: false, words: "", from: 0, rows: [] };
  let columns = [], regions = null, drawings = [];

  // The ranking cut at a number of kept sensors: the map, the marker on the curve, and in words.

  const percent = (ratio) => {
    const value = (100 * (ratio - 1)).toFixed(1);
    return Number(value) > 0 ? `+${value}` : Number(value) ? value : "0.0";
  };

  // [ratio, low, high] between the points of the curve; with all sensors it is 1 by definition.
  function lossAt(kept) {
    const points = page.curve.filter((point) => point[0] < page.regions);
    if (!points.length) return null;
    points.push([page.regions, 1, 1, 1]);
    const above = points.findIndex((point) => point[0] >= kept);
    const right = points[above];
    if (right[0] === kept) return right.slice(1);
    if (above === 0) return null;
    const left = points[above - 1];
    const share = (kept - left[0]) / (right[0] - left[0]);
    return [1, 2, 3].map((i) => left[i] + share * (right[i] - left[i]));
  }

  function say() {
    const off = (100 * (1 - state.kept / page.regions)).toFixed(0);
    const loss = lossAt(state.kept);
    const said = [];
    if (state.kept === page.budget) said.push(`this is the plan, error ${percent(page.ratio)} % by its own forecaster`);
    if (state.kept === page.regions) said.push("the full network");
    else if (!page.curve.length) said.push("there is no curve");
    else if (!loss) said.push("the curve does not reach that far");
    else said.push(`error ${percent(loss[0])} % by the curve (95 % interval ${percent(loss[1])} to ${percent(loss[2])} %)`);
    const words = `${state.kept} of ${page.regions} kept (${off} % off): ${said.join("; ")}.`;
    $("said").textContent = words.replaceAll(" %", "\u00a0%");
  }

  const upTo = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
  const named = (figure, name) => figure.renderers.filter((one) => one.name === name);

  function draw() {
    const [map, curve] = drawings;
    named(map, "kept")[0].view.filter.indices = upTo(0, state.kept);
    named(map, "dropped")[0].view.filter.indices = upTo(state.kept, page.regions);
    if (!curve) return;
    const loss = lossAt(state.kept);
    const at = loss ? { x: [state.kept], y: [100 * (loss[0] - 1)] } : { x: [], y: [] };
    named(curve, "chosen")[0].data_source.data = at;
  }

  let drawn = 0;
  function cut(kept) {
    if (!Number.isFinite(kept)) return;
    state.kept = Math.min(Math.max(Math.round(kept), 1), page.regions);
    $("kept").value = state.kept;
    if (document.activeElement !== $("kept-number")) $("kept-number").value = state.kept;
    say();
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(() => { draw(); fill(); });
  }

  // The table.

  const isDecision = (column) => column.name === "decision";
  function cell(column, row) {
    if (isDecision(column)) return row < state.kept ? "keep" : "drop";
    const value = column.values[row];
    return column.numeric && Number.isNaN(value) ? null : value;
  }
  function shown(column, row) {
    const value = cell(column, row);
    if (value === null) return "";
    if (column.name === "ties") return value.replaceAll(";", "; ");
    return column.numeric ? String(Number(value.toFixed(4))) : value;
  }

  function choose() {
    const words = state.words.toLowerCase();
    const texts = columns.filter((column) => !column.numeric);
    const holds = (row) => texts.some((column) => (cell(column, row) || "").toLowerCase().includes(words));
    const rows = upTo(0, page.regions).filter((row) => !words || holds(row));
    const column = columns[state.sort], sign = state.falling ? -1 : 1;
    const order = new Intl.Collator("en", { numeric: true });
    rows.sort((a, b) => {
      const [first, second] = [cell(column, a), cell(column, b)];
      if (first === null || second === null) return (first === null) - (second === null) || a - b;
      return sign * (column.numeric ? first - second : order.compare(first, second)) || a - b;
    });
    state.rows = rows;
    state.from = 0;
    const of = words ? `${rows.length} of ${page.regions} hold “${state.words}”` : `${page.regions} in all`;
    $("found").textContent = of;
    fill();
  }

  function element(name, text, style) {
    const made = document.createElement(name);
    made.textContent = text;
    if (style) made.className = style;
    return made;
  }

  function fill(count = ROWS) {
    const rows = state.rows.slice(state.from, state.from + count);
    const lines = rows.map((row) => {
      const line = element("tr", "", row < state.kept ? "keep" : "drop");
      for (const column of columns) {
        const said = shown(column, row);
        if (column.name === "sensor") {
          const head = element("th", "");
          head.scope = "row";
          const button = element("button", said);
          button.type = "button";
          button.addEventListener("click", () => point(row));
          head.append(button);
          line.append(head);
        } else {
          line.append(element("td", said, isDecision(column) ? "decision" : column.numeric ? "number" : said.length > 20 ? "wide" : ""));
        }
      }
      return line;
    });
    $("ranking").tBodies[0].replaceChildren(...lines);
    const last = state.from + rows.length;
    $("page").textContent = rows.length ? `rows ${state.from + 1} to ${last} of ${state.rows.length}` : "no rows";
    $("before").disabled = state.from === 0;
    $("after").disabled = last >= state.rows.length;
  }

  function head() {
    const cells = columns.map((column, place) => {
      const made = element("th", "", column.numeric ? "number" : "");
      made.scope = "col";
      const button = element("button", column.name.replaceAll("_", " "));
      button.type = "button";
      button.addEventListener("click", () => {
        state.falling = state.sort === place && !state.falling;
        state.sort = place;
        mark();
        choose();
      });
      made.append(button);
      return made;
    });
    $("ranking").tHead.rows[0].replaceChildren(...cells);
  }
  function mark() {
    [...$("ranking").tHead.rows[0].cells].forEach((one, place) => {
      if (place === state.sort) one.setAttribute("aria-sort", state.falling ? "descending" : "ascending");
      else one.removeAttribute("aria-sort");
    });
  }

  function download() {
    const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const written = (column, row) => {
      const value = cell(column, row);
      if (value === null) return "";
      if (!column.numeric) return quoted(value);
      return column.decimals === null ? String(value) : value.toFixed(column.decimals);
    };
    const lines = [columns.map((column) => quoted(column.name)).join(",")];
    for (const row of state.rows) lines.push(columns.map((column) => written(column, row)).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
    link.download = `${page.name}-ranking-${state.kept}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // The map.

  function reasons() {
    const by = Object.fromEntries(columns.map((column) => [column.name, column]));
    const get = (name, row) => (by[name] ? cell(by[name], row) : null);
    return upTo(0, page.regions).map((row) => {
      const said = [];
      const add = (name, words) => { const value = get(name, row); if (value !== null) said.push(words(value)); };
      add("importance", (value) => `importance ${Number(value.toFixed(4))}`);
      add("removal_penalty", (value) => `without it the error is ${percent(1 + value)} %`);
      add("own_rmse_ratio", (value) => `its own forecast: error ${percent(value)} %`);
      add("keep_frequency", (value) => `kept in ${(100 * value).toFixed(0)} % of resampled histories`);
      add("phase", (value) => `goes in phase ${value}`);
      add("substitute", (value) => {
        const share = get("substitute_r2", row), far = get("substitute_km", row);
        const known = [share === null ? "" : `R² ${share.toFixed(2)}`, far === null ? "" : `${far.toFixed(1)} km`];
        return `substitute: ${value} (${known.filter(Boolean).join(", ")})`;
      });
      add("ties", (value) => `could be replaced by ${value.split(";").slice(0, 3).join(", ")}`);
      return said.join("; ");
    });
  }

  function point(row) {
    const [x, y] = [regions.data.x[row], regions.data.y[row]];
    const ring = named(drawings[0], "chosen")[0];
    if (!ring || Number.isNaN(x)) return;
    ring.data_source.data = { x: [x], y: [y] };
    $("map").scrollIntoView({ block: "center" });
  }

  function zoom(factor) {
    const map = drawings[0];
    if (!factor) { map.reset.emit(); return; }
    for (const range of [map.x_range, map.y_range]) {
      const middle = (range.start + range.end) / 2, half = (factor * (range.end - range.start)) / 2;
      range.have_updated_interactively = true; // else the next change of the data undoes it
      range.setv({ start: middle - half, end: middle + half });
    }
  }

  // The colours of the page's style sheet, for what is drawn.
  function dress() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const glyphs = {
      kept: { fill_color: colour("kept"), line_color: colour("edge") },
      dropped: { fill_color: colour("dropped"), line_color: colour("edge") },
      land: { fill_color: colour("land"), line_color: colour("coast") },
      coast: { line_color: colour("ink") },
      chosen: { line_color: colour("chosen") },
      line: { line_color: colour("accent"), fill_color: colour("accent") },
      band: { fill_color: colour("accent") },
      plan: { fill_color: colour("yellow"), line_color: colour("ink") },
      random: { fill_color: colour("soft"), line_color: colour("soft") },
    };
    for (const figure of drawings) {
      figure.setv({ background_fill_color: colour("sea"), border_fill_color: colour("paper"), border_line_color: colour("paper"), outline_line_color: colour("line") });
      for (const axis of [...figure.below, ...figure.left]) {
        axis.setv({
          axis_label_text_color: colour("soft"), major_label_text_color: colour("soft"), axis_line_color: colour("line"),
          major_tick_line_color: colour("line"), minor_tick_line_color: null, axis_label_text_font_style: "normal",
        });
      }
      for (const grid of figure.center) grid.setv({ grid_line_color: colour("line"), grid_line_alpha: 0.5 });
      for (const one of figure.renderers) {
        const wanted = { ...glyphs[one.name] };
        if (one.glyph.type === "Scatter" && one.name === "kept") wanted.line_color = colour("ink");
        if (one.glyph.type === "Scatter" && one.name === "dropped") wanted.line_color = colour("rim");
        if (["Line", "Segment"].includes(one.glyph.type)) delete wanted.fill_color;
        one.glyph.setv(wanted);
      }
    }
  }

  async function start() {
    for (const item of [page.map, page.curve_figure]) {
      if (!item) continue;
      const views = await Bokeh.embed.embed_item(item);
      drawings.push(views.roots[0].model);
    }
    regions = named(drawings[0], "kept")[0].data_source;
    columns = page.columns.map((column) => ({ ...column, values: regions.data[column.key] }));
    regions.data.why = reasons();
    dress();
    head();
    mark();
    choose();
    cut(page.budget);

    $("kept").addEventListener("input", (event) => cut(event.target.valueAsNumber));
    $("kept-number").addEventListener("input", (event) => cut(event.target.valueAsNumber));
    $("kept-number").addEventListener("change", (event) => { event.target.value = state.kept; });
    $("back").addEventListener("click", () => cut(page.budget));
    $("search").addEventListener("input", (event) => { state.words = event.target.value.trim(); choose(); });
    $("download").addEventListener("click", download);
    $("before").addEventListener("click", () => { state.from -= ROWS; fill(); });
    $("after").addEventListener("click", () => { state.from += ROWS; fill(); });
    for (const button of document.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => zoom(Number(button.dataset.zoom)));
    }
    let width = $("map").clientWidth;
    new ResizeObserver(() => { // a map that was zoomed would be stretched
      if ($("map").clientWidth === width) return;
      width = $("map").clientWidth;
      zoom(0);
    }).observe($("map"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
    addEventListener("beforeprint", () => fill(MOST_PRINTED));
    addEventListener("afterprint", () => fill());
    requestAnimationFrame(() => setTimeout(() => { // drawn
      performance.mark("ready");
      document.documentElement.dataset.ready = "yes";
    }));
  }
  start();
})();
