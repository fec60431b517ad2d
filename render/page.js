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

// A line under each drawing tells the values of the marker that is pointed at, tapped, or reached by arrow keys.
document.querySelectorAll("figure svg").forEach(function (svg) {
    var marks = Array.prototype.filter.call(svg.querySelectorAll("path"), function (path) {
        return path.querySelector("title");
    });
    if (!marks.length) return;
    var line = document.createElement("output"), at = -1;
    svg.parentNode.appendChild(line);
    svg.setAttribute("tabindex", "0");
    function show(to) {
        if (at >= 0) marks[at].classList.remove("at");
        at = to;
        if (at >= 0) marks[at].classList.add("at");
        line.textContent = at < 0 ? "" : marks[at].querySelector("title").textContent;
    }
    function point(event) {
        var path = event.target.closest("path"), to = path ? marks.indexOf(path) : -1;
        if (to >= 0) show(to);
    }
    svg.addEventListener("pointerover", point);
    svg.addEventListener("click", point);
    svg.addEventListener("blur", function () {
        show(-1);
    });
    svg.addEventListener("keydown", function (event) {
        var step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        show(at < 0 && step < 0 ? marks.length - 1 : (at + step + marks.length) % marks.length);
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
