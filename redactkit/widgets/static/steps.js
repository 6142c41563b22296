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

  close() {
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
