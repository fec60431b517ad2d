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
                             WHEN 'summary' THEN w.metric = 'consistency' AND w.judge = (SELECT judge FROM shown_judge WHERE task = 'summary')
                             WHEN 'chat' THEN w.metric = CASE w.judge WHEN 'overlap' THEN 'relevance' ELSE 'overall' END
                                              AND w.judge = (SELECT judge FROM shown_judge WHERE task = 'chat')
                             ELSE w.metric = 'strict' END)
