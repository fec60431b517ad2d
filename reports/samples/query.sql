-- Items with what several variants made of them: some of each kind, chosen by their names.
WITH shown AS (SELECT v.*, coalesce(v.role, v.model) AS who,
                      v.method_label || CASE WHEN v.pattern IS NOT NULL THEN ' ' || v.pattern WHEN v.bits IS NOT NULL THEN printf(' %d bits', v.bits)
                                             WHEN v.sparsity_target IS NOT NULL THEN printf(' %.0f %%', 100 * v.sparsity_target) ELSE '' END AS variant_label
               FROM variant AS v JOIN run AS u ON u.variant_id = v.id AND u.first_variant_id = v.id JOIN calibration AS k ON k.variant_id = v.id AND k.is_usual
               WHERE v.compression = 'unstructured' AND (abs(v.sparsity_target - 0.3) < 1e-6 OR abs(v.sparsity_target - 0.5) < 1e-6 OR abs(v.sparsity_target - 0.7) < 1e-6)
                     OR v.pattern = '2:4' OR v.compression = 'quantized' AND v.bits IN (8, 3) AND coalesce(v.group_columns, 0) IN (0, 128)),
asked AS (SELECT r.*, CASE r.task WHEN 'factoid' THEN 'Factoid QA' WHEN 'retrieval' THEN CASE r.mode WHEN 'open' THEN 'Open-book QA' ELSE 'Closed-book QA' END
                          WHEN 'summary' THEN 'Summaries' WHEN 'chat' THEN 'Instructions' END AS capability
          FROM result AS r WHERE r.judge IS NULL AND r.task IN ('factoid', 'retrieval', 'summary', 'chat')),
pair AS (SELECT a.id, a.capability, d.id AS dense_id, s.who, s.variant_label, s.method, s.sparsity_target, s.bits
         FROM asked AS a JOIN shown AS s ON s.id = a.variant_id
         JOIN result AS d ON d.variant_id = s.checkpoint_id AND d.task = a.task AND d.mode IS a.mode AND d.judge IS NULL AND d.data_digest = a.data_digest AND d.definition = a.definition),
picked AS (SELECT dense_id, item FROM (SELECT dense_id, i.item, row_number() OVER (PARTITION BY dense_id ORDER BY i.item) AS place
                                       FROM (SELECT DISTINCT dense_id FROM pair) AS p JOIN item AS i ON i.result_id = p.dense_id) WHERE place <= 4)
SELECT p.who, p.capability, p.variant_label, x.item, json_extract(x.record, '$.prompt') AS prompt, x.output AS dense_output, y.output AS variant_output,
       CASE WHEN x.strict_score IS NOT NULL AND y.strict_score IS NOT NULL
            THEN 'dense ' || CASE x.strict_score WHEN 1 THEN 'right' ELSE 'wrong' END || ', variant ' || CASE y.strict_score WHEN 1 THEN 'right' ELSE 'wrong' END END AS verdict, p.id AS result_id
FROM pair AS p JOIN picked AS k ON k.dense_id = p.dense_id
JOIN item AS x ON x.result_id = p.dense_id AND x.item = k.item JOIN item AS y ON y.result_id = p.id AND y.item = k.item
ORDER BY p.who, p.capability, x.item, CASE p.method WHEN 'magnitude' THEN 0 WHEN 'wanda' THEN 1 WHEN 'sparsegpt' THEN 2 ELSE 3 END, p.method, p.sparsity_target, p.bits DESC, p.id
