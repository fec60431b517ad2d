SELECT task, who, weights, CASE who WHEN 'kick' THEN weights ELSE who || ' ' || weights END AS what,
       rate, unit, of_limit, of_limit_low, of_limit_high, to_first, to_first_low, to_first_high, reached, bar, bar_of, bytes / 1e6 AS megabytes, memory_mib, rounds, verdict
FROM bench
WHERE task IN ('perplexity', 'decoding') OR task LIKE 'SparseGPT%'
ORDER BY rowid
