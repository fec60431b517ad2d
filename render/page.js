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

// Samples: lists to choose by, filled from the samples; what is not chosen is hidden.
document.querySelectorAll(".samples").forEach(function (box) {
    var lists = box.querySelectorAll("select"), articles = box.querySelectorAll("article");
    function show() {
        articles.forEach(function (article) {
            article.hidden = Array.prototype.some.call(lists, function (list) {
                return list.value && article.getAttribute("data-f" + list.dataset.filter) !== list.value;
            });
        });
    }
    lists.forEach(function (list, i) {
        var seen = {};
        list.add(new Option("all", ""));
        articles.forEach(function (article) {
            var value = article.getAttribute("data-f" + list.dataset.filter);
            if (!seen[value]) {
                seen[value] = true;
                list.add(new Option(value, value));
            }
        });
        list.selectedIndex = i === 0 || i === lists.length - 1 ? 0 : 1;
        list.addEventListener("change", show);
    });
    if (lists.length) show();
});
