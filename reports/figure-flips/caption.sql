WITH p AS (SELECT v.role, v.model, CASE v.role WHEN 'large' THEN 0 WHEN 'small' THEN 1 WHEN 'other' THEN 2 ELSE 3 END AS role_order, coalesce(v.role || ' model (' || v.model || ')', v.model) AS facet, CASE r.task WHEN 'factoid' THEN 'Factoid QA' WHEN 'choice' THEN 'Multiple choice' WHEN 'retrieval' THEN CASE r.mode WHEN 'open' THEN 'Open-book QA' ELSE 'Closed-book QA' END END AS capability, v.compression, v.method, v.method_label AS series,
           100 * v.sparsity_target AS sparsity_percent, v.pattern, v.bits, c.n, v.id AS variant_id,
           100 * c.drop_value AS lost_points, 100 * c.low AS lost_low, 100 * c.high AS lost_high, 100 * c.flips AS flips_percent, c.right_to_wrong, c.wrong_to_right,
           c.flips, c.p_holm
    FROM comparison AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
    JOIN run AS u ON u.variant_id = v.id AND u.first_variant_id = v.id
    JOIN calibration AS k ON k.variant_id = v.id AND k.is_usual
    WHERE c.metric = 'strict' AND r.task IN ('factoid', 'choice', 'retrieval') AND coalesce(json_extract(r.definition, '$.shots'), 0) = 0
          AND v.compression IN ('unstructured', 'n:m', 'quantized'))
SELECT (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT coalesce(role || ' = ' || model, model) AS name FROM p ORDER BY role, model)) AS models, count(DISTINCT variant_id) AS variants,
       CASE WHEN min(n) = max(n) THEN printf('%d', min(n)) ELSE printf('%d to %d', min(n), max(n)) END AS items,
       (SELECT printf('%.1f', max(flips_percent)) FROM p WHERE abs(lost_points) <= 1) AS hidden
FROM p
