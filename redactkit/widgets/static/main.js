// What anywidget calls: one stage for each place on the page where the widget is shown.

export default {
  render({ model, el }) {
    el.classList.add("rk-front-place");
    const stage = new Stage(model, el);
    return () => stage.close();
  },
};
