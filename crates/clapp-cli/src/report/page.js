// A click on the head of a table sorts it by that column, a second one the other way round.
for (const head of document.querySelectorAll("table.sortable th")) {
  head.addEventListener("click", () => {
    const row = head.parentNode, body = row.parentNode.nextElementSibling;
    const column = [...row.children].indexOf(head), up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of row.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const text = line => line.children[column].textContent;
    const by = (a, b) => text(a).localeCompare(text(b), "en", { numeric: true });
    [...body.rows].sort((a, b) => (up ? by(a, b) : by(b, a))).forEach(line => body.append(line));
  });
}
