/* Draws each figure.chart from the table of daily numbers on the page: no number is sent twice, and people who cannot
   see the chart read the table. What failed is marked there too; nothing is judged here. Colours come from the
   stylesheet. A click opens the day. */
(() => {
  "use strict";

  const DAY_SECONDS = 86400;
  const LABELS = { errors: "errors", versions: "no version", sampling: "passed" };
  const VALUES = { events: "total", errors: "errors", versions: "versions", sampling: "sampling" };
  const UNREAD = ["unknown", "missing"];
  const COMING = "coming";
  const MOST_DOTS = 120; // Above this many days, only marked days have a point.
  const LOG_RANGE = 100; // Above this ratio of the highest to the lowest count, the axis is logarithmic.
  const SHORT_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const isoDay = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  let drawn = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** A number as the table shows it; null where it is not known, which is drawn as a gap, never as zero. */
  function parsed(text) {
    const value = Number.parseFloat(text.replaceAll(",", "").replace("−", "-"));
    return Number.isNaN(value) ? null : value;
  }

  /** The table's rows; those of coming days only for a chart that shows them. */
  function columnsOf(table, kind) {
    const rows = [...table.tBodies[0].rows].filter((row) => kind === "events" || row.dataset.status !== COMING);
    const columns = {
      x: rows.map((row) => Date.parse(`${row.dataset.day}T00:00:00Z`) / 1000),
      statuses: rows.map((row) => row.dataset.status),
      links: rows.map((row) => row.querySelector("a").href),
      isInIncident: rows.map((row) => "incident" in row.dataset),
      newSettings: rows.map((row) => row.dataset.settings),
      newVersions: rows.map((row) => row.dataset.versions),
    };
    for (const head of table.tHead.querySelectorAll("th[data-name]")) {
      const cells = rows.map((row) => row.cells[head.cellIndex]);
      columns[head.dataset.name] = cells.map((cell) => parsed(cell.textContent));
      if (head.dataset.name === VALUES[kind]) columns.marks = cells.map((cell) => cell.dataset.mark);
    }
    return columns;
  }

  function formatter(kind) {
    const digits = kind === "events" ? 0 : 2;
    const format = new Intl.NumberFormat("en-GB", { maximumFractionDigits: digits, minimumFractionDigits: digits });
    return (value) => (value === null || value === undefined ? "–" : format.format(value) + (kind === "events" ? "" : " %"));
  }

  /** An upright line where a day begins, solid or dashed. */
  function upright({ ctx, bbox }, x, name, dash = []) {
    ctx.beginPath();
    ctx.strokeStyle = colour(name);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }

  /** Shades incidents and days that are not known, and draws a line where something changed, behind the data. */
  function background(columns) {
    return (plot) => {
      const { ctx, bbox } = plot;
      const half = DAY_SECONDS / 2;
      const at = (seconds) => Math.min(Math.max(plot.valToPos(seconds, "x", true), bbox.left), bbox.left + bbox.width);
      ctx.save();
      columns.x.forEach((x, index) => {
        const [left, right] = [at(x - half), at(x + half)];
        for (const [isShown, name] of [
          [columns.isInIncident[index], "--chart-incident"],
          [UNREAD.includes(columns.statuses[index]), "--chart-gap"],
        ]) {
          if (!isShown) continue;
          ctx.fillStyle = colour(name);
          ctx.fillRect(left, bbox.top, right - left, bbox.height);
        }
        if (columns.newSettings[index]) upright(plot, left, "--muted");
        if (columns.newVersions[index]) upright(plot, left, "--chart-line", [4, 4]);
      });
      ctx.restore();
    };
  }

  function cross(ctx, x, y, size) {
    ctx.strokeStyle = colour("--chart-threshold");
    ctx.moveTo(x - size, y - size);
    ctx.lineTo(x + size, y + size);
    ctx.moveTo(x - size, y + size);
    ctx.lineTo(x + size, y - size);
    ctx.stroke();
  }

  /** A cross if the guardrail failed, a ring if the day is unusual and passed, else a dot while there is room. */
  function drawPoint(ctx, mark, x, y) {
    const size = 3.5 * devicePixelRatio;
    ctx.beginPath();
    ctx.lineWidth = 2 * devicePixelRatio;
    if (mark === "failed") {
      cross(ctx, x, y, size);
      return;
    }
    ctx.arc(x, y, size * (mark ? 1 : 0.6), 0, 2 * Math.PI);
    ctx.strokeStyle = colour("--chart-line");
    ctx.fillStyle = colour(mark ? "--surface" : "--chart-line");
    ctx.fill();
    if (mark) ctx.stroke();
  }

  function points(columns) {
    return (plot, series) => {
      const values = plot.data[series];
      plot.ctx.save();
      for (let index = 0; index < values.length; index += 1) {
        const mark = columns.marks[index];
        if (values[index] === null || (!mark && values.length > MOST_DOTS)) continue;
        drawPoint(plot.ctx, mark, plot.valToPos(columns.x[index], "x", true), plot.valToPos(values[index], "y", true));
      }
      plot.ctx.restore();
      return false;
    };
  }

  /** The expected events of the days that came, and of those to come, which begin at the last day that came. */
  function expectedParts({ expected, statuses }) {
    const first = statuses.indexOf(COMING);
    if (first < 0) return [expected, expected.map(() => null)];
    return [
      expected.map((value, index) => (index < first ? value : null)),
      expected.map((value, index) => (index < first - 1 ? null : value)),
    ];
  }

  function seriesOf(kind, columns) {
    const value = (_, number) => formatter(kind)(number);
    const line = { stroke: () => colour("--chart-line"), width: 2, value, points: { show: points(columns) } };
    const faint = (label, dash, width = 1) => ({
      label, value, width, dash, stroke: () => colour("--chart-expected"), points: { show: false },
    });
    const threshold = { ...faint("threshold", [6, 4], 1.5), stroke: () => colour("--chart-threshold") };
    if (kind !== "events") {
      return {
        data: [columns.x, columns[kind], columns[`${kind}_limit`]],
        series: [{ ...line, label: LABELS[kind] }, threshold],
        bands: [],
      };
    }
    const [expected, coming] = expectedParts(columns);
    const isForecast = columns.statuses.includes(COMING);
    return {
      data: [columns.x, columns.total, columns.low, columns.high, expected, ...(isForecast ? [coming] : [])],
      series: [
        { ...line, label: "events" }, faint("normal from", [2, 3], 0.5), faint("to", [2, 3], 0.5),
        faint("expected", [6, 4]), ...(isForecast ? [faint("forecast", [1, 4], 2)] : []),
      ],
      bands: [{ series: [3, 2], fill: () => colour("--chart-band") }],
    };
  }

  /** The least count above zero if counts differ so much that small ones would vanish on a linear axis. */
  function logFloor(kind, columns) {
    const counts = kind === "events" ? columns.total.filter((value) => value > 0) : [];
    const lowest = Math.min(...counts);
    return Math.max(...counts) >= LOG_RANGE * lowest ? lowest : null;
  }

  /** Rates start at zero and always show their threshold; a success rate ends at a hundred. */
  function scaleOf(kind, floor) {
    // An axis by the area hyperbolic sine: logarithmic above the floor, and zero has a place.
    if (floor !== null) return { distr: 4, asinh: floor, range: (_, low, high) => [0, (high ?? 1) * 1.5] };
    return {
      range: (_, low, high) => {
        if (low === null || high === null) return [0, 1];
        if (kind === "sampling") return [Math.min(low - (100 - low) * 0.15, 98), 100.1];
        return [0, high > 0 ? high * 1.08 : 1];
      },
    };
  }

  function axesOf(kind) {
    const unit = kind === "events" ? "" : " %";
    const axis = {
      stroke: () => colour("--muted"),
      grid: { stroke: () => colour("--chart-grid"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    const days = {
      ...axis,
      grid: { show: false },
      size: 28,
      space: 64,
      incrs: [1, 2, 7, 14, 28, 56, 91].map((count) => count * DAY_SECONDS),
      values: (_, ticks) => ticks.map((tick) => SHORT_DAY.format(new Date(tick * 1000))),
    };
    const label = (tick) => (tick === null ? "" : tick.toLocaleString("en-GB") + unit);
    return [days, { ...axis, size: 52, values: (_, ticks) => ticks.map(label) }];
  }

  /** The day under the cursor, with what the background means there. */
  function dayWords(columns) {
    return (_, seconds) => {
      if (seconds === null) return "–";
      const index = columns.x.indexOf(seconds);
      const incident = columns.isInIncident[index] ? ["incident"] : [];
      const changes = [columns.newSettings[index], columns.newVersions[index]].filter(Boolean);
      return [isoDay(seconds), ...incident, ...changes].join(" · ");
    };
  }

  function draw(figure) {
    const kind = figure.dataset.chart;
    const place = figure.querySelector(".plot");
    const table = document.getElementById(figure.dataset.table);
    if (!place || !table || !place.clientWidth) return;
    const columns = columnsOf(table, kind);
    const { data, series, bands } = seriesOf(kind, columns);
    const floor = logFloor(kind, columns);
    figure.toggleAttribute("data-log", floor !== null);
    place.replaceChildren();
    const plot = new uPlot({
      width: place.clientWidth,
      height: place.clientHeight - 32,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      padding: [8, 8, 0, 0],
      cursor: {
        y: false,
        move: (it, left, top) => [left < 0 ? left : it.valToPos(columns.x[it.posToIdx(left)], "x"), top],
        sync: { key: "days" },
        // The cursor jumps to the nearest day, which uPlot takes for dragging, and would swallow the click.
        drag: { x: false, y: false, click: () => {} },
        points: { size: 7 },
      },
      scales: {
        x: { time: true, range: (_, low, high) => [low - DAY_SECONDS / 2, high + DAY_SECONDS / 2] },
        y: scaleOf(kind, floor),
      },
      axes: axesOf(kind),
      series: [{ label: "day", value: dayWords(columns) }, ...series],
      bands,
      hooks: { drawClear: [background(columns)] },
    }, data, place);
    follow(plot, place, columns);
    drawn.push(plot);
  }

  /** What the pointer does, and the legend, which shows the last day that came without a pointer. */
  function follow(plot, place, columns) {
    const came = columns.statuses.filter((status) => status !== COMING).length;
    plot.showLast = () => plot.setLegend({ idx: came - 1 }, false);
    // The cursor is in all charts at once, and leaves all of them.
    plot.over.addEventListener("mouseleave", () => setTimeout(() => drawn.forEach((each) => each.showLast())));
    setTimeout(() => {
      if (!plot.root.isConnected) return;
      plot.showLast();
      const legend = plot.root.querySelector(".u-legend").offsetHeight;
      plot.setSize({ width: place.clientWidth, height: place.clientHeight - legend });
    });
    plot.over.addEventListener("click", () => {
      const index = plot.cursor.idx;
      if (index !== null && index !== undefined) location.assign(columns.links[index]);
    });
  }

  function drawAll() {
    drawn.forEach((plot) => plot.destroy());
    drawn = [];
    document.querySelectorAll("figure.chart").forEach(draw);
  }

  let width = 0;
  let waiting;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 100);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.addEventListener("health:replaced", drawAll);
  width = innerWidth;
  drawAll();
})();
