WITH p AS (
    SELECT s.*, stored_bytes / 1e6 AS megabytes, CASE WHEN compression = 'quantized' THEN 'quantized' ELSE 'pruned' END AS way
    FROM scores AS s WHERE rule = 'strict' AND part_kind = 'all' AND is_usual AND task IN ('factoid', 'choice', 'retrieval') AND coalesce(shots, 0) = 0
          AND (method_name IN ('sparsegpt', 'wanda') AND compression = 'unstructured' OR method_name = 'gptq')
    UNION ALL
    SELECT s.*, stored_bytes / 1e6, w.way FROM scores AS s, (SELECT 'pruned' AS way UNION ALL SELECT 'quantized') AS w
    WHERE rule = 'strict' AND part_kind = 'all' AND task IN ('factoid', 'choice', 'retrieval') AND coalesce(shots, 0) = 0 AND compression = 'none'),
named AS (SELECT p.*, m.label FROM p JOIN (SELECT 'sparsegpt' AS method, 'SparseGPT' AS label, 'pruned' AS way UNION ALL SELECT 'wanda', 'Wanda', 'pruned' UNION ALL SELECT 'gptq', 'GPTQ', 'quantized') AS m
          ON p.way = m.way AND (p.method_name = m.method OR p.compression = 'none'))
