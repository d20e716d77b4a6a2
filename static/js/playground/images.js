// Images of the message to come, as data URLs: they go to the model and nowhere else.

const BYTES_MAX = 5 * 1024 * 1024;
const IMAGES_MAX = 4;

const input = document.getElementById("images");
const thumbs = document.getElementById("thumbs");
let held = [];

export const images = () => held;

export function drop() {
  held = [];
  draw();
}

// Calls `refuse` when a file is too large, or one too many.
export function watch(refuse) {
  input.addEventListener("change", async () => {
    const files = [...input.files];
    input.value = "";
    if (held.length + files.length > IMAGES_MAX || files.some((file) => file.size > BYTES_MAX)) {
      refuse();
      return;
    }
    held = [...held, ...(await Promise.all(files.map(read)))];
    draw();
  });
}

function read(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function draw() {
  thumbs.hidden = held.length === 0;
  thumbs.replaceChildren(
    ...held.map((url, index) => {
      const thumb = document.getElementById("thumb").content.firstElementChild.cloneNode(true);
      thumb.querySelector("img").src = url;
      thumb.querySelector("button").addEventListener("click", () => {
        held = held.filter((_, place) => place !== index);
        draw();
      });
      return thumb;
    }),
  );
}
