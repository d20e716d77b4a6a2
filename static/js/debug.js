// Counts down to the end of debug mode; without JavaScript the time itself stands there.

const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
const STEPS = [["hour", 3600], ["minute", 60], ["second", 1]];

function tell(element) {
  const left = Math.ceil((new Date(element.dataset.until) - Date.now()) / 1000);
  if (left <= 0) {
    location.reload(); // the server says what is now
    return false;
  }
  const [unit, size] = STEPS.find(([, size]) => left >= size);
  element.textContent = format.format(Math.floor(left / size), unit);
  return true;
}

for (const element of document.querySelectorAll("[data-until]")) {
  const timer = setInterval(() => tell(element) || clearInterval(timer), 1000);
  tell(element);
}
