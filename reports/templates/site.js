"use strict";
// Tables sort and filter, figures enlarge and tell their values. Without this file the pages say all the same.
// What is chosen stands in the address behind "#?", so that a link leads to it.
(() => {
  const state = new URLSearchParams(location.hash.startsWith("#?") ? location.hash.slice(2) : "");
  const remember = (name, value) => {
    value ? state.set(name, value) : state.delete(name);
    const said = state.toString();
    history.replaceState(null, "", said ? `#?${said}` : location.pathname.split("/").pop());
  };
  const make = (tag, properties, ...inside) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...inside);
    return made;
  };
  const text = (cell, name) => cell.dataset[name] ?? cell.textContent.trim();
  const number = (value) => (value !== "" && isFinite(value) ? Number(value) : null);
  const order = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x !== null ? -1 : 1; // what has no number stands last
    return a.localeCompare(b, "en", {numeric: true});
  };

  for (const table of document.querySelectorAll("table[data-live]")) {
    const key = table.dataset.live;
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    const rows = [...table.tBodies[0].rows];
    const atOnce = Number(table.dataset.page) || Infinity;
    const filters = []; // each: does a row pass?
    const count = make("span", {className: "small"});
    count.setAttribute("role", "status");
    const more = make("button", {type: "button", textContent: "Show more rows"});
    let shown = atOnce;

    const show = () => {
      const wanted = rows.filter((row) => filters.every((passes) => passes(row)));
      const visible = new Set(wanted.slice(0, shown));
      for (const row of rows) row.hidden = !visible.has(row);
      count.textContent = visible.size < rows.length ? `${visible.size} of ${rows.length} rows` : `${rows.length} rows`;
      more.hidden = wanted.length <= shown;
    };
    const sort = (column, down) => {
      const values = new Map(rows.map((row) => [row, row.cells[column] ? text(row.cells[column], "sort") : ""]));
      rows.sort((a, b) => {
        const [x, y] = [values.get(a), values.get(b)];
        const numbers = number(x) !== null && number(y) !== null;
        return down && (numbers || (number(x) === null && number(y) === null)) ? order(y, x) : order(x, y);
      });
      table.tBodies[0].append(...rows);
      heads.forEach((head, place) => {
        if (place === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
    };

    heads.forEach((head, column) => {
      if (!head.textContent.trim() || head.dataset.fixed !== undefined) return;
      const button = make("button", {type: "button", className: "sort"}, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        sort(column, down);
        show();
        remember(`${key}.sort`, `${column}${down ? "-" : ""}`);
      });
    });

    const bar = make("div", {className: "bar"});
    heads.forEach((head, column) => {
      if (head.dataset.filter === undefined) return;
      const name = `${key}.${head.dataset.filter}`;
      const values = [...new Set(rows.map((row) => text(row.cells[column], "filter")))].sort(order);
      if (values.length < 2) return;
      const select = make("select", {}, make("option", {value: "", textContent: "all"}));
      select.append(...values.map((value) => make("option", {value, textContent: value})));
      select.value = state.get(name) ?? "";
      if (select.selectedIndex < 0) select.value = "";
      filters.push((row) => !select.value || text(row.cells[column], "filter") === select.value);
      select.addEventListener("change", () => (remember(name, select.value), (shown = atOnce), show()));
      bar.append(make("label", {}, `${head.textContent.trim()} `, select));
    });
    const words = make("input", {type: "search", value: state.get(`${key}.words`) ?? ""});
    const contents = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    filters.push((row) => words.value.toLowerCase().split(/\s+/).every((word) => contents.get(row).includes(word)));
    words.addEventListener("input", () => (remember(`${key}.words`, words.value), (shown = atOnce), show()));
    bar.append(make("label", {}, "Words ", words), count);
    more.addEventListener("click", () => ((shown += atOnce), show()));
    const place = table.closest(".scroll") ?? table;
    if (table.dataset.bare === undefined) place.before(bar);
    place.after(more);
    const sorted = /^(\d+)(-?)$/.exec(state.get(`${key}.sort`) ?? "");
    if (sorted && heads[sorted[1]]) sort(Number(sorted[1]), sorted[2] === "-");
    show();
  }

  // ---- figures

  const values = (svg, output) => {
    const lines = [...svg.querySelectorAll("g[data-x]")].map((line) => ({
      label: line.dataset.label, x: line.dataset.x.split(" ").map(Number), y: line.dataset.y.split(" "),
    }));
    const places = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    let at = -1;
    const say = () => {
      const there = lines.filter((line) => line.x.includes(places[at]));
      const said = there.map((line) => `${line.label} ${line.y[line.x.indexOf(places[at])]}`).join("; ");
      output.textContent = `at ${places[at]}: ${said}`;
    };
    if (!places.length) return;
    output.textContent = "Move over the figure, or use the arrow keys, to read its values.";
    const [left, right, low, high, log] = svg.dataset.frame.split(" ").map(Number);
    const scaled = (x) => (log ? Math.log(x) : x);
    svg.tabIndex = 0;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const place = ((event.clientX - box.left) * svg.viewBox.baseVal.width) / box.width;
      const x = scaled(low) + ((place - left) / (right - left)) * (scaled(high) - scaled(low));
      const far = places.map((one) => Math.abs(scaled(one) - x));
      at = far.indexOf(Math.min(...far));
      say();
    });
    svg.addEventListener("keydown", (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step) return;
      event.preventDefault();
      at = Math.min(Math.max(at + step, 0), places.length - 1);
      say();
    });
  };
  const enlarge = (figure, svg) => {
    const output = make("output", {});
    const close = make("button", {type: "button", textContent: "Close"});
    const large = svg.cloneNode(true);
    const near = figure.parentElement; // whose legend stands inside or, of several figures, before it
    const legend = near.querySelector(":scope > .legend") ?? near.previousElementSibling;
    const legends = legend?.matches(".legend") ? [legend.cloneNode(true)] : [];
    const dialog = make("dialog", {}, close, large, ...legends, make("p", {className: "small", textContent:
      figure.querySelector("figcaption").firstChild.textContent}), output);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    values(large, output);
    dialog.showModal();
    large.focus();
  };
  for (const figure of document.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg");
    const caption = figure.querySelector("figcaption");
    if (!svg || !caption) continue;
    const button = make("button", {type: "button", className: "enlarge", textContent: "Enlarge"});
    button.setAttribute("aria-label", `Enlarge: ${svg.getAttribute("aria-label")}`);
    button.addEventListener("click", () => enlarge(figure, svg));
    caption.append(" ", button);
  }
})();
