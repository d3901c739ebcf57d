"use strict";
// Filters the specs. Everything the page has to say is there without this script.
(() => {
  const $ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const form = document.getElementById("filter");
  if (!form) return;
  const row = document.getElementById("row");
  const query = document.getElementById("query");
  const reset = document.getElementById("reset");
  const unfold = document.getElementById("unfold");
  const chips = $("button[data-state]", form);
  const groups = $(".group").map(el => ({
    el, row: el.dataset.row,
    specs: $(".spec", el).map(li => ({ li, state: li.dataset.state, text: li.textContent.toLowerCase() })),
  }));
  const total = groups.reduce((n, g) => n + g.specs.length, 0);
  const pressed = button => button.getAttribute("aria-pressed") === "true";

  const apply = () => {
    const states = chips.filter(pressed).map(c => c.dataset.state);
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const group of groups) {
      let any = false;
      for (const spec of group.specs) {
        const match = (!row.value || row.value === group.row) &&
          (!states.length || states.includes(spec.state)) && words.every(w => spec.text.includes(w));
        spec.li.hidden = !match;
        if (match) { any = true; shown++; }
      }
      group.el.hidden = !any;
    }
    const active = shown < total || states.length > 0 || row.value !== "" || words.length > 0;
    document.getElementById("shown").textContent = active ? `${shown} of ${total} specs shown` : `${total} specs`;
    document.getElementById("nothing").hidden = shown > 0;
    reset.disabled = !active;
    // The address holds the filter, so that a filtered view can be sent to somebody.
    const hash = new URLSearchParams();
    if (states.length) hash.set("state", states.join(","));
    if (row.value) hash.set("row", row.value);
    if (query.value.trim()) hash.set("q", query.value.trim());
    const wanted = hash.toString();
    if (wanted || fromAddress()) history.replaceState(null, "", wanted ? "#" + wanted : location.pathname + location.search);
  };

  const fromAddress = () => {
    const hash = location.hash.slice(1);
    return /^(state|row|q)=/.test(hash) ? new URLSearchParams(hash) : null;
  };
  const choose = states => chips.forEach(c => c.setAttribute("aria-pressed", String(states.includes(c.dataset.state))));
  const clear = () => { choose([]); row.value = ""; query.value = ""; };

  // A link to a spec that the filter hides would lead nowhere.
  const follow = () => {
    const hash = fromAddress();
    if (hash) {
      choose((hash.get("state") || "").split(","));
      row.value = hash.get("row") || "";
      query.value = hash.get("q") || "";
      apply();
      return;
    }
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.closest("[hidden]")) {
      const anchor = location.hash;
      clear();
      apply();
      history.replaceState(null, "", anchor);
      target.scrollIntoView();
    }
  };

  for (const chip of chips) chip.addEventListener("click", () => { chip.setAttribute("aria-pressed", String(!pressed(chip))); apply(); });
  for (const link of $(".tallies a")) link.addEventListener("click", () => {
    choose([link.dataset.state]);
    // After the browser has followed the link, since the filter replaces the address.
    setTimeout(apply);
  });
  row.addEventListener("change", apply);
  query.addEventListener("input", apply);
  reset.addEventListener("click", () => { clear(); apply(); query.focus(); });
  form.addEventListener("submit", event => event.preventDefault());

  const folds = $(".spec details");
  unfold.addEventListener("click", () => {
    const open = !pressed(unfold);
    folds.forEach(d => { d.open = open; });
    unfold.setAttribute("aria-pressed", String(open));
    unfold.textContent = open ? "Fold all" : "Unfold all";
  });

  if (navigator.clipboard) for (const button of $(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.closest(".replay").querySelector("pre").textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed";
      }
    });
  }

  // Paper cannot be unfolded.
  let folded = [];
  addEventListener("beforeprint", () => { folded = $("details:not([open])"); folded.forEach(d => { d.open = true; }); });
  addEventListener("afterprint", () => folded.forEach(d => { d.open = false; }));
  addEventListener("hashchange", follow);

  form.hidden = false;
  follow();
})();
