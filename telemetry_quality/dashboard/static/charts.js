/* Draws each figure.chart from the table of daily numbers on the page: no number is sent twice, and people who cannot
   see the chart read the table. Colours come from the stylesheet. */
(() => {
  "use strict";

  const DAY_SECONDS = 86400;
  const EMPHASISED_DAYS = 7;
  const LABELS = { errors: "errors", versions: "no version", sampling: "passed" };
  const SHORT_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const isoDay = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  const UNREAD = ["unknown", "missing"];
  let drawn = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** The table's columns as numbers; null where a value is not known, which is drawn as a gap, never as zero. */
  function columnsOf(table) {
    const rows = [...table.tBodies[0].rows];
    const days = rows.map((row) => row.dataset.day);
    const columns = { days, statuses: rows.map((row) => row.dataset.status), links: rows.map((row) => row.dataset.link) };
    columns.x = days.map((day) => Date.parse(`${day}T00:00:00Z`) / 1000);
    for (const cell of table.tHead.querySelectorAll("th[data-name]")) {
      columns[cell.dataset.name] = rows.map((row) => {
        const value = row.cells[cell.cellIndex].dataset.value;
        return value === undefined || value === "" ? null : Number(value);
      });
    }
    return columns;
  }

  function formatter(kind) {
    const digits = kind === "events" ? 0 : 2;
    const format = new Intl.NumberFormat("en-GB", { maximumFractionDigits: digits, minimumFractionDigits: digits });
    return (value) => (value === null || value === undefined ? "–" : format.format(value) + (kind === "events" ? "" : " %"));
  }

  /** Shades the last week and the days that are not known, behind the lines. */
  function background(columns) {
    return (plot) => {
      const { ctx, bbox } = plot;
      const last = columns.x.length - 1;
      const half = DAY_SECONDS / 2;
      const fill = (from, to, name) => {
        const left = Math.max(plot.valToPos(from, "x", true), bbox.left);
        const right = Math.min(plot.valToPos(to, "x", true), bbox.left + bbox.width);
        ctx.fillStyle = colour(name);
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      };
      ctx.save();
      fill(columns.x[Math.max(0, last - EMPHASISED_DAYS + 1)] - half, columns.x[last] + half, "--chart-week");
      columns.statuses.forEach((status, index) => {
        if (UNREAD.includes(status)) fill(columns.x[index] - half, columns.x[index] + half, "--chart-gap");
      });
      ctx.restore();
    };
  }

  /** Draws a point per day: a dot if the day is within its limit, a cross if it is beyond. */
  function points(columns, isBeyond) {
    return (plot, series) => {
      const { ctx } = plot;
      const values = plot.data[series];
      const size = 3.5 * devicePixelRatio;
      ctx.save();
      for (let index = 0; index < values.length; index += 1) {
        if (values[index] === null) continue;
        const x = plot.valToPos(columns.x[index], "x", true);
        const y = plot.valToPos(values[index], "y", true);
        ctx.beginPath();
        if (isBeyond(index)) {
          ctx.strokeStyle = colour("--chart-threshold");
          ctx.lineWidth = 2 * devicePixelRatio;
          ctx.moveTo(x - size, y - size);
          ctx.lineTo(x + size, y + size);
          ctx.moveTo(x - size, y + size);
          ctx.lineTo(x + size, y - size);
          ctx.stroke();
        } else {
          ctx.fillStyle = colour("--chart-line");
          ctx.arc(x, y, size * 0.6, 0, 2 * Math.PI);
          ctx.fill();
        }
      }
      ctx.restore();
      return false;
    };
  }

  function seriesOf(kind, columns) {
    const value = (_, number) => formatter(kind)(number);
    const line = { stroke: () => colour("--chart-line"), width: 2, value };
    const faint = (label, dash) => ({
      label, value, stroke: () => colour("--chart-expected"), width: 1, dash, points: { show: false },
    });
    const threshold = {
      label: "threshold", value, stroke: () => colour("--chart-threshold"), width: 1.5, dash: [6, 4], points: { show: false },
    };
    if (kind === "events") {
      const { total, low, high } = columns;
      const isBeyond = (i) => (low[i] !== null && total[i] < low[i]) || (high[i] !== null && total[i] > high[i]);
      return {
        data: [columns.x, total, columns.expected, low, high],
        series: [
          { ...line, label: "events", points: { show: points(columns, isBeyond) } },
          faint("expected", [6, 4]), { ...faint("normal from", [2, 3]), width: 0.5 }, { ...faint("to", [2, 3]), width: 0.5 },
        ],
        bands: [{ series: [4, 3], fill: () => colour("--chart-band") }],
      };
    }
    const limits = columns[`${kind}_limit`];
    const values = columns[kind];
    const isBelow = kind === "sampling";
    const isBeyond = (i) => limits[i] !== null && (isBelow ? values[i] < limits[i] : values[i] > limits[i]);
    return {
      data: [columns.x, values, limits],
      series: [{ ...line, label: LABELS[kind], points: { show: points(columns, isBeyond) } }, threshold],
      bands: [],
    };
  }

  /** Rates start at zero and always show their threshold; a success rate ends at a hundred. */
  function range(kind) {
    return (_, low, high) => {
      if (low === null || high === null) return [0, 1];
      if (kind === "sampling") return [Math.min(low - (100 - low) * 0.15, 98), 100.1];
      return [0, high > 0 ? high * 1.08 : 1];
    };
  }

  function draw(figure) {
    const kind = figure.dataset.chart;
    const place = figure.querySelector(".plot");
    const table = document.getElementById(figure.dataset.table);
    if (!place || !table || !place.clientWidth) return;
    const columns = columnsOf(table);
    const { data, series, bands } = seriesOf(kind, columns);
    const unit = kind === "events" ? "" : " %";
    const axis = {
      stroke: () => colour("--muted"),
      grid: { stroke: () => colour("--chart-grid"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
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
        drag: { x: false, y: false },
        points: { size: 7 },
      },
      scales: {
        x: { time: true, range: (_, low, high) => [low - DAY_SECONDS / 2, high + DAY_SECONDS / 2] },
        y: { range: range(kind) },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 28,
          space: 64,
          incrs: [1, 2, 7, 14].map((days) => days * DAY_SECONDS),
          values: (_, ticks) => ticks.map((tick) => SHORT_DAY.format(new Date(tick * 1000))),
        },
        { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => tick.toLocaleString("en-GB") + unit) },
      ],
      series: [{ label: "day", value: (_, seconds) => (seconds === null ? "–" : isoDay(seconds)) }, ...series],
      bands,
      hooks: { drawClear: [background(columns)] },
    }, data, place);
    // Without a pointer the legend shows the last day.
    const showLast = () => plot.setLegend({ idx: columns.x.length - 1 }, false);
    plot.over.addEventListener("mouseleave", () => setTimeout(showLast));
    setTimeout(() => {
      if (!plot.root.isConnected) return;
      showLast();
      const legend = plot.root.querySelector(".u-legend").offsetHeight;
      plot.setSize({ width: place.clientWidth, height: place.clientHeight - legend });
    });
    plot.over.addEventListener("click", () => {
      const index = plot.cursor.idx;
      if (index !== null && index !== undefined && columns.links[index]) location.assign(columns.links[index]);
    });
    drawn.push(plot);
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
