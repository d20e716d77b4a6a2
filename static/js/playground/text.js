// Text as it was written; what stands between ``` fences is set as code. Never as HTML.

export function show(place, text) {
  text.split(/^```[^\n]*\n?/m).forEach((part, index) => {
    if (!part.trim()) return;
    if (index % 2) {
      const block = place.appendChild(document.createElement("pre"));
      block.tabIndex = 0;
      block.appendChild(document.createElement("code")).textContent = part.replace(/\n$/, "");
    } else {
      place.appendChild(document.createElement("p")).textContent = part.trim();
    }
  });
}
