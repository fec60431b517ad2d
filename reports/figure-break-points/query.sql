-- Where each capability first falls under 95 % of the dense model's: the sparsity, or the bits.
WITH s AS (SELECT w.*, v.role, v.model, v.method_label AS dense_label,
           CASE w.task WHEN 'perplexity' THEN 'Perplexity' WHEN 'factoid' THEN 'Factoid QA' WHEN 'choice' THEN 'Multiple choice'
                WHEN 'retrieval' THEN CASE w.mode WHEN 'open' THEN 'Open-book QA' ELSE 'Closed-book QA' END
                WHEN 'summary' THEN 'Summaries' WHEN 'chat' THEN 'Instructions' END AS capability,
           CASE w.task WHEN 'perplexity' THEN 0 WHEN 'factoid' THEN 1 WHEN 'retrieval' THEN CASE w.mode WHEN 'open' THEN 3 ELSE 2 END
                WHEN 'choice' THEN 4 WHEN 'summary' THEN 5 ELSE 6 END AS place,
           (SELECT max(method_label) FROM variant AS m WHERE m.method = w.method) AS series,
           (SELECT min(score.low) FROM variant AS d JOIN result AS r ON r.variant_id = d.id JOIN score ON score.result_id = r.id
            WHERE d.id = w.checkpoint_id AND r.task = w.task AND r.data_digest = w.data_digest AND r.definition = w.definition
                  AND score.rule = 'strict' AND score.part_kind = 'all') AS dense_low
           FROM sweep AS w JOIN variant AS v ON v.id = w.checkpoint_id
           WHERE CASE w.task WHEN 'perplexity' THEN w.metric = 'nll_mean' AND w.data_digest = (SELECT min(text_digest) FROM perplexity WHERE text =
                               (SELECT text FROM (SELECT DISTINCT text FROM perplexity) ORDER BY text <> 'mixed', text LIMIT 1))
                             WHEN 'choice' THEN w.metric = 'strict' AND json_extract(w.definition, '$.shots') = 0
                             WHEN 'summary' THEN w.metric = 'consistency' AND w.judge <> '' WHEN 'chat' THEN w.metric = 'relevance' AND w.judge <> ''
                             ELSE w.metric = 'strict' END)
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, capability, series, axis, points,
       CASE axis WHEN 'sparsity' THEN 100 * break_point ELSE break_point END AS break_point,
       CASE axis WHEN 'sparsity' THEN 100 * low ELSE low END AS low, CASE axis WHEN 'sparsity' THEN 100 * high ELSE high END AS high,
       CASE axis WHEN 'sparsity' THEN 100 * first_failure ELSE first_failure END AS first_failure,
       CASE axis WHEN 'sparsity' THEN 100 * last_pass ELSE last_pass END AS last_pass,
       CASE WHEN axis = 'sparsity' THEN coalesce(100 * break_point, 100) END AS plotted,
       CASE WHEN axis = 'sparsity' AND break_point IS NOT NULL THEN 100 * coalesce(low, break_point) END AS plotted_low,
       CASE WHEN axis = 'sparsity' AND break_point IS NOT NULL THEN 100 * coalesce(high, 0.85) END AS plotted_high
FROM s
ORDER BY CASE role WHEN 'large' THEN 0 WHEN 'small' THEN 1 WHEN 'other' THEN 2 ELSE 3 END, model, axis DESC, place,
         CASE method WHEN 'magnitude' THEN 0 WHEN 'wanda' THEN 1 WHEN 'sparsegpt' THEN 2 ELSE 3 END, series, judge, data_digest
