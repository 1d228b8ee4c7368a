// Every page: theme switch, menu on small screens, times in the reader's zone, double clicks.
(() => {
  const sameYear = (moment) => moment.getFullYear() === new Date().getFullYear();
  const localise = (within) => {
    for (const element of within.querySelectorAll("time[datetime]:not([data-local])")) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const parts = { day: "numeric", month: "short" };
      if (!sameYear(moment)) parts.year = "numeric";
      if (!element.hasAttribute("data-date")) Object.assign(parts, { hour: "2-digit", minute: "2-digit" });
      element.textContent = new Intl.DateTimeFormat("en-GB", parts).format(moment).replace(",", "");
      element.dataset.local = "";
    }
  };
  const nameTheme = () => {
    const dark = document.documentElement.dataset.bsTheme === "dark";
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.textContent = dark ? "Light mode" : "Dark mode";
      button.hidden = false;
    }
  };
  document.addEventListener("themechange", nameTheme);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-switch]")) window.switchTheme();
    const burger = event.target.closest("[data-burger]");
    if (burger) burger.setAttribute("aria-expanded", String(document.querySelector(".side").classList.toggle("open")));
  });
  // The server carries a form out once anyway; what it answers to the first click shall be what is seen.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    const now = Date.now();
    if (now - Number(form.dataset.sentAt || 0) < 1000) event.preventDefault();
    else form.dataset.sentAt = String(now);
  });
  document.addEventListener("DOMContentLoaded", () => {
    const side = document.querySelector(".side");
    if (side) side.classList.add("scripted");
    for (const burger of document.querySelectorAll("[data-burger]")) burger.hidden = false;
    nameTheme();
    localise(document);
  });
  document.addEventListener("htmx:load", (event) => localise(event.detail.elt));
})();
