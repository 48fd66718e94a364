// One narrative at a time, decided by keys. The frame is built once and filled anew, so that focus, caret and what is
// being typed stay.

const KEYS = [
  ["y", "yes"], ["n", "no"], ["u", "unsure"], ["z", "take the last back"], ["j →", "next"], ["k ←", "previous"],
  ["m /", "write a note; Enter or Escape leaves it"], ["e", "put the selected words into the note"],
  ["a", "agreement and effect"], ["r", "draw the queue up anew, by what others have said since"], ["?", "these keys"],
];
const UNREAD = 400; // milliseconds in which a narrative that came on leaving a note has not been read
const frames = new WeakMap(); // what stands in the page, by its body

function fill(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

function key(name) {
  return element("kbd", { "aria-hidden": "true" }, name);
}

function button(id, shortcut, ...words) {
  return element("button", { id: `review-${id}`, type: "button", "aria-keyshortcuts": shortcut }, ...words, key(shortcut));
}

function table(head, rows, numbers = []) {
  const kind = (column) => (numbers.includes(column) ? "exphub-number" : null);
  return element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((name, column) => element("th", { scope: "col", class: kind(column) }, name)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell, column) =>
      element(column ? "td" : "th", { scope: column ? null : "row", class: kind(column) }, cell))))));
}

// --- the frame ---------------------------------------------------------------------------------------------

function built(body, ask, root) {
  const part = {
    head: element("div"),
    bar: element("progress", { max: 1, value: 0, "aria-label": "decided" }),
    count: element("span", { role: "status" }),
    hints: element("div"),
    last: element("p", { class: "review-last", "aria-live": "polite" }),
    name: element("h3"),
    why: element("div"),
    text: element("div", { id: "review-text", class: "exphub-text", tabindex: 0, role: "document", "aria-label": "the narrative" }),
    side: element("div", { class: "review-side" }),
    yes: button("yes", "y", "Yes "),
    no: button("no", "n", "No "),
    unsure: button("unsure", "u", "Unsure "),
    undo: button("undo", "z", "Undo "),
    previous: button("previous", "k", "‹ Previous "),
    next: button("next", "j", "Next › "),
    note: element("input", { id: "review-note", type: "text", maxlength: 2000, autocomplete: "off", placeholder: "a note on this narrative, kept with the decision" }),
    quote: button("quote", "e", "Quote selection "),
    agree: button("figures", "a", "Agreement and effect "),
    again: button("again", "r", "Refresh "),
    help: button("help", "?", "Keys "),
    keys: element("div", { class: "review-keys", hidden: true }, table(["key", "what it does"], KEYS)),
    figures: element("div"),
    trail: element("details", { id: "review-trail" }),
    prompt: element("pre", { class: "exphub-text" }),
    idle: element("p", { class: "review-hint review-idle" }, "Click into the narrative: from then on the keys work."),
    work: element("div"),
    missed: element("p", { class: "review-hint review-missed", role: "status" }),
    shown: null,
    noted: "", // the note of the narrative that is shown as the kernel has it, or will once it has heard all
    leaving: false, // whether what the kernel was asked last may show another narrative
    selected: "", // the words of the narrative that were selected last
    held: null, // what is to be shown once the note that is being written is left
    came: -UNREAD, // when what was held was shown
    aimed: null, // the narrative that was there when the pointer went down
  };
  part.help.setAttribute("aria-expanded", "false");
  fill(part.work,
    element("div", { class: "review-title" }, part.name, part.why),
    element("div", { class: "review-columns" }, part.text, part.side),
    element("div", { class: "review-bar", role: "group", "aria-label": "decision" },
      part.yes, part.no, part.unsure, element("span", { class: "review-gap" }), part.undo, part.previous, part.next),
    part.idle, part.missed,
    element("div", { class: "review-bar" }, element("label", { class: "review-note" }, element("span", {}, "Note ", key("m")), part.note), part.quote),
    part.last, part.trail);
  listen(part, ask, root);
  part.note.onblur = () => {
    const { held } = part;
    part.held = null;
    if (held === null) return;
    part.came = performance.now();
    part.missed.textContent = "";
    draw(body, held, ask, root);
  };
  body.append(
    part.head,
    element("div", { class: "review-bar" }, part.bar, part.count),
    part.hints,
    element("details", {}, element("summary", { id: "review-prompt" }, "What the model was asked"), part.prompt),
    part.work,
    element("div", { class: "review-bar" }, part.agree, part.again, part.help),
    part.keys, part.figures);
  return part;
}

function listen(part, ask, root) {
  const item = () => part.shown.item;
  // While another narrative is on its way nobody has read it, and a key would fall on this one again: that it was not
  // taken is said. A note on its way leaves the narrative, so a decision may follow it at once.
  const settle = () => { part.leaving &&= root.hasAttribute("aria-busy") || part.held !== null; };
  const free = () => {
    if (!item()) return false;
    settle();
    const early = part.leaving || performance.now() - part.came < UNREAD;
    if (early) miss();
    else part.missed.textContent = "";
    return !early;
  };
  const miss = () => {
    part.missed.textContent =
      "That came before the next narrative was here, and was not taken: press it again once you have read this one.";
  };
  const leave = (action, said) => {
    part.leaving = true;
    part.missed.textContent = "";
    ask(action, said);
  };
  // A note that was not touched is not sent, so that one from another window or a file stays.
  const noted = () => (part.note.value === part.noted && part.noted === item().note ? null : part.note.value);
  const decide = (said) => {
    if (!free()) return;
    leave("decide", { narrative: item().narrative_id, note: noted(), ...said });
    part.noted = part.note.value;
    back(part);
  };
  const keep = () => {
    if (!item() || noted() === null) return;
    settle(); // before this one makes the panel busy again
    ask("note", { narrative: item().narrative_id, note: part.note.value });
    part.noted = part.note.value;
  };
  const quote = () => {
    const words = selection(part) || part.selected;
    if (!words) return;
    part.note.value = `${part.note.value} “${words.replace(/\s+/g, " ").slice(0, 500)}”`.trim();
    part.selected = "";
    keep();
    back(part);
  };
  const help = () => {
    part.keys.hidden = !part.keys.hidden;
    part.help.setAttribute("aria-expanded", String(!part.keys.hidden));
  };
  const step = (by) => {
    if (!item()) return;
    settle();
    if (!part.leaving) keep(); // a note that could not be kept before
    leave("step", { by });
  };
  const does = {
    y: () => decide({ flag: true }), n: () => decide({ flag: false }), u: () => decide({ unsure: true }),
    z: () => free() && (part.shown.undo || root.hasAttribute("aria-busy")) && leave("undo"), // a note may be on its way
    j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1),
    m: () => part.note.focus(), "/": () => part.note.focus(), e: quote,
    a: () => {
      settle();
      if (item()) ask("figures", { shown: !part.shown.figures });
    },
    r: () => leave("again"), "?": help,
  };
  const pressed = [["yes", "y"], ["no", "n"], ["unsure", "u"], ["undo", "z"], ["previous", "k"], ["next", "j"],
    ["quote", "e"], ["agree", "a"], ["again", "r"], ["help", "?"]];
  root.addEventListener("pointerdown", () => { part.aimed = item()?.narrative_id; }, true); // before a note is left by it
  for (const [name, shortcut] of pressed) {
    part[name].onclick = (event) => (event.detail && part.aimed !== item()?.narrative_id ? miss() : does[shortcut]());
  }
  part.quote.onmousedown = () => { part.selected = selection(part); }; // the click takes the selection away
  part.note.onchange = keep;
  part.note.onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    back(part); // leaving the field keeps the note
  };
  root.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.repeat || event.target.closest("input, select, textarea")) return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!Object.hasOwn(does, name)) return;
    event.preventDefault();
    event.stopPropagation();
    does[name]();
  });
}

// The words of the narrative that are selected.
function selection(part) {
  const chosen = document.getSelection();
  return chosen && part.text.contains(chosen.anchorNode) && part.text.contains(chosen.focusNode) ? chosen.toString().trim() : "";
}

// The focus goes where the next key works: to the text, unless a button has it that stays.
function back(part) {
  part.text.focus({ preventScroll: true });
}

// --- what fills it -----------------------------------------------------------------------------------------

function draw(body, shown, ask, root) {
  let part = frames.get(body);
  if (!part) frames.set(body, (part = built(body, ask, root)));
  const before = part.shown;
  // Nobody's note is cut short, or goes on at another narrative: that comes when the note is left.
  if (document.activeElement === part.note && before?.item && before.item.narrative_id !== shown.item?.narrative_id) {
    part.held = shown;
    part.missed.textContent = `Another narrative is here; it is shown once you leave the note on ${before.item.narrative_id} (Enter).`;
    return;
  }
  part.held = null;
  const held = document.activeElement;
  part.shown = shown;
  fill(part.head, element("strong", {}, `Review of ${shown.title}`), ` · coder ${shown.coder} · ${shown.content}`);
  part.bar.max = Math.max(shown.total, 1);
  part.bar.value = shown.done;
  part.count.textContent = `${shown.done.toLocaleString("en")} of ${shown.total.toLocaleString("en")} decided${ended(shown)}`;
  part.prompt.textContent = shown.prompt;
  fill(part.hints, shown.hints.map((hint) => element("p", { class: "review-hint" }, hint)));
  part.work.hidden = !shown.item;
  part.agree.disabled = !shown.item;
  if (shown.item) drawItem(part, shown, before);
  drawFigures(part, shown);
  // A button that has just been switched off hears no key, and loses the focus to the whole page a moment later.
  if (body.contains(held) && (held.disabled || held.closest("[hidden]"))) (shown.item ? part.text : part.again).focus({ preventScroll: true });
}

function ended(shown) {
  if (shown.total === 0) return ": nothing is in this queue; take another with --queue";
  return shown.done === shown.total ? ": all are decided, and each can still be changed" : "";
}

function drawItem(part, shown, before) {
  const { item } = shown;
  const other = before?.item?.narrative_id !== item.narrative_id;
  part.name.textContent = [item.narrative_id, item.source, `${(shown.place + 1).toLocaleString("en")} of ${shown.total.toLocaleString("en")}`].filter(Boolean).join(" · ");
  fill(part.why, item.why.map((reason) => element("p", {}, reason)));
  if (other || before.item.open !== item.open) {
    fill(part.text, item.parts.map(([words, quoted]) => (quoted ? element("mark", { title: "quoted by the rational" }, words) : words)));
    part.text.scrollTop = 0;
  }
  // What is being written, or is on its way to the kernel, stays.
  if (other || (item.note !== before.item.note && part.note.value === part.noted)) part.note.value = part.noted = item.note;
  for (const word of ["yes", "no", "unsure"]) part[word].setAttribute("aria-pressed", String(item.word === word));
  part.previous.disabled = shown.place === 0;
  part.next.disabled = shown.place === shown.total - 1;
  part.undo.disabled = !shown.undo;
  part.undo.title = shown.undo ? `takes back what you said last, of ${shown.undo}` : "there is nothing to take back";
  drawSide(part, item);
  fill(part.last, shown.last && ["You said ", element("strong", {}, shown.last.word), ` of ${shown.last.narrative_id} · `, opinions(shown.last)]);
  fill(part.trail, element("summary", {}, `Everything said of this narrative (${item.trail.length})`),
    table(["coder", "said", "note", "when (UTC)", "how"], item.trail.map((row) => [row.coder, row.word, row.note, row.when, row.how])));
  part.trail.hidden = item.trail.length === 0;
}

function opinions(item) {
  const model = `model ${item.model.word}${item.model.confidence ? `, confidence ${item.model.confidence}` : ""}`;
  return [model, ...item.coders.map((one) => `${one.coder} ${one.word}`)].join(" · ");
}

function drawSide(part, item) {
  if (!item.open) {
    fill(part.side, element("p", { class: "review-hint" }, "What the model and other coders say is shown here once you have decided."));
    return;
  }
  const sure = item.model.confidence ? `, confidence ${item.model.confidence}` : "";
  fill(part.side,
    item.word !== "undecided" && [element("h4", {}, "you"), element("p", {}, item.word)],
    element("h4", {}, "model"), element("p", {}, `${item.model.word}${sure}`),
    item.model.rational && element("div", { class: "exphub-text review-rational", tabindex: 0, "aria-label": "the rational" }, item.model.rational),
    item.coders.flatMap((one) => [element("h4", {}, one.coder), element("p", {}, one.word, one.note && `: ${one.note}`)]));
}

function drawFigures(part, shown) {
  part.agree.setAttribute("aria-expanded", String(Boolean(shown.figures)));
  if (!shown.figures) return fill(part.figures);
  const { pairs, note, effect } = shown.figures;
  const rows = pairs.map((pair) => [
    `${pair.first} and ${pair.second}`, pair.n.toLocaleString("en"), pair.agreement.value, pair.agreement.interval,
    pair.kappa.value, pair.kappa.interval, pair.unsure.toLocaleString("en"), pair.why]);
  fill(part.figures,
    element("h4", {}, "Agreement, over the narratives that both flagged"),
    rows.length ? table(["coders", "n", "agreement", "95 % interval", "κ", "95 % interval", "unsure", ""], rows, [1, 2, 3, 4, 5, 6])
      : element("p", {}, "No other coder has decided what you have."),
    element("p", { class: "review-hint" }, note),
    element("h4", {}, "What the decisions do to the figures"),
    element("p", {}, effect.summary), element("p", { class: "review-hint" }, effect.note),
    table(effect.head, effect.rows, [1, 2, 3, 4, 5, 6]));
}

export default { render: panel("review", draw) };
