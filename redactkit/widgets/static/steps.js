// The head of the workbench: which video, and the steps with how each stands.

class Steps {
  constructor(model, el) {
    this.model = model;
    this.root = make("div", "rk-head");
    this.name = make("b", "rk-head-name");
    this.steps = make("nav", "rk-steps", { "aria-label": "Steps" });
    this.root.append(this.name, this.steps);
    el.append(this.root);
    this.draw = () => this.refresh();
    for (const name of ["step", "states", "name"]) model.on(`change:${name}`, this.draw);
    this.keys = () => this.passKeys();
    model.on("change:step", this.keys);
    this.buttons = new Map(model.get("steps").map((step, place) => [step, this.button(step, place)]));
    this.steps.append(...this.buttons.values());
    this.refresh();
  }

  button(step, place) {
    const one = make("button", "rk-step", { type: "button" });
    one.append(make("span", "rk-step-number", { "aria-hidden": "true" }, String(place + 1)));
    one.append(make("b", "", {}, step), make("span", "rk-step-state"));
    one.addEventListener("click", () => {
      this.model.set("step", step);
      this.model.save_changes();
    });
    return one;
  }

  refresh() {
    const { model } = this;
    const [name, facts] = model.get("name");
    this.name.textContent = name;
    this.name.title = facts;
    for (const [step, one] of this.buttons) {
      const [text, colour] = model.get("states")[step] || ["", ""];
      const state = one.querySelector(".rk-step-state");
      state.textContent = text;
      state.dataset.colour = colour;
      if (step === model.get("step")) one.setAttribute("aria-current", "step");
      else one.removeAttribute("aria-current");
    }
  }

  // Whoever works in this room has the keys in the list of the new step; nobody is taken away from another place.
  passKeys() {
    const room = this.root.closest(".rk-workbench");
    const list = { Who: ".rk-who", Check: ".rk-check-list" }[this.model.get("step")];
    const before = document.activeElement;
    if (!room || !list || !room.contains(before)) return;
    const end = performance.now() + 3000;
    const wait = () => {
      const now = document.activeElement;
      if (!this.root.isConnected || (now !== before && now !== document.body)) return;
      const found = room.querySelector(`${list} .rk-cards-items`);
      if (found && found.offsetParent) found.focus({ preventScroll: true });
      else if (performance.now() < end) requestAnimationFrame(wait);
    };
    requestAnimationFrame(wait);
  }

  close() {
    this.model.off("change:step", this.keys);
    for (const name of ["step", "states", "name"]) this.model.off(`change:${name}`, this.draw);
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const steps = new Steps(model, el);
    return () => steps.close();
  },
};
