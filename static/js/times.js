// Exact times in the reader's own time zone; the server writes UTC for readers without JavaScript.

const format = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "long",
});

function tell(root) {
  for (const element of root.querySelectorAll("time[datetime][title]")) {
    const exact = format.format(new Date(element.dateTime));
    element.title = exact;
    if (element.dataset.exact !== undefined) element.textContent = exact;
  }
}

tell(document);
document.addEventListener("htmx:afterSwap", (event) => tell(event.detail.target));
