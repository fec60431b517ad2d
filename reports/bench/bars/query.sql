SELECT task, who, weights, replace(task, 'product of ', '') || ', ' || replace(weights, 'bf16 ', '') AS what, rate, unit, reached, bar, bar_of, reached / bar AS share,
       bytes / 1e6 AS megabytes, memory_mib, rounds
FROM bench
WHERE bar IS NOT NULL
ORDER BY rowid
