-- Multiple choice with few examples in the prompt: Wanda, and the dense model at 0 %.
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, data_name, shots || CASE shots WHEN 1 THEN ' shot' ELSE ' shots' END AS shots_label, shots,
       coalesce(sparsity_percent, 0) AS sparsity_percent, percent, low_percent, high_percent, item_count, result_id
FROM scores AS s
WHERE task = 'choice' AND rule = 'strict' AND part_kind = 'all' AND is_usual AND (compression = 'none' OR method_name = 'wanda' AND compression = 'unstructured')
      AND result_id IN (SELECT a.result_id FROM scores AS a JOIN scores AS b ON b.variant_id = a.variant_id AND b.task = 'choice' AND b.shots <> a.shots
                        WHERE a.task = 'choice')
ORDER BY role_order, model, shots, sparsity_percent, variant_id
