-- Multiple choice with few examples in the prompt: Wanda, and the dense model at 0 %.
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, data_name, shots || CASE shots WHEN 1 THEN ' shot' ELSE ' shots' END AS shots_label, shots,
       coalesce(sparsity_percent, 0) AS sparsity_percent, percent, low_percent, high_percent, item_count, result_id
FROM (SELECT *, min(shots) OVER same AS fewest, max(shots) OVER same AS most
      FROM scores WHERE task = 'choice' AND rule = 'strict' AND part_kind = 'all' WINDOW same AS (PARTITION BY variant_id))
WHERE fewest < most AND is_usual AND (compression = 'none' OR method_name = 'wanda' AND compression = 'unstructured')
ORDER BY role_order, model, shots, sparsity_percent, variant_id
