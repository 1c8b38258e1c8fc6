// Theme, copying, and the filters of the index. Without any of it the pages are whole.
"use strict";

const themes = ["", "light", "dark"];
const spoken = { "": "auto", light: "light", dark: "dark" };

function remembered() {
  try { const theme = localStorage.getItem("theme") || ""; return themes.includes(theme) ? theme : ""; }
  catch { return ""; }  // a browser that keeps nothing of files
}

function dress(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

dress(remembered());  // before anything is drawn

function say(text) { document.querySelector(".said").textContent = text; }

function themeButton() {
  const button = document.querySelector("button.theme");
  let theme = remembered();
  const label = () => { button.textContent = "Theme: " + spoken[theme]; };
  label();
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    dress(theme);
    label();
    say(button.textContent);
    try { localStorage.setItem("theme", theme); } catch { /* for this page alone */ }
  });
}

async function copy(text) {
  try { await navigator.clipboard.writeText(text); return true; }
  catch {
    const area = document.createElement("textarea");  // where files may not touch the clipboard
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function copyButtons() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copy(button.parentElement.querySelector("code").textContent);
      button.focus();
      button.textContent = done ? "Copied" : "Select it";
      say(done ? "Copied" : "It could not be copied");
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
}

function filters() {
  const form = document.querySelector("form.filters");
  if (!form) return;
  const names = ["q", "room", "verdict", "paper", "teeth"];
  const groups = [...document.querySelectorAll(".group")].map((group) => ({
    group, room: group.dataset.room, paper: group.dataset.paper, title: group.querySelector("h3").textContent.toLowerCase(),
    rows: [...group.querySelectorAll("li")].map((row) => ({
      row, verdict: row.dataset.verdict, twins: +row.dataset.twins, refuted: +row.dataset.refuted,
      mutants: +row.dataset.mutants, text: "",
    })),
  }));
  const total = groups.reduce((n, g) => n + g.rows.length, 0);
  const idle = new Set(["not run", "not checked", "pending"]);
  const bites = {
    "": () => true, twins: (r) => r.twins > 0, survive: (r) => r.refuted < r.twins && !idle.has(r.verdict),
    mutants: (r) => r.mutants > 0, none: (r) => !r.twins && !r.mutants,
  };
  const plain = (text) => text.toLowerCase().replace(/\s+/g, " ");
  const state = () => Object.fromEntries(names.map((name) => [name, form.elements[name].value]));

  function show() {
    const s = state(), words = plain(s.q).trim().split(" ").filter(Boolean);
    let n = 0;
    for (const g of groups) {
      let here = 0;
      const mine = (!s.room || g.room === s.room) && (!s.paper || g.paper === s.paper);
      for (const r of g.rows) {
        if (words.length && !r.text) r.text = plain(r.row.textContent) + " " + g.title;
        const seen = mine && (!s.verdict || s.verdict === r.verdict || (s.verdict === "checked" && !idle.has(r.verdict)))
          && bites[s.teeth](r) && words.every((word) => r.text.includes(word));
        r.row.hidden = !seen;
        here += seen;
      }
      g.group.hidden = !here;
      n += here;
    }
    const all = total.toLocaleString("en"), some = n.toLocaleString("en");
    document.getElementById("tally").textContent = n === total ? all + " claims" : some + " of " + all + " claims";
    document.getElementById("none").hidden = n > 0;
  }

  function write() {
    const hash = new URLSearchParams(Object.entries(state()).filter(([, value]) => value)).toString();
    if (hash !== location.hash.slice(1)) {
      try { history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search); }
      catch { location.replace("#" + hash); }  // where files have no history
    }
  }

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    if (location.hash && ![...given.keys()].some((key) => names.includes(key))) return false;  // an anchor
    for (const name of names) {
      const field = form.elements[name], value = given.get(name) || "";
      field.value = field.tagName === "SELECT" && ![...field.options].some((o) => o.value === value) ? "" : value;
    }
    show();
    return given.size > 0;
  }

  form.hidden = false;
  form.addEventListener("input", () => { show(); write(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { show(); write(); form.elements.q.focus(); }));
  document.querySelector("[data-clear]").addEventListener("click", () => form.reset());
  addEventListener("hashchange", () => { if (read()) document.getElementById("claims").scrollIntoView(); });
  addEventListener("keydown", (event) => {
    const typing = /^(input|select|textarea)$/i.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      form.elements.q.focus();
    }
  });
  if (read()) document.getElementById("claims").scrollIntoView();
}

addEventListener("DOMContentLoaded", () => { themeButton(); copyButtons(); filters(); });
