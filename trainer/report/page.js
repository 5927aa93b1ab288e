// The gallery's switches: a checked box shows its layer in every sample.
const gallery = document.getElementById("gallery");
for (const box of gallery.querySelectorAll("input[data-layer]")) {
  const show = () => gallery.classList.toggle("show-" + box.dataset.layer, box.checked);
  box.addEventListener("change", show);
  show();
}
