-- What the dense model knows, and what is left of it: the first questions by name that it answers rightly.
WITH v AS (SELECT v.id, v.checkpoint_id, coalesce(v.role || ' model (' || v.model || ')', v.model) AS who, v.role, v.model,
                  CASE v.compression WHEN 'none' THEN 'Dense' WHEN 'quantized' THEN v.method_label || ', ' || v.bits || ' bits'
                                     ELSE printf('%s, %.0f %%', v.method_label, 100 * v.sparsity_target) END AS variant_label,
                  CASE v.method WHEN 'dense' THEN 0 WHEN 'magnitude' THEN 1 WHEN 'sparsegpt' THEN 2 WHEN 'wanda' THEN 3 ELSE 4 END AS place
           FROM variant AS v JOIN run AS u ON u.variant_id = v.id AND u.first_variant_id = v.id JOIN calibration AS k ON k.variant_id = v.id AND k.is_usual
           WHERE v.compression = 'none' OR v.compression = 'unstructured' AND abs(v.sparsity_target - 0.5) < 1e-6
                 OR v.method = 'gptq' AND v.bits = 4 AND coalesce(v.group_columns, 0) IN (0, 128)),
a AS (SELECT v.*, r.id AS result_id, r.data_digest, r.definition, i.item, i.output, i.strict_score, json_extract(i.record, '$.prompt') AS prompt
      FROM v JOIN result AS r ON r.variant_id = v.id AND r.task = 'factoid' JOIN item AS i ON i.result_id = r.id),
known AS (SELECT checkpoint_id, data_digest, definition, item, prompt, row_number() OVER (PARTITION BY checkpoint_id, data_digest, definition ORDER BY item) AS number
          FROM a WHERE place = 0 AND strict_score = 1)
SELECT a.who, a.role, a.model, a.item, coalesce(replace(trim(substr(k.prompt, instr(k.prompt, ': ') + 2)), char(10) || 'The answer is', ''), a.item) AS question,
       a.variant_label, trim(substr(trim(a.output), 1, coalesce(nullif(instr(trim(a.output), char(10)), 0) - 1, length(a.output)))) AS answer, a.strict_score, a.result_id
FROM known AS k JOIN a USING (checkpoint_id, data_digest, definition, item)
WHERE k.number <= 3 AND EXISTS (SELECT 1 FROM v WHERE v.checkpoint_id = k.checkpoint_id AND v.place > 0)
ORDER BY CASE a.role WHEN 'large' THEN 0 WHEN 'small' THEN 1 ELSE 2 END, a.model, k.number, a.place, a.variant_label
