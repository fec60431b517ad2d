SELECT task, who, weights, replace(replace(task, 'product of ', ''), 'two threads', '-j2') || iif(weights = 'bf16', '', ', ' || replace(weights, 'bf16 ', '')) AS what, 1 AS just, rate, unit, reached, bar, bar_of, reached / bar AS share,
       bytes / 1e6 AS megabytes, memory_mib, rounds
FROM bench
WHERE bar IS NOT NULL
ORDER BY rowid
