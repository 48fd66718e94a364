const PAUSE = 1000; // milliseconds without a key after which what is typed is kept
const AGAIN = 10000; // milliseconds after which what the hub could not keep is sent again
const MARKS = { yes: "yes", no: "no", none: "–" };

const flagged = (flag) => (flag === null || flag === undefined ? MARKS.none : flag ? MARKS.yes : MARKS.no);
const decimal = (value) => (value === null ? "–" : value.toFixed(2).replace(/^0\./, "."));
const clock = (iso) => {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString([], today ? { hour: "2-digit", minute: "2-digit" } : { dateStyle: "medium", timeStyle: "short" });
};

// A place in the page that is drawn again only when what it shows has changed.
function place(node) {
  let before = null;
  return (value, build) => {
    const now = JSON.stringify(value);
    if (now === before) return;
    before = now;
    node.replaceChildren(...build(value).filter(Boolean));
  };
}

// The difference of two prompts, far unchanged stretches shortened.
function wording(diff) {
  const tags = { same: "span", removed: "del", added: "ins" };
  return element(
    "div",
    { class: "exphub-wording" },
    ...diff.map(([kind, text]) => element(tags[kind], {}, kind === "same" && text.length > 160 ? `${text.slice(0, 60)} … ${text.slice(-60)}` : text)),
  );
}

function frame(body, ask, model, root) {
  const own = `exphub-${crypto.randomUUID?.() ?? Math.random().toString(36).slice(2)}`;
  const id = (name) => `${own}-${name}`;
  const state = { loaded: -1, timer: null, kept: null };
  const text = element("textarea", { id: id("text"), rows: "12", spellcheck: "true", class: "exphub-prompt" });
  const nodes = Object.fromEntries(["parent", "draft", "check", "slots", "diff", "cost", "outcome", "case", "history", "saved"].map((name) => [name, element("div")]));
  const places = Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, place(node)]));

  const keep = () => {
    clearTimeout(state.timer);
    state.timer = null;
    if (state.kept === text.value) return;
    ask("draft", { text: text.value });
    state.timer = setTimeout(again, AGAIN);
  };
  // What was sent is kept only once the kernel shows it: a hub that was locked is asked again.
  const again = () => {
    state.timer = null;
    if (!root.isConnected) return;
    if (root.hasAttribute("aria-busy")) state.timer = setTimeout(again, AGAIN);
    else keep();
  };
  text.addEventListener("input", () => {
    clearTimeout(state.timer);
    state.timer = setTimeout(keep, PAUSE);
  });
  text.addEventListener("blur", keep);

  // --- settings
  const fields = {};
  const said = () => Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, field.value]));
  const change = () => ask("set", { settings: said() });
  const field = (key, label, attributes = {}, tag = "input", ...children) => {
    fields[key] = element(tag, { id: id(key), onchange: change, ...attributes }, ...children);
    return element("label", { for: id(key) }, label, fields[key]);
  };
  const sizes = element("datalist", { id: id("sizes") }, ...["50", "200"].map((value) => element("option", { value })));
  const settings = element(
    "div",
    { class: "exphub-fields" },
    field("sample", "Narratives", { list: id("sizes"), inputmode: "numeric", size: "6", placeholder: "all" }),
    sizes,
    field("seed", "Seed of the draw", { inputmode: "numeric", size: "4", placeholder: "0" }),
    field("provider", "Provider", {}, "select"),
    field("model_name", "Model", { size: "18" }),
  );
  const more = element(
    "details",
    {},
    element("summary", {}, "More settings"),
    element(
      "div",
      { class: "exphub-fields" },
      field("base_url", "Base URL", { size: "28", placeholder: "the provider's" }),
      field("api_key_env", "Variable that holds the key", { size: "18" }),
      field("temperature", "Temperature", { inputmode: "decimal", size: "5" }),
      field("reasoning_effort", "Reasoning effort", { size: "8" }),
      field("max_tokens", "Most tokens of an answer", { inputmode: "numeric", size: "6" }),
      field("max_cost", "Stop at USD", { inputmode: "decimal", size: "6" }),
      field("concurrency", "Calls at once", { inputmode: "numeric", size: "4" }),
    ),
  );
  fields.provider.addEventListener("change", () => {
    if (fields.provider.value === "builtin") fields.model_name.value = "rules-1";
    else if (fields.model_name.value === "rules-1") fields.model_name.value = "";
    if (!["", "builtin"].includes(fields.provider.value)) fields.base_url.value = "";
  }, { capture: true });

  // --- the run
  const attempt = () => {
    clearTimeout(state.timer);
    ask("try", { text: text.value, settings: said(), typed: true });
    state.timer = setTimeout(again, AGAIN);
  };
  const tryButton = element("button", { id: id("try"), type: "button", class: "exphub-main", onclick: attempt }, "Try");
  const stopButton = element("button", { id: id("stop"), type: "button", hidden: true, onclick: () => ask("stop") }, "Stop");
  const moving = element("span", { role: "status", "aria-live": "off" });
  const bar = element("progress", { "aria-label": "progress of the try", hidden: true });
  const run = () => {
    const words = model.get("moving");
    const found = words.match(/([\d,]+) of ([\d,]+)/);
    moving.textContent = words;
    bar.hidden = !found;
    if (found) [bar.value, bar.max] = [found[1], found[2]].map((number) => Number(number.replaceAll(",", "")));
  };
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.stopPropagation();
      if (!tryButton.disabled) attempt();
    }
  });

  // --- saving
  const name = element("input", { id: id("file"), size: "24" });
  const save = (called) => ask("save", { name: called, text: text.value });
  const saving = element(
    "div",
    { class: "exphub-fields" },
    element("label", { for: id("file") }, "Save in prompts/ as", name),
    element("button", { id: id("save"), type: "button", onclick: () => save(name.value) }, "Save"),
  );
  const cell = element("textarea", { id: id("cell"), rows: "5", readonly: true, class: "exphub-prompt" });
  const copied = element("span", { role: "status" });
  const copy = async () => {
    cell.select();
    try {
      await navigator.clipboard.writeText(cell.value);
      copied.textContent = "copied: paste it into a new cell";
    } catch {
      copied.textContent = "selected: press Ctrl+C, then paste it into a new cell";
    }
  };

  const line = root.querySelector(".exphub-line");
  body.append(
    nodes.parent,
    element("label", { for: id("text"), class: "exphub-title" }, "Prompt"),
    text,
    nodes.check,
    nodes.draft,
    nodes.slots,
    nodes.diff,
    settings,
    more,
    element("div", { class: "exphub-run" }, tryButton, stopButton, bar, moving, nodes.cost),
    line,
    nodes.outcome,
    nodes.case,
    nodes.history,
    element(
      "section",
      { "aria-label": "Save" },
      element("h3", {}, "Save the prompt"),
      saving,
      nodes.saved,
      element("details", {}, element("summary", {}, "As a cell"), element("label", { for: id("cell"), class: "exphub-hidden" }, "The cell’s text"), cell,
        element("button", { id: id("copy"), type: "button", onclick: copy }, "Copy"), " ", copied),
    ),
  );
  return { id, state, text, places, fields, tryButton, stopButton, run, name, cell, save, copied };
}

// --- what each place shows ---

const parentLine = (shown) => [element("p", { class: "exphub-parent" }, element("b", {}, "Prompt studio"), " · parent: ", shown.line)];

const draftLine = (page, ask) => ([draft, kept, met, same]) => {
  // What is typed goes with it: it is kept before another text takes its place, or nothing is done.
  const button = (name, words, action, said) =>
    element("button", { id: page.id(name), type: "button", onclick: () => ask(action, { ...said, text: page.text.value }) }, words);
  return [
    element("p", {}, draft ? `A draft of ${clock(draft)} is shown. ` : "", same ? "This is the parent’s prompt, word for word. " : button("revert", "Back to the parent’s text", "revert")),
    met ? element("p", { class: "exphub-problem" }, "Another text of this prompt stood here, from another studio or from before: it is among those kept.") : null,
    kept.length
      ? element(
          "details",
          { open: met || kept[0].later },
          element("summary", {}, `Texts kept from before (${kept.length})`),
          element(
            "ul",
            {},
            ...kept.map((one, place) =>
              element("li", {}, button(`kept-${place}`, `Take the text of ${clock(one.written)}${one.of ? `, over ${one.of}` : ""}`, "take", { name: one.name, digest: one.digest }), " ", element("q", {}, one.gist)),
            ),
          ),
        )
      : null,
  ];
};

const checkLines = ([problem, warnings, reading]) => [
  problem ? element("p", { class: "exphub-problem", role: "alert" }, problem) : null,
  ...warnings.map((warning) => element("p", { class: "exphub-problem" }, warning)),
  reading ? element("details", {}, element("summary", {}, "How the builtin model reads this prompt"), element("pre", { class: "exphub-text" }, reading)) : null,
];

const slotLines = (slots) => {
  const named = slots.map((slot) => `{{ ${slot} }}`);
  return [
    element(
      "details",
      {},
      element("summary", {}, `Slots: ${named.slice(0, 4).join(", ")}${named.length > 4 ? ` and ${named.length - 4} more` : ""}`),
      element(
        "p",
        {},
        "{{ narrative }} is where the text goes; without it, the text is sent as a message of its own after the prompt. The others are columns of the data; a label is never one. ",
        "A line “system:” or “user:” opens a message.",
      ),
      named.length > 4 ? element("p", {}, named.join(", ")) : null,
    ),
  ];
};

const diffLines = (diff) => (diff.length ? [element("details", { open: true }, element("summary", {}, "What differs from the parent’s prompt"), wording(diff))] : []);

const costLines = ([check, running, providerFree]) =>
  !check.cost || running
    ? []
    : [
        element(
          "span",
          {},
          `${check.asked.toLocaleString("en")} narratives: ${check.cost.attempt}`,
          check.missing && !providerFree ? `; the parent has no answer yet on ${check.missing.toLocaleString("en")} of them` : "",
        ),
        providerFree ? null : element("div", {}, `All narratives: ${check.cost.whole}`),
      ];

const numbers = (rows) =>
  element(
    "table",
    { class: "exphub-metrics" },
    element("thead", {}, element("tr", {}, ...["", "parent", "this try", "difference", "95 % interval"].map((head) => element("th", { scope: "col", class: head ? "exphub-number" : null }, head)))),
    element("tbody", {}, ...rows.map(([head, ...cells]) => element("tr", {}, element("th", { scope: "row" }, head), ...cells.map((cell) => element("td", { class: "exphub-number" }, cell))))),
  );

const outcomeParts = (page, ask) => ([found, note, running]) => {
  const parts = [note ? element("p", { class: "exphub-problem", role: "alert" }, note) : null];
  if (!found) return [...parts, element("p", {}, "Nothing has been tried yet: edit the prompt, then Try (Ctrl+Enter).")];
  const button = (name, words, action, said = () => ({})) =>
    element("button", { id: page.id(name), type: "button", disabled: running, onclick: () => ask(action, said()) }, words);
  const many = found.missing.toLocaleString("en");
  const kinds = Object.entries(found.counts).map(([kind, n]) =>
    element("button", { id: page.id(`kind-${kind}`), type: "button", onclick: () => jump(page, found, kind, ask) }, `${n.toLocaleString("en")} ${kind}`),
  );
  return [
    ...parts,
    element("h3", {}, found.title, found.against ? ` against ${found.against}` : ""),
    element("p", {}, [found.state, ...found.differs].join(" · ")),
    element("p", { class: "exphub-verdict" }, found.verdict),
    found.rows.length ? numbers(found.rows) : null,
    found.beyond ? element("p", { class: "exphub-verdict" }, found.beyond) : null,
    found.beyond ? numbers(found.rows_beyond) : null,
    found.read ? element("p", {}, found.read) : null,
    found.missing ? element("p", {}, `The parent has no answer on ${many} of these narratives. `, button("complete", `Run the parent on them too (${found.price})`, "parent")) : null,
    element(
      "p",
      {},
      button("edit", "Write on from this try’s prompt", "edit", () => ({ text: page.text.value })),
      " ",
      found.adoptable ? button("adopt", "Make it the parent", "adopt") : null,
    ),
    found.diff.length ? element("details", {}, element("summary", {}, "Its prompt against the parent’s"), wording(found.diff)) : null,
    kinds.length ? element("p", { class: "exphub-kinds" }, "Go to: ", ...kinds) : null,
    found.cases.length ? caseTable(page, ask, found) : element("p", {}, found.done ? "No narrative moved, and none is wrong." : ""),
  ];
};

// To the first narrative of a kind, in the list and below it.
function jump(page, found, kind, ask) {
  const first = found.cases.find((one) => one.kind === kind);
  if (!first) return;
  const button = document.getElementById(page.id(`case-${first.narrative_id}`));
  const list = button.closest(".exphub-cases");
  list.scrollTop += button.closest("tbody").getBoundingClientRect().top - list.getBoundingClientRect().top - list.querySelector("thead").offsetHeight;
  ask("look", { narrative: first.narrative_id });
}

function caseTable(page, ask, found) {
  const head = ["narrative", "manual", "parent", "this try", "rational"].map((words) => element("th", { scope: "col" }, words));
  const groups = Object.entries(found.counts).map(([kind, n]) =>
    element(
      "tbody",
      {},
      element("tr", {}, element("th", { scope: "rowgroup", colspan: "5", class: "exphub-kind" }, `${kind} (${n.toLocaleString("en")})`)),
      ...found.cases.filter((one) => one.kind === kind).map((one) => caseRow(page, ask, one)),
    ),
  );
  const step = (event) => {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!way) return;
    const all = [...event.currentTarget.querySelectorAll("button")];
    const next = all[all.indexOf(document.activeElement) + way];
    event.preventDefault();
    if (!next) return;
    next.focus();
    next.click();
  };
  return element(
    "div",
    { class: "exphub-cases", onkeydown: step },
    element("table", {}, element("caption", {}, "Narratives to read: click, or go with the arrow keys"), element("thead", {}, element("tr", {}, ...head)), ...groups),
    found.more ? element("p", {}, `… and ${found.more.toLocaleString("en")} more: %exphub browse shows all`) : null,
  );
}

const caseRow = (page, ask, one) =>
  element(
    "tr",
    { onclick: (event) => event.target.tagName !== "BUTTON" && ask("look", { narrative: one.narrative_id }), "data-case": one.narrative_id },
    element(
      "th",
      { scope: "row" },
      element("button", { id: page.id(`case-${one.narrative_id}`), type: "button", onclick: () => ask("look", { narrative: one.narrative_id }) }, one.narrative_id),
    ),
    ...[one.manual_flag, one.was, one.flag].map((flag) => element("td", {}, flagged(flag))),
    element("td", {}, one.rational),
  );

const caseParts = (page, ask) => (one) =>
  one
    ? [
        element("h3", { id: page.id("case") }, `${one.narrative_id}${one.kind ? ` · ${one.kind}` : ""}`),
        element(
          "p",
          {},
          `manual ${flagged(one.manual_flag)} · parent ${flagged(one.was)} · this try ${flagged(one.flag)}`,
          one.confidence === null ? "" : ` · confidence ${decimal(one.confidence)}`,
          one.source ? ` · source ${one.source}` : "",
        ),
        element(
          "div",
          { class: "exphub-beside" },
          element(
            "div",
            {},
            element("div", { class: "exphub-text", tabindex: "0", role: "region", "aria-label": "Narrative" }, ...one.parts.map(([piece, marked]) => (marked ? element("mark", {}, piece) : piece))),
            one.left ? element("button", { id: page.id("whole"), type: "button", onclick: () => ask("whole") }, `Show the rest (${one.left.toLocaleString("en")} characters)`) : null,
          ),
          element(
            "div",
            {},
            element("h4", {}, "Rational"),
            element("p", { class: "exphub-said" }, one.rational || one.error || "none"),
            one.steps.length ? element("details", {}, element("summary", {}, "Reasoning steps"), element("ol", {}, ...one.steps.map((step) => element("li", {}, step)))) : null,
            one.was_rational ? element("details", {}, element("summary", {}, `The parent said ${flagged(one.was)}`), element("p", { class: "exphub-said" }, one.was_rational)) : null,
          ),
        ),
      ]
    : [];

const historyParts = (page, ask) => ([history, tries, current, running]) =>
  history.length
    ? [
        element("h3", {}, "Tries"),
        element(
          "table",
          { class: "exphub-history" },
          element("thead", {}, element("tr", {}, ...["try", "when", "narratives", "recall", "precision", "F1", "newly wrong", "newly right"].map((head, n) => element("th", { scope: "col", class: n > 1 ? "exphub-number" : null }, head)))),
          element(
            "tbody",
            {},
            ...history.map((one) =>
              element(
                "tr",
                {},
                element(
                  "th",
                  { scope: "row" },
                  element(
                    "button",
                    { id: page.id(`try-${one.experiment}`), type: "button", "aria-pressed": String(one.experiment === current), disabled: running, onclick: () => ask("recall", { experiment: one.experiment }) },
                    one.called,
                  ),
                ),
                element("td", {}, clock(one.started)),
                element("td", { class: "exphub-number" }, one.finished < one.total ? `${one.finished.toLocaleString("en")} of ${one.total.toLocaleString("en")}` : one.total.toLocaleString("en")),
                ...["recall", "precision", "f1"].map((key) => element("td", { class: "exphub-number" }, decimal(one.points[key]))),
                ...[one.newly_wrong, one.newly_right].map((n) => element("td", { class: "exphub-number" }, n === null ? "–" : n.toLocaleString("en"))),
              ),
            ),
          ),
        ),
        tries > history.length ? element("p", {}, `… and ${(tries - history.length).toLocaleString("en")} earlier ones: %exphub list`) : null,
      ]
    : [];

const savedParts = (page) => (saved) =>
  saved
    ? [
        element("p", { role: "status" }, saved.said, " "),
        saved.free ? element("button", { id: page.id("free"), type: "button", onclick: () => page.save(saved.free) }, `Save as ${saved.free}`) : null,
      ]
    : [];

function drawer(model, pages) {
  return (body, shown, ask, root) => {
    let page = pages.get(body);
    if (!page) {
      page = frame(body, ask, model, root);
      pages.set(body, page);
      model.on("change:moving", page.run);
      page.run();
    }
    const { places, fields, state, text } = page;
    if (state.loaded !== shown.loaded) {
      state.loaded = shown.loaded;
      if (text.value !== shown.text) text.value = shown.text;
      text.rows = Math.min(16, Math.max(6, shown.text.split("\n").length + Math.ceil(shown.text.length / 90)));
    }
    state.kept = shown.text;
    if (!page.name.value) page.name.value = shown.file;
    const providers = shown.providers.includes(shown.settings.provider) ? shown.providers : [...shown.providers, shown.settings.provider];
    if (fields.provider.options.length !== providers.length) fields.provider.replaceChildren(...providers.map((value) => element("option", { value }, value)));
    for (const [key, field] of Object.entries(fields)) if (document.activeElement !== field) field.value = shown.settings[key];
    const free = shown.settings.provider === "builtin";
    const focused = document.activeElement;
    page.stopButton.hidden = !shown.running && focused !== page.stopButton;
    if (shown.running && focused === page.tryButton) page.stopButton.focus();
    page.tryButton.disabled = shown.running;
    if (!shown.running && focused === page.stopButton) page.tryButton.focus();
    page.stopButton.hidden = !shown.running;
    if (page.cell.value !== (shown.check.cell ?? "")) page.copied.textContent = "";
    page.cell.value = shown.check.cell ?? "";
    places.parent(shown.parent, parentLine);
    places.draft([shown.draft, shown.kept, shown.met, !shown.check.diff.length], draftLine(page, ask));
    places.check([shown.check.problem, shown.check.warnings, shown.check.reading], checkLines);
    places.slots(shown.check.slots, slotLines);
    places.diff(shown.check.diff, diffLines);
    places.cost([shown.check, shown.running, free], costLines);
    places.outcome([shown.outcome, shown.note, shown.running], outcomeParts(page, ask));
    places.case(shown.case, caseParts(page, ask));
    places.history([shown.history, shown.tries, shown.outcome?.experiment, shown.running], historyParts(page, ask));
    places.saved(shown.saved, savedParts(page));
    const after = { revert: text, kept: text, adopt: text, free: page.name }; // buttons that go once they are pressed
    const next = Object.keys(after).find((key) => focused?.id === page.id(key) || focused?.id.startsWith(page.id(`${key}-`)));
    if (next && !focused.isConnected && !document.getElementById(focused.id)) after[next].focus({ preventScroll: true });
    const current = shown.case?.narrative_id;
    for (const row of body.querySelectorAll("tr[data-case]")) row.toggleAttribute("data-current", row.dataset.case === current);
  };
}

export default {
  render: ({ model, el }) => {
    const pages = new Map();
    const close = panel("studio", drawer(model, pages))({ model, el });
    return () => {
      for (const page of pages.values()) model.off("change:moving", page.run);
      close();
    };
  },
};
