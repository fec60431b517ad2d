-- How the numbers came about, as a paragraph for a paper: one row a sentence, in TeX. Everything in it
-- is in the history of the results; keys of \cite are those of references.sql.
WITH cite (program, key) AS (VALUES
    ('magnitude', 'han2015'), ('wanda', 'sun2024'), ('sparsegpt', 'frantar2023sparsegpt'),
    ('gptq', 'frantar2022gptq'), ('awq', 'lin2024'), ('int8', 'dettmers2022')),
step_options AS (SELECT DISTINCT program, options, sides FROM step),
calibrated AS (SELECT json_extract(options, '$.count') AS count, json_extract(options, '$.seed') AS seed,
                      json_extract(options, '$.draw') AS draw, json_extract(sides, '$.calibration') AS text
               FROM step_options WHERE json_extract(sides, '$.calibration') IS NOT NULL),
method AS (
    SELECT v.method, v.method_label, min(v.compression) AS compression,
           (SELECT group_concat(x, ', ') FROM (SELECT DISTINCT printf('%g', 100 * w.sparsity_target) AS x FROM variant AS w
             WHERE w.method = v.method AND w.pattern IS NULL AND w.sparsity_target IS NOT NULL ORDER BY w.sparsity_target)) AS sparsities,
           (SELECT group_concat(x, ', ') FROM (SELECT DISTINCT w.pattern AS x FROM variant AS w
             WHERE w.method = v.method AND w.pattern IS NOT NULL ORDER BY w.pattern)) AS patterns,
           (SELECT group_concat(x, ', ') FROM (SELECT DISTINCT w.bits AS x FROM variant AS w
             WHERE w.method = v.method AND w.bits IS NOT NULL ORDER BY w.bits DESC)) AS bits
    FROM variant AS v WHERE v.compression IN ('unstructured', 'n:m', 'quantized') GROUP BY v.method, v.method_label),
asked AS (
    SELECT r.task, r.mode, r.data_name, max(r.record_count - 1) AS items,
           max(CASE WHEN r.task = 'choice' THEN json_extract(r.definition, '$.shots') END) AS shots,
           max(json_extract(r.definition, '$.strict')) AS strict
    FROM result AS r WHERE r.judge IS NULL AND r.task NOT IN ('perplexity', 'divergence') GROUP BY r.task, r.mode, r.data_name),
sentence (place, text) AS (
    SELECT 1, 'We follow the protocol of \cite{jaiswal2024}.'
    UNION ALL
    SELECT 2, 'The models are ' || group_concat(x, ', ') || '; ' || (SELECT count(*) FROM variant WHERE id <> checkpoint_id) || ' compressed variants of them were measured.'
    FROM (SELECT DISTINCT '\texttt{' || replace(model, '_', '\_') || '}' AS x FROM variant WHERE id = checkpoint_id ORDER BY role, model)
    UNION ALL
    SELECT 3 + row_number() OVER (ORDER BY m.compression DESC, m.method) / 1000.0,
           m.method_label || coalesce('~\cite{' || c.key || '}', '') ||
           coalesce(' prunes to ' || m.sparsities || '\,\%', '') ||
           CASE WHEN m.sparsities IS NOT NULL AND m.patterns IS NOT NULL THEN ' and to ' WHEN m.patterns IS NOT NULL THEN ' prunes to ' ELSE '' END ||
           coalesce(m.patterns, '') || coalesce(' quantizes to ' || m.bits || ' bits', '') || '.'
    FROM method AS m LEFT JOIN cite AS c ON c.program = m.method
    UNION ALL
    SELECT 4, 'Methods that look at data were calibrated on ' ||
           (SELECT group_concat(count, ', ') FROM (SELECT DISTINCT count FROM calibrated ORDER BY count)) || ' samples of ' ||
           (SELECT count(DISTINCT text) FROM calibrated) || ' text(s) (digest \texttt{' || min(text) || '}), drawn with the seeds ' ||
           (SELECT group_concat(seed, ', ') FROM (SELECT DISTINCT seed FROM calibrated ORDER BY seed)) || '.'
    FROM calibrated HAVING count(*) > 0
    UNION ALL
    SELECT 5, 'Perplexity is per token, on ' || group_concat(x, ', ') || '.'
    FROM (SELECT DISTINCT '\texttt{' || replace(r.data_name, '_', '\_') || '} (windows of ' || json_extract(r.definition, '$.window') || ' tokens)' AS x
          FROM result AS r WHERE r.task = 'perplexity' ORDER BY x) HAVING count(*) > 0
    UNION ALL
    SELECT 6 + row_number() OVER (ORDER BY a.task, a.mode, a.data_name) / 1000.0,
           CASE a.task WHEN 'factoid' THEN 'Factoid questions in the form of~\cite{jiang2019}' WHEN 'choice' THEN 'Multiple choice in the form of~\cite{hendrycks2021}'
                       WHEN 'retrieval' THEN 'Questions in the form of~\cite{joshi2017}, ' || coalesce(a.mode, '') || ' book'
                       WHEN 'summary' THEN 'Summaries in the form of~\cite{hermann2015}' WHEN 'chat' THEN 'Instructions in the form of~\cite{zheng2023}' ELSE a.task END ||
           ': ' || a.items || ' items of \texttt{' || replace(a.data_name, '_', '\_') || '}' ||
           coalesce(', with up to ' || a.shots || ' shots', '') || coalesce('; right means: ' || a.strict, '') || '.'
    FROM asked AS a
    UNION ALL
    SELECT 7, 'Summaries and answers were scored by ' || group_concat(x, ' and ') || '.'
    FROM (SELECT DISTINCT CASE judge WHEN 'overlap' THEN 'an automatic judge (overlap with source and reference, likelihood under the dense model)'
                               ELSE '\texttt{' || replace(judge, '_', '\_') || '}' END AS x FROM result WHERE judge IS NOT NULL ORDER BY x) HAVING count(*) > 0
    UNION ALL
    SELECT 8, 'The distance from the dense model is the mean Kullback--Leibler divergence of its next-token distributions from the variant''s; flips are items whose correctness changed~\cite{dutta2024}.'
    WHERE EXISTS (SELECT 1 FROM result WHERE task = 'divergence')
    UNION ALL
    SELECT 9, 'Intervals hold 95\,\%: Wilson''s~\cite{wilson1927} of shares, percentile bootstraps of other means and of the paired differences from the dense model; shares are compared by McNemar''s exact test~\cite{mcnemar1947} with Holm''s correction~\cite{holm1979}.'
    UNION ALL
    SELECT 10, 'A variant matches if it is not more than 5\,\% below its dense model.')
SELECT text FROM sentence ORDER BY place
