"use strict";
// Tables sort by the column whose head is pressed, first upwards, then downwards.
document.querySelectorAll("th button").forEach(function (button) {
    button.addEventListener("click", function () {
        var head = button.parentNode, body = head.closest("table").tBodies[0];
        var column = head.cellIndex, numbers = head.classList.contains("n");
        var down = head.getAttribute("aria-sort") === "ascending";
        var rows = Array.prototype.map.call(body.rows, function (row, place) {
            var text = row.cells[column].textContent;
            return { row: row, place: place, text: text, value: parseFloat(text) };
        });
        rows.sort(function (a, b) {
            var empty = (a.text === "–") - (b.text === "–");
            var order = numbers ? a.value - b.value : a.text.localeCompare(b.text, "en", { numeric: true });
            return empty || (down ? -order : order) || a.place - b.place;
        });
        head.parentNode.querySelectorAll("th").forEach(function (other) {
            other.setAttribute("aria-sort", "none");
        });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        rows.forEach(function (entry) {
            body.appendChild(entry.row);
        });
    });
});
