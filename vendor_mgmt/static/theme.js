// Follows the colours that the system asks for. Loaded before the page is drawn, so that nothing flashes; the page reads well without it.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  follow();
  dark.addEventListener("change", follow);
  document.documentElement.classList.add("has-script");
})();
