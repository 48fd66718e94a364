// Leaderboard, confusion matrix, list and one narrative; each part is built once and filled anew, so that focus, caret
// and scroll positions stay.

const WAIT = 350; // milliseconds without a key after which a search begins
const ORDERS = [["data", "as in the data"], ["surest", "surest first"], ["doubtful", "least sure first"]];
const FLIPS = [["", "all narratives"], ["any", "flips"], ["right", "newly right"], ["wrong", "newly wrong"]];
const frames = new WeakMap(); // what stands in the page, by its body

function fill(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

function head(...names) {
  return element("thead", {}, element("tr", {}, ...names.map(([name, kind]) => element("th", { scope: "col", class: kind }, name))));
}

// A group of elements; of lists of them each element, of what is missing nothing.
function group(attributes, ...children) {
  return element("div", attributes, ...children.flat(2));
}

function labelled(text, field, kind) {
  return element("label", { class: kind }, element("span", {}, text), field);
}

// Choices of a select; the field that has the focus is left as it is.
function choices(field, pairs, value) {
  fill(field, ...pairs.map(([key, text]) => element("option", { value: key }, text)));
  field.value = value ?? "";
}

// Up and down between the buttons of a table's rows, left and right too where there are several in a row.
function arrows(table) {
  table.addEventListener("keydown", (event) => {
    const rows = [...table.querySelectorAll("tr")].map((row) => [...row.querySelectorAll("button")]).filter((row) => row.length);
    const row = rows.findIndex((buttons) => buttons.includes(event.target));
    if (row < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const column = rows[row].indexOf(event.target);
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
    if (!down && (!right || rows[row].length < 2)) return;
    event.preventDefault();
    event.stopPropagation();
    rows[row + down]?.[Math.min(column, rows[row + down].length - 1) + right]?.focus();
  });
  return table;
}

// --- the frame ---------------------------------------------------------------------------------------------

function built(body, ask, root) {
  const part = {
    experiments: element("tbody"),
    older: element("p", { hidden: true }),
    title: element("h3"),
    grid: arrows(element("table", { class: "browse-grid" })),
    outcome: element("select", { id: "browse-outcome" }),
    source: element("select", { id: "browse-source" }),
    against: element("select", { id: "browse-against" }),
    flips: element("select", { id: "browse-flips" }),
    order: element("select", { id: "browse-order" }),
    search: element("input", { id: "browse-search", type: "search", maxlength: 300, placeholder: "in text and rational", autocomplete: "off" }),
    low: element("input", { id: "browse-low", type: "number", min: 0, max: 1, step: 0.05, "aria-label": "lowest confidence" }),
    high: element("input", { id: "browse-high", type: "number", min: 0, max: 1, step: 0.05, "aria-label": "highest confidence" }),
    clear: element("button", { id: "browse-clear", type: "button" }, "Clear filters"),
    said: element("span", { role: "status" }),
    earlier: element("button", { id: "browse-earlier", type: "button" }, "‹ Previous 50"),
    later: element("button", { id: "browse-later", type: "button" }, "Next 50 ›"),
    rows: arrows(element("table")),
    scroll: element("div", { class: "browse-scroll browse-list" }),
    narrative: element("article", { id: "browse-narrative", class: "browse-narrative", tabindex: -1, hidden: true }),
    line: element("input", { id: "browse-here", readonly: true, "aria-label": "the line that opens this place again" }),
    copy: element("button", { id: "browse-copy", type: "button" }, "Copy"),
    timer: null,
    focusing: false, // whether the narrative that comes is to have the focus
    shown: null,
  };
  part.sourceField = labelled("source", part.source);
  part.flipsField = labelled("flips", part.flips);
  part.scroll.append(part.rows);
  listen(part, ask, root);
  body.append(
    element("div", { class: "browse-scroll" }, arrows(element("table", {},
      head(["experiment"], ["model"], ["dataset"], ["answered", "exphub-number"], ["P", "exphub-number"], ["R", "exphub-number"], ["F1", "exphub-number"]),
      part.experiments))),
    part.older,
    element("div", { class: "browse-middle" },
      element("div", {}, part.title, part.grid),
      element("div", {}, element("h3", {}, "Narratives"),
        element("div", { class: "browse-filters" },
          labelled("outcome", part.outcome, "browse-wide"),
          part.sourceField,
          labelled("against", part.against),
          part.flipsField,
          element("fieldset", {}, element("legend", {}, "confidence"), element("div", {}, part.low, "to", part.high)),
          labelled("order", part.order),
          labelled("search", part.search, "browse-wide")))),
    element("div", { class: "browse-bar" }, part.said, part.clear, element("span", { class: "browse-fill" }), part.earlier, part.later),
    part.scroll,
    part.narrative,
    element("div", { class: "browse-line" }, element("span", {}, "This place again:"), part.line, part.copy));
  return part;
}

function listen(part, ask, root) {
  const filter = (said) => {
    const typed = part.timer === null ? {} : { search: part.search.value };
    clearTimeout(part.timer);
    part.timer = null;
    ask("filter", { ...typed, ...said });
  };
  part.outcome.onchange = () => filter({ outcome: part.outcome.value || null });
  part.source.onchange = () => filter({ source: part.source.value === "" ? null : part.source.value.slice(1) });
  part.against.onchange = () => filter({ against: part.against.value ? Number(part.against.value) : null });
  part.flips.onchange = () => filter({ flips: part.flips.value || null });
  part.order.onchange = () => filter({ order: part.order.value });
  part.low.onchange = part.high.onchange = () => filter({ confidence: [part.low.value, part.high.value] });
  part.search.oninput = () => {
    clearTimeout(part.timer);
    part.timer = setTimeout(() => filter({ search: part.search.value }), WAIT);
  };
  part.search.onkeydown = (event) => {
    if (event.key === "Enter") filter({ search: part.search.value });
  };
  part.clear.onclick = () => {
    part.search.value = "";
    filter({ outcome: null, source: null, against: null, flips: null, confidence: null, search: "" });
  };
  part.earlier.onclick = () => ask("page", { page: part.shown.list.page - 1 });
  part.later.onclick = () => ask("page", { page: part.shown.list.page + 1 });
  part.copy.onclick = () => copied(part);
  root.addEventListener("keydown", (event) => {
    const by = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
    const typed = event.target.closest("input, select, textarea");
    if (!by || typed || event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    event.preventDefault();
    part.focusing = true;
    ask("step", { by });
  });
}

async function copied(part) {
  part.line.select();
  try {
    await navigator.clipboard.writeText(part.line.value);
  } catch {
    document.execCommand("copy"); // where the page may not write to the clipboard by itself
  }
  part.copy.textContent = "Copied";
  setTimeout(() => { part.copy.textContent = "Copy"; }, 1500);
}

// --- what fills it -----------------------------------------------------------------------------------------

function draw(body, shown, ask, root) {
  let part = frames.get(body);
  if (!part) frames.set(body, (part = built(body, ask, root)));
  const before = part.shown;
  part.shown = shown;
  if (changed(before, shown, "board") || changed(before, shown, "title")) drawBoard(part, shown, ask);
  drawGrid(part, shown, ask);
  drawFilters(part, shown);
  if (changed(before, shown, "list") || changed(before, shown, "place")) drawList(part, shown, ask);
  if (changed(before, shown, "finding")) drawNarrative(part, shown, ask);
  part.line.value = shown.line;
}

function changed(before, now, name) {
  return !before || JSON.stringify(before[name]) !== JSON.stringify(now[name]);
}

function drawBoard(part, shown, ask) {
  fill(part.experiments, ...shown.board.rows.map((row) => {
    const current = row.id === shown.place.experiment;
    const choose = () => ask("choose", { experiment: row.id });
    const number = (text) => element("td", { class: "exphub-number" }, text);
    return element("tr", { "aria-current": current ? "true" : null, onclick: choose },
      element("td", {}, element("button", { id: `browse-experiment-${row.id}`, class: "browse-link", type: "button", "aria-pressed": String(current) }, row.title)),
      element("td", {}, row.model), element("td", {}, row.dataset),
      number(row.answered), number(row.precision), number(row.recall), number(row.f1));
  }));
  part.older.hidden = shown.board.left === 0;
  part.older.textContent = `… and ${shown.board.left.toLocaleString("en")} older: %exphub browse NAME opens one of them.`;
}

function drawGrid(part, shown, ask) {
  const manual = { yes: "manual yes", no: "manual no", unlabelled: "unlabelled" };
  part.title.textContent = shown.title;
  fill(part.grid,
    element("caption", { hidden: true }, `Manual flag and ${shown.title}'s`),
    element("thead", {}, element("tr", {}, element("td"), ...shown.grid.columns.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...shown.grid.rows.map((row) => element("tr", {}, element("th", { scope: "row" }, manual[row.name]),
      ...row.cells.map((cell, column) => {
        const pressed = shown.place.outcome === cell.key;
        const label = `${manual[row.name]}, ${shown.grid.columns[column]}: ${cell.n.toLocaleString("en")} narratives${cell.share ? `, ${cell.share} of the row` : ""}`;
        return element("td", {}, element("button", {
          id: `browse-cell-${cell.key}`, type: "button", style: `background: ${cell.tint}`, "aria-pressed": String(pressed), "aria-label": label,
          onclick: () => ask("filter", { outcome: pressed ? null : cell.key }),
        }, element("b", {}, cell.n.toLocaleString("en")), cell.share));
      })))));
}

function drawFilters(part, shown) {
  const { place } = shown;
  const focused = document.activeElement;
  const known = shown.choices.outcomes.map(([key, text, n]) => [key, `${text} (${n.toLocaleString("en")})`]);
  if (place.outcome && !known.some(([key]) => key === place.outcome)) known.push([place.outcome, `${shown.choices.words[place.outcome]} (0)`]);
  choices(part.outcome, [["", "all"], ...known], place.outcome);
  // A source may be nameless, so that the values begin with a mark.
  choices(part.source, [["", "all"], ...shown.choices.sources.map((one) => [`=${one}`, one || "none"])], place.source === null ? "" : `=${place.source}`);
  part.sourceField.hidden = shown.choices.sources.length === 0;
  const others = shown.board.rows.filter((row) => row.id !== place.experiment).map((row) => [String(row.id), row.title]);
  if (place.against !== null && !others.some(([id]) => id === String(place.against))) others.push([String(place.against), shown.against]);
  choices(part.against, [["", "nothing"], ...others], place.against === null ? "" : String(place.against));
  choices(part.flips, FLIPS, place.flips);
  part.flipsField.hidden = place.against === null;
  choices(part.order, ORDERS, place.order);
  if (part.low !== focused) part.low.value = place.confidence?.[0] ?? "";
  if (part.high !== focused) part.high.value = place.confidence?.[1] ?? "";
  if (part.search !== focused && part.timer === null) part.search.value = place.search;
  const plain = !place.outcome && place.source === null && place.against === null && !place.confidence && !place.search;
  part.clear.hidden = plain;
}

function drawList(part, shown, ask) {
  const { list, place } = shown;
  const last = list.first + list.rows.length;
  part.said.textContent = list.n ? `${list.said}${list.pages > 1 ? `, ${(list.first + 1).toLocaleString("en")} – ${last.toLocaleString("en")} shown` : ""}` : `${list.said}: nothing is left by these filters`;
  part.earlier.hidden = part.later.hidden = list.pages < 2;
  part.earlier.disabled = list.page === 0;
  part.later.disabled = list.page >= list.pages - 1;
  const beside = shown.against !== null;
  const sourced = list.rows.some((row) => row.source);
  const first = part.rows.querySelector("tbody button")?.id;
  fill(part.rows,
    head(["narrative"], ...(sourced ? [["source"]] : []), ["manual"], ["flag"], ...(beside ? [[shown.against]] : []), ["confidence"], ["outcome"], ["rational"]),
    element("tbody", {}, ...list.rows.map((row) => element("tr", {
      "aria-current": row.narrative_id === place.narrative ? "true" : null,
      onclick: () => { part.focusing = true; ask("open", { narrative: row.narrative_id }); },
    },
      element("td", {}, element("button", { id: `browse-row-${row.narrative_id}`, class: "browse-link", type: "button", title: row.narrative_id }, row.narrative_id)),
      sourced && element("td", {}, row.source), element("td", {}, row.manual_flag), element("td", {}, row.flag),
      beside && element("td", {}, row.other), element("td", {}, row.confidence), element("td", {}, row.outcome),
      element("td", { title: row.beginning }, row.beginning)))));
  if (part.rows.querySelector("tbody button")?.id !== first) part.scroll.scrollTop = 0;
  const current = part.rows.querySelector('tr[aria-current="true"]');
  if (current) within(part.scroll, current);
}

// Scroll a box so far that a row of it is seen, and nothing else of the page.
function within(box, row) {
  const [outer, inner] = [box.getBoundingClientRect(), row.getBoundingClientRect()];
  const top = box.querySelector("thead")?.offsetHeight ?? 0;
  if (inner.top < outer.top + top) box.scrollTop -= outer.top + top - inner.top;
  else if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
}

// --- one narrative -----------------------------------------------------------------------------------------

function drawNarrative(part, shown, ask) {
  const { finding } = shown;
  part.narrative.hidden = finding === null;
  const focusing = part.focusing;
  part.focusing = false;
  if (finding === null) {
    fill(part.narrative);
    return;
  }
  const rest = (left) => left > 0 && element("button", { id: "browse-whole", type: "button", onclick: () => { part.focusing = true; ask("whole"); } }, `Show the rest, ${left.toLocaleString("en")} characters`);
  const text = (cut, more) => [element("div", { class: `exphub-text ${more ?? ""}`, tabindex: 0 }, cut.text), rest(cut.left)];
  const open = new Set([...part.narrative.querySelectorAll("details[open]")].map((one) => one.dataset.name));
  const details = (name, ...inner) => element("details", { "data-name": name, open: open.has(name) }, element("summary", { id: `browse-details-${name}` }, name), ...inner);
  const stated = (value) => (value === null ? "–" : value.toFixed(2));
  const answer = finding.flag ?? finding.status.replaceAll("_", " ");
  const facts = [
    ["manual flag", finding.manual_flag ?? "unlabelled"],
    ["flag", `${answer}${finding.status === "salvaged" ? ", salvaged" : ""}`],
    ["confidence", stated(finding.confidence)],
    ...(finding.p_true === null ? [] : [["P(true)", stated(finding.p_true)]]),
    ...(finding.placeholder ? [["not sent", finding.placeholder]] : []),
    ...(finding.answered_by ? [["reply", finding.answered_by]] : []),
  ];
  fill(part.narrative,
    steps(part, shown, ask),
    element("div", { class: "browse-columns" },
      group({},
        element("h4", {}, "text"),
        element("div", { class: "exphub-text", tabindex: 0, "aria-label": "the narrative's text" },
          ...finding.text.parts.map(([words, quoted]) => (quoted ? element("mark", { title: "quoted by the rational" }, words) : words))),
        rest(finding.text.left),
        finding.facts.length > 0 && details("facts", pairs(finding.facts))),
      group({},
        element("h4", {}, shown.title), pairs(facts),
        finding.error && [element("h4", {}, "error"), ...text(finding.error)],
        finding.rational && [element("h4", {}, "rational"), ...text(finding.rational)],
        finding.steps.length > 0 && [element("h4", {}, "reasoning steps"), element("ol", {}, ...finding.steps.map((step) => element("li", {}, step)))],
        said(finding.trail),
        Object.keys(finding.reply).length > 0 && details("raw reply", ...Object.entries(finding.reply).flatMap(([name, cut]) => [
          name !== "body" && element("h4", {}, name), ...text(cut, "browse-reply")])))),
    opinions(shown, ask));
  if (focusing) {
    part.narrative.focus({ preventScroll: true });
    part.narrative.scrollIntoView({ block: "nearest" });
  }
}

function steps(part, shown, ask) {
  const { finding, list } = shown;
  const go = (by) => () => { part.focusing = true; ask("step", { by }); };
  const place = finding.at === null ? "not in this list" : `${(finding.at + 1).toLocaleString("en")} of ${list.n.toLocaleString("en")}`;
  const source = finding.source ? ` · ${finding.source}` : "";
  return element("div", { class: "browse-bar" },
    element("strong", {}, `${finding.narrative_id}${source}`),
    ...finding.siblings.map(([id, other]) => element("button", { id: `browse-sibling-${id}`, type: "button", title: "of the same incident",
      onclick: () => { part.focusing = true; ask("open", { narrative: id }); } }, other ? `${id} · ${other}` : id)),
    element("span", { class: "browse-fill" }),
    element("span", {}, place),
    element("button", { id: "browse-before", type: "button", title: "k or ←", disabled: finding.at === 0, onclick: go(-1) }, "‹ Previous"),
    element("button", { id: "browse-next", type: "button", title: "j or →", disabled: finding.at === list.n - 1, onclick: go(1) }, "Next ›"),
    element("button", { id: "browse-close", type: "button", onclick: () => ask("leave") }, "Close"));
}

function pairs(rows) {
  return element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function said(trail) {
  return trail.length > 0 && [element("h4", {}, "labels"), element("table", {},
    head(["coder"], ["said"], ["note"], ["on"]),
    element("tbody", {}, ...trail.map((one) => element("tr", {},
      element("td", {}, one.coder), element("td", {}, one.word), element("td", {}, one.note), element("td", {}, one.when)))))];
}

function opinions(shown, ask) {
  const { finding, place } = shown;
  return element("div", {},
    element("h4", {}, "what every experiment says of it"),
    element("div", { class: "browse-scroll" }, arrows(element("table", {},
      head(["experiment"], ["flag"], [""], ["confidence"], ["rational"]),
      element("tbody", {}, ...finding.opinions.map((one) => element("tr", {
        "aria-current": one.experiment === place.experiment ? "true" : null, onclick: () => ask("choose", { experiment: one.experiment }),
      },
        element("td", {}, element("button", { id: `browse-opinion-${one.experiment}`, class: "browse-link", type: "button" }, one.title)),
        element("td", {}, one.flag), element("td", {}, one.held ?? ""),
        element("td", {}, one.confidence === null ? "–" : one.confidence.toFixed(2)), element("td", {}, one.beginning))))))),
    finding.opinions_left > 0 && element("p", {}, `… and ${finding.opinions_left.toLocaleString("en")} older experiments`));
}

export default { render: panel("browse", draw) };
