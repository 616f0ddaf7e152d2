// Hides the sources that do not match while somebody types. Enter asks the server, which finds the same; that is also
// how it works without this script, and where a filter is already in the address.

const main = document.getElementById("main");
const isWhole = !new URLSearchParams(location.search).get("q");

// The words that the server compares: title and name, state, owners and group.
function said(row) {
  const [name, state, , , , , , owners] = row.cells;
  return [name.textContent, state.textContent, owners.textContent, row.dataset.group ?? ""].join(" ").toLowerCase();
}

function narrow() {
  const field = document.getElementById("q");
  if (!field || !isWhole) return;
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let count = 0;
  for (const body of document.querySelectorAll(".sources tbody")) {
    const rows = [...body.rows].filter((row) => !row.matches(".group"));
    for (const row of rows) row.hidden = !words.every((word) => said(row).includes(word));
    const found = rows.filter((row) => !row.hidden).length;
    body.hidden = !found;
    shown += found;
    count += rows.length;
  }
  document.getElementById("shown").textContent = words.length ? `${shown} of ${count} sources` : "";
}

main.addEventListener("input", (event) => event.target.id === "q" && narrow());
document.addEventListener("health:replaced", narrow);
