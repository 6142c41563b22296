// The menu "More": what is done now and then, in words and with its keys; by mouse and by arrows.

class Menu {
  constructor(stage, button) {
    this.stage = stage;
    this.button = button;
    button.setAttribute("aria-haspopup", "menu");
    button.setAttribute("aria-expanded", "false");
    this.outside = (event) => {
      if (!this.list.contains(event.target) && !button.contains(event.target)) this.close();
    };
  }

  toggle() {
    if (this.list) this.close({ focus: true });
    else this.open();
  }

  open() {
    const { stage } = this;
    this.list = make("div", "rk-menu", { role: "menu", "aria-label": "More" });
    const groups = new Map();
    const { actions } = stage.controls;
    for (const action of Object.values(actions).sort((a, b) => (a.group === "Help") - (b.group === "Help"))) {
      if (!action.group) continue;
      if (!groups.has(action.group)) groups.set(action.group, []);
      groups.get(action.group).push(action);
    }
    for (const [name, actions] of groups) {
      const part = make("div", "rk-menu-part", { role: "group", "aria-label": name });
      part.append(make("div", "rk-menu-head", { "aria-hidden": "true" }, name));
      part.append(...actions.map((action) => this.item(action)));
      this.list.append(part);
    }
    this.list.addEventListener("keydown", (event) => this.press(event));
    stage.ports.append(this.list);
    this.button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", this.outside, true);
    this.items[0]?.focus({ preventScroll: true });
  }

  item(action) {
    const one = make("button", `rk-menu-item rk-more-${action.name}`, { type: "button", role: "menuitem", tabindex: -1 });
    one.append(make("span", "", {}, sentence(action.tip)), make("kbd", "", {}, keyName(action.keys.at(-1) || "")));
    one.addEventListener("click", () => {
      this.close({ focus: true });
      this.stage.keys.run(action.name);
    });
    return one;
  }

  get items() {
    return [...this.list.querySelectorAll(".rk-menu-item")];
  }

  press(event) {
    const items = this.items;
    const here = items.indexOf(document.activeElement);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) items[(to + items.length) % items.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") this.close({ focus: true });
    else if (event.key !== "Enter" && event.key !== " ") return;
    else items[here]?.click();
    event.preventDefault();
    event.stopPropagation();
  }

  close({ focus = false } = {}) {
    document.removeEventListener("pointerdown", this.outside, true);
    this.list?.remove();
    this.list = null;
    this.button.setAttribute("aria-expanded", "false");
    if (focus) this.stage.root.focus({ preventScroll: true });
  }
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
