-- What was asked and read: one row a task and data set.
SELECT CASE r.task WHEN 'perplexity' THEN 'Perplexity' WHEN 'divergence' THEN 'Distance from dense' WHEN 'factoid' THEN 'Factoid QA' WHEN 'choice' THEN 'Multiple choice'
            WHEN 'retrieval' THEN CASE r.mode WHEN 'open' THEN 'Open-book QA' ELSE 'Closed-book QA' END WHEN 'summary' THEN 'Summaries' WHEN 'chat' THEN 'Instructions' ELSE r.task END AS capability,
       r.data_name,
       CASE r.task WHEN 'perplexity' THEN 'WikiText-2' WHEN 'factoid' THEN 'FreebaseQA' WHEN 'choice' THEN 'MMLU' WHEN 'retrieval' THEN 'TriviaQA'
                   WHEN 'summary' THEN 'CNN/DailyMail' WHEN 'chat' THEN 'MT-Bench' END AS in_the_paper,
       max(r.record_count - 1) AS records, count(DISTINCT r.variant_id) AS variants,
       max(json_extract(r.definition, '$.strict')) AS rule, substr(r.data_digest, 1, 12) AS digest
FROM result AS r WHERE r.judge IS NULL
GROUP BY r.task, r.mode, r.data_name, r.data_digest
ORDER BY CASE r.task WHEN 'perplexity' THEN 0 WHEN 'divergence' THEN 1 WHEN 'factoid' THEN 2 WHEN 'choice' THEN 3 WHEN 'retrieval' THEN 4 WHEN 'summary' THEN 5 ELSE 6 END,
         r.mode, r.data_name, r.data_digest
