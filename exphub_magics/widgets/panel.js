// What the pages of all panels share. Texts of people and models are set as text, never as HTML.

const SILENCE = 4000; // milliseconds without an answer after which the page says so
const FOCUSED = ["button", "input", "select", "summary", "textarea"];

// An element: attributes (on… are listeners, booleans set or leave an attribute out), then texts and elements.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  // What may have the focus says itself that its keys are no commands of JupyterLab's, which looks at that element first.
  if (FOCUSED.includes(tag) || "tabindex" in attributes) made.setAttribute("data-lm-suppress-shortcuts", "true");
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

// A link to the kernel: ask(action, said) sends a request, `line` is where problems and silence are said.
function linked(model, root) {
  const line = element("div", { class: "exphub-line", role: "status", "aria-live": "polite" });
  let number = model.get("heard");
  let timer = null;
  const warn = (words) => {
    line.textContent = words;
    line.classList.add("exphub-problem");
    line.scrollIntoView({ block: "nearest" }); // whoever has pressed a button further down would not see it
  };
  const tell = () => {
    const waiting = number > model.get("heard");
    root.toggleAttribute("aria-busy", waiting);
    if (!waiting) {
      clearTimeout(timer);
      timer = null;
      line.textContent = model.get("problem");
      line.classList.toggle("exphub-problem", line.textContent !== "");
    }
  };
  const ask = (action, said = {}) => {
    number += 1;
    root.toggleAttribute("aria-busy", true);
    timer ??= setTimeout(
      () => warn("The kernel has not answered yet: it is at work, or was restarted. If it was, run %load_ext exphub_magics and then this cell again; the hub has kept everything."),
      SILENCE,
    );
    try {
      model.send({ ...said, action, number });
    } catch {
      warn("The kernel is gone: run %load_ext exphub_magics and then this cell again; the hub has kept everything.");
    }
  };
  model.on("change:heard change:problem", tell);
  return { ask, line, stop: () => model.off("change:heard change:problem", tell) };
}

// JupyterLab keeps Enter from breaking a line in a text field within a cell, so that is done here.
function newline(event) {
  const field = event.target;
  if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (field.tagName !== "TEXTAREA" || field.readOnly) return;
  event.preventDefault();
  event.stopPropagation();
  field.setRangeText("\n", field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertLineBreak" }));
}

// Draw what is shown into the cell, and again whenever that changes; the focus stays within it.
function panel(name, draw) {
  return ({ model, el }) => {
    const root = element("section", { class: `exphub-panel exphub-${name} mathjax_ignore`, "aria-label": `ExpHub ${name}`, tabindex: "-1" });
    const link = linked(model, root);
    const body = element("div");
    root.append(link.line, body);
    el.append(root);
    const again = (message) => {
      if (message.shown === undefined) return;
      const held = root.contains(document.activeElement) ? document.activeElement.id : null;
      draw(body, message.shown, link.ask, root);
      const active = document.activeElement;
      if (held === null || (root.contains(active) && !active.disabled)) return; // elsewhere, or moved on purpose
      const same = held && root.querySelector(`[id="${CSS.escape(held)}"]`);
      (same && !same.disabled ? same : root).focus({ preventScroll: true }); // the panel itself hears keys too
    };
    model.on("msg:custom", again);
    root.addEventListener("keydown", newline);
    link.ask("show");
    return () => {
      model.off("msg:custom", again);
      link.stop();
    };
  };
}
